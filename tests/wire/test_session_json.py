"""The JSON that existing clients read, byte for byte."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from progress_sse.core.details import Details, FinishAt, Time, Timing
from progress_sse.core.model import (
    Liveness,
    Session,
    SessionProgress,
    StepAdvance,
    StepDefinition,
    StepProgress,
    StepStatus,
)
from progress_sse.wire import json_text, session_json
from progress_sse.wire.session_json import MAX_SHARED_BYTES

STARTED, ENDED = "2026-01-02T03:04:05.678901+00:00", "2026-01-02T03:04:17.000000+00:00"

RUNNING = StepProgress(1, "原稿生成", "running", STARTED, None, 0, 300_000)
REPORTED = RUNNING._replace(message="half", advance=StepAdvance(1, 2))
FAILED = StepProgress(2, "STEP2", "error", STARTED, ENDED, 11_321, None, 'm"\\', "a\nb\u2028</script>")

STEPS = [
    (
        RUNNING,
        '{"step":1,"name":"原稿生成","status":"running","started_at":"2026-01-02T03:04:05.678901+00:00","completed_at":null,'
        '"elapsed_ms":0,"timeout_ms":300000,"message":"","error":""}',
    ),
    (
        REPORTED,
        '{"step":1,"name":"原稿生成","status":"running","started_at":"2026-01-02T03:04:05.678901+00:00","completed_at":null,'
        '"elapsed_ms":0,"timeout_ms":300000,"message":"half","error":"","progress":{"current":1,"total":2}}',
    ),
    (
        RUNNING._replace(advance=StepAdvance(0, None)),
        '{"step":1,"name":"原稿生成","status":"running","started_at":"2026-01-02T03:04:05.678901+00:00","completed_at":null,'
        '"elapsed_ms":0,"timeout_ms":300000,"message":"","error":"","progress":{"current":0,"total":null}}',
    ),
    (
        FAILED,
        '{"step":2,"name":"STEP2","status":"error","started_at":"2026-01-02T03:04:05.678901+00:00",'
        '"completed_at":"2026-01-02T03:04:17.000000+00:00","elapsed_ms":11321,"timeout_ms":null,'
        '"message":"m\\"\\\\","error":"a\\nb\\u2028\\u003c/script>"}',
    ),
]

DEFINITIONS = (StepDefinition("原稿生成", 300_000, 60_000), StepDefinition("STEP2"), StepDefinition("STEP3", 1, 0))
DEFINITIONS_JSON = (
    '[{"step":1,"name":"原稿生成","timeout_ms":300000,"estimated_ms":60000},'
    '{"step":2,"name":"STEP2","timeout_ms":null,"estimated_ms":30000},'
    '{"step":3,"name":"STEP3","timeout_ms":1,"estimated_ms":0}]'
)

STORED_DEFINITIONS = DEFINITIONS_JSON.replace("60000}", '60000,"is_declared":true}').replace(
    '":0}', '":0,"is_declared":true}'
)

SESSION = Session(SessionProgress("日 1", 2, 3, "error", {2: FAILED, 1: REPORTED}, STARTED, ENDED), DEFINITIONS)

texts = st.text(st.characters(exclude_categories=["Cs"]))


def written(step: StepProgress) -> bytes:
    """The step part of a transition, which the store keeps."""
    session = SESSION._replace(progress=SESSION.progress._replace(steps={step.step: step}))
    return session_json.split_transition(session_json.encode_transition(session, step.step))[0]


class TestStep:
    """A step that was started, both ways."""

    @pytest.mark.parametrize(("step", "text"), STEPS)
    def test_is_written_in_the_documented_order_and_read_back(self, step: StepProgress, text: str) -> None:
        """The nine keys, and `progress` where it was reported."""
        assert written(step) == text.encode()
        assert session_json.decode_step(text.encode()) == step

    @given(texts, texts, texts, st.sampled_from(["running", "success", "error"]), st.integers(0, 2**53 - 1))
    def test_is_read_back_with_any_text(
        self, name: str, message: str, error: str, status: StepStatus, number: int
    ) -> None:
        """To the letter."""
        advance = StepAdvance(number, None) if number % 2 else None
        step = StepProgress(1, name, status, STARTED, None, number, number, message, error, advance)
        assert session_json.decode_step(written(step)) == step


class TestDefinitions:
    """Step definitions, both ways."""

    def test_are_written_as_the_list_of_steps_shows_them(self) -> None:
        """Numbered from 1; what is stored also says which estimates were declared."""
        assert session_json.list_definitions(DEFINITIONS) == json.loads(DEFINITIONS_JSON)
        assert session_json.encode_definitions(DEFINITIONS) == STORED_DEFINITIONS.encode()

    def test_are_read_back(self) -> None:
        """Sessions of one workflow share their definitions."""
        stored = STORED_DEFINITIONS.encode()
        assert session_json.decode_definitions(stored) == DEFINITIONS
        assert session_json.decode_definitions(stored) is session_json.decode_definitions(stored)

    def test_with_assumed_estimates_alone_declare_nothing(self) -> None:
        """They are read back as they are shown."""
        assumed = session_json.decode_definitions(DEFINITIONS_JSON.encode())
        assert [each.estimated_ms for each in assumed] == [None] * 3
        assert [each.expected_ms for each in assumed] == [each.expected_ms for each in DEFINITIONS]
        assert session_json.encode_definitions(assumed) == DEFINITIONS_JSON.encode()

    def test_are_not_kept_where_they_are_large(self) -> None:
        """At the size that a body may have, those of a few hundred sessions would take a hundred megabytes."""
        data = session_json.encode_definitions((StepDefinition("x" * MAX_SHARED_BYTES),))
        assert session_json.decode_definitions(data) == session_json.decode_definitions(data)
        assert session_json.decode_definitions(data) is not session_json.decode_definitions(data)


class TestSession:
    """A session as polls and snapshots show it."""

    def test_shows_every_step(self) -> None:
        """In order of number, those not yet started with five keys."""
        assert (
            session_json.encode_session(SESSION)
            == (
                '{"session_id":"日 1","current_step":2,"total_steps":3,"status":"error","steps":['
                f"{STEPS[1][1]},{STEPS[3][1]},"
                '{"step":3,"name":"STEP3","status":"pending","elapsed_ms":0,"timeout_ms":1}'
                '],"percentage":50,"estimated_remaining_ms":0}'
            ).encode()
        )

    def test_shows_one_that_does_not_exist(self) -> None:
        """With every number 0."""
        assert (
            session_json.encode_absent("日 1")
            == (
                '{"session_id":"日 1","current_step":0,"total_steps":0,"status":"not_found","steps":[],'
                '"percentage":0,"estimated_remaining_ms":0}'
            ).encode()
        )

    def test_is_listed_with_its_times(self) -> None:
        """For operators."""
        assert (
            session_json.encode_listed(SESSION)
            == (
                '{"session_id":"日 1","current_step":2,"total_steps":3,"status":"error","percentage":50,'
                f'"estimated_remaining_ms":0,"steps_done":0.5,"created_at":"{STARTED}","updated_at":"{ENDED}"}}'
            ).encode()
        )

    def test_shows_in_a_transition_the_step_and_the_summary(self) -> None:
        """With both a client can update its copy."""
        assert (
            session_json.encode_transition(SESSION, 2)
            == (
                f'{{"step":{STEPS[3][1]},'
                '"session":{"session_id":"日 1","current_step":2,"total_steps":3,"status":"error",'
                '"percentage":50,"estimated_remaining_ms":0}}'
            ).encode()
        )

    @given(texts)
    def test_splits_a_transition_into_its_two_parts(self, text: str) -> None:
        """With any text from users, even one that equals the separator of the parts."""
        for message in (text, f'","session":{{"{text}'):
            step = RUNNING._replace(name=message, message=message, error=message)
            session = SESSION._replace(progress=SESSION.progress._replace(steps={2: step}, session_id=message))
            transition = session_json.encode_transition(session, 2)
            shown, summary = session_json.split_transition(transition)
            assert session_json.step_of_transition(transition) == step.step
            assert session_json.decode_step(shown) == step
            assert session_json.encode_listed(session, summary) == session_json.encode_listed(session)


class TestTime:
    """A session with a time."""

    TIME = Time(41, FinishAt(STARTED, ENDED), "history", 6)
    SESSION = SESSION._replace(
        progress=SESSION.progress._replace(
            details=Details(title="t", conclusion="lost", time=TIME, accepts=("retry",), timing=Timing("p"))
        )
    )
    SHOWN = f'"time":{{"percentage":41,"finish_at":{{"p50":"{STARTED}","p90":"{ENDED}"}},"basis":"history","runs":6}}'

    @pytest.mark.protocol("P-23.2")
    def test_shows_what_was_declared_of_each_step(self) -> None:
        """Behind its other keys, also where it was not started."""
        one, two, three = json.loads(session_json.encode_session(self.SESSION))["steps"]
        assert list(one)[-2:] == ["progress", "estimated_ms"]
        assert "estimated_ms" not in two
        assert list(three) == ["step", "name", "status", "elapsed_ms", "timeout_ms", "estimated_ms"]
        assert (one["estimated_ms"], three["estimated_ms"]) == (60_000, 0)

    @pytest.mark.protocol("P-3.15")
    def test_shows_it_behind_the_attempt(self) -> None:
        """And before what is known of the worker and the end."""
        lost = REPORTED._replace(attempt=2, liveness=Liveness("live", STARTED), conclusion="lost")
        session = self.SESSION._replace(progress=self.SESSION.progress._replace(steps={1: lost}))
        step = json.loads(session_json.encode_transition(session, 1))["step"]
        assert list(step)[9:] == ["progress", "attempt", "estimated_ms", "liveness", "conclusion"]

    def test_reads_a_step_back_without_it(self) -> None:
        """It is in the definition."""
        shown, _ = session_json.split_transition(session_json.encode_transition(self.SESSION, 1))
        assert session_json.decode_step(shown) == REPORTED

    @pytest.mark.protocol("P-3.16")
    def test_is_shown_between_the_end_and_the_requests(self) -> None:
        """In polls and in transitions."""
        expected = f'"title":"t","conclusion":"lost",{self.SHOWN},"accepts":["retry"]}}'
        assert session_json.encode_session(self.SESSION).decode().endswith(expected)
        assert session_json.encode_transition(self.SESSION, 1).decode().endswith(f"{expected}}}")

    def test_may_have_no_end(self) -> None:
        """Which is then null."""
        details = self.SESSION.details._replace(time=self.TIME._replace(finish_at=None))
        session = self.SESSION._replace(progress=self.SESSION.progress._replace(details=details))
        assert json.loads(session_json.encode_session(session))["time"]["finish_at"] is None


class TestJson:
    """The encoding itself."""

    @pytest.mark.protocol("P-5.17")
    @given(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("<\\\x85\u2028\u2029")))
    def test_is_one_line_for_any_text(self, text: str) -> None:
        """Also for a client that splits at every line end of Unicode; it starts no markup, and it decodes again."""
        data = json_text.encode_json({text: text}).decode()
        assert data.splitlines() == [data]
        assert "<" not in data
        assert json.loads(data) == {text: text}

    def test_leaves_other_characters_as_they_are(self) -> None:
        """Also those that share bytes with escaped ones."""
        text = "\x84\xa0é\u2014“it”…\u2027\u202a日本語 & > ' /"
        assert json_text.encode_json(text).decode() == f'"{text}"'

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
    def test_has_null_for_numbers_that_json_lacks(self, value: float) -> None:
        """A browser's `JSON.parse` refuses NaN; its `JSON.stringify` writes null."""
        assert json_text.encode_json([value]) == b"[null]"

    @pytest.mark.parametrize("value", ["\ud800", {"\udfff": 1}])
    def test_is_always_utf_8(self, value: Any) -> None:
        """It cannot hold a lone surrogate."""
        with pytest.raises(ValueError, match="surrogates not allowed"):
            json_text.encode_json(value)
