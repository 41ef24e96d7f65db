"""Session ids, positions, and the numbers that are computed from a session."""

import re
from collections.abc import Mapping
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from progress_sse.core.errors import InvalidSessionIdError
from progress_sse.core.model import (
    Position,
    Session,
    SessionProgress,
    StepAdvance,
    StepDefinition,
    StepProgress,
    StepStatus,
    check_session_id,
    is_text,
)

GOOD_IDS = [
    "a", "job-42", " ", "a b", "...", "..a", "a..", "%2F", "*", "[a-z]*", "{tag}", "a:b", "?x=1#y", "\\", "'; DROP",
    "日本語", "e\u0301", "\u00e9", "😀", "\u00a0", "\u2028", "\ue000", "\U0010ffff", "x" * 128, "😀" * 128,
]  # fmt: skip

BAD_IDS = {
    "empty": "",
    "too long": "x" * 129,
    "too long in characters, not bytes": "日" * 129,
    "dot": ".",
    "dots": "..",
    "slash": "/",
    "inner slash": "a/b",
    "path": "../etc/passwd",
    "NUL": "a\0",
    "line feed": "a\nb",
    "carriage return": "a\rb",
    "tab": "\t",
    "escape": "\x1b[31m",
    "delete": "\x7f",
    "C1 control": "\x85",
    "zero-width space": "a\u200bb",
    "zero-width joiner": "👩\u200d👧",
    "right-to-left override": "\u202etxt",
    "byte order mark": "\ufeffa",
    "soft hyphen": "a\u00adb",
    "tag": "\U000e0041",
    "surrogate": "\ud800",
    "pair of surrogates": "\ud83d\ude00",
}


class TestSessionId:
    """`check_session_id`."""

    @pytest.mark.parametrize("session_id", GOOD_IDS)
    def test_may_be_any_other_text(self, session_id: str) -> None:
        """It is returned unchanged: nothing is normalised."""
        assert check_session_id(session_id) is session_id

    @pytest.mark.parametrize("session_id", BAD_IDS.values(), ids=BAD_IDS)
    def test_is_refused_where_it_breaks_a_rule(self, session_id: str) -> None:
        """The text of the error does not repeat it."""
        with pytest.raises(InvalidSessionIdError) as refusal:
            check_session_id(session_id)
        assert len(session_id) < 3 or session_id not in str(refusal.value)


class TestPosition:
    """Event ids, both ways."""

    @pytest.mark.parametrize(
        ("position", "text"),
        [
            (Position("0123456789abcdef", 0), "0123456789abcdef-0"),
            (Position("a", 1), "a-1"),
            (Position("a-b", 12), "a-b-12"),
            (Position("A.z_~-", 10**15), "A.z_~--1000000000000000"),
            (Position("x" * 64, 9_999_999_999_999_999), "x" * 64 + "-9999999999999999"),
            (Position("absent.0123456789abcdef.1f", 0), "absent.0123456789abcdef.1f-0"),
        ],
    )
    def test_is_an_event_id_and_back(self, position: Position, text: str) -> None:
        """One text for each position."""
        assert str(position) == text
        assert Position.parse(text) == position

    @pytest.mark.parametrize(
        "text",
        [
            "", "-", "a", "7", "-1", "a-", "-0", "0-0x", "a-01", "a-00", "a-+1", "a- 1", "a-1 ", " a-1", "a-1\n",
            "\na-1",
            "a-1.0", "a-1e3", "a-1_000", "a-\u0661", "a-\uff11", "\u00e9-1", "a\0-1", "a-1\0", "a/b-1", "a,b-1",
            "a-" + "9" * 17, "a-" + "9" * 8192, "x" * 65 + "-1", "x" * 8192, "'; DROP TABLE log; --", "$", "+", "*",
            "\ud800-1",
        ],
    )  # fmt: skip
    def test_is_no_other_text(self, text: str) -> None:
        """Other texts from a client parse as `None`, without an error."""
        assert Position.parse(text) is None

    @given(st.text())
    def test_survives_any_text(self, text: str) -> None:
        """A text that parses as a position is formatted as the same text."""
        position = Position.parse(text)
        assert position is None or str(position) == text

    def test_of_absence_differs_for_each_absence(self) -> None:
        """A session that does not exist has positions of its own, a new one for each absence."""
        absence = Position.absent("s", "1f")
        assert Position.parse(str(absence)) == absence
        assert absence.is_absence_of("s")
        assert absence != Position.absent("s", "2f")
        assert not absence.is_absence_of("t")
        assert not Position(absence.epoch, 1).is_absence_of("s")
        assert not Position("0123456789abcdef", 0).is_absence_of("s")

    @pytest.mark.parametrize("session_id", GOOD_IDS)
    def test_of_absence_is_an_event_id_for_any_session(self, session_id: str) -> None:
        """With any session id, and within the bounds of an event id."""
        text = str(Position.absent(session_id, "0123abcd"))
        assert re.fullmatch(r"[A-Za-z0-9._~-]{1,128}", text)
        position = Position.parse(text)
        assert position is not None
        assert position.is_absence_of(session_id)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", True),
        ("a\n\x1b\u2028\u202e😀", True),
        ("a\0", False),
        ("é\0", False),
        ("\ud83d\ude00", False),
        (b"a", False),
    ],
)
def test_text_is_what_can_be_shown_everywhere(value: object, expected: bool) -> None:
    """Any string without NUL and surrogates; bytes are not text."""
    assert is_text(value) is expected


def session_of(
    total_steps: int,
    steps: Mapping[int, StepStatus],
    *,
    advances: Mapping[int, StepAdvance] | None = None,
    current_step: int = 0,
) -> Session:
    """A session whose steps have these statuses; step n is estimated at 10ⁿ milliseconds."""
    started = {
        n: StepProgress(n, "n", status, "t", None, 0, 0, advance=(advances or {}).get(n)) for n, status in steps.items()
    }
    definitions = tuple(StepDefinition("n", 1, 10**n) for n in range(1, total_steps + 1))
    return Session(SessionProgress("s", current_step, total_steps, "running", started, "t", "t"), definitions)


class TestPercentage:
    """⌊100 · ended / total⌋, exact."""

    @pytest.mark.parametrize("total_steps", range(1, 101))
    def test_is_exact_for_every_fraction(self, total_steps: int) -> None:
        """Against whole-number division: 29 of 50 is 58, and in floating point 100 · 0.58 is less."""
        for ended in range(total_steps + 1):
            session = session_of(total_steps, dict.fromkeys(range(1, ended + 1), "success"))
            assert session.percentage == 100 * ended // total_steps

    def test_counts_failures_as_ended(self) -> None:
        """Running steps, and those not started, do not count."""
        assert session_of(4, {1: "success", 2: "error", 3: "running"}).percentage == 50

    @pytest.mark.parametrize(
        ("advances", "expected"),
        [
            ({}, 33),
            ({2: StepAdvance(0, 10)}, 33),
            ({2: StepAdvance(1, 2)}, 50),
            ({2: StepAdvance(2, 2)}, 66),
            ({2: StepAdvance(1, 3), 3: StepAdvance(2, 3)}, 66),
            ({2: StepAdvance(7, None)}, 33),
            ({2: StepAdvance(0, 0)}, 33),
            ({2: StepAdvance(2**53 - 2, 2**53 - 1)}, 66),
            ({2: StepAdvance(2**53 - 1, 2**53 - 1)}, 66),
        ],
    )
    def test_counts_what_running_steps_report(self, advances: Mapping[int, StepAdvance], expected: int) -> None:
        """As a fraction, exactly: 1 + 1/3 + 2/3 of 3 steps is 66. An unknown total counts nothing."""
        assert session_of(3, {1: "success", 2: "running", 3: "running"}, advances=advances).percentage == expected

    @pytest.mark.protocol("P-3.11")
    @given(
        st.integers(1, 20),
        st.lists(st.integers(0, 2**53 - 1).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))),
        st.integers(0, 20),
    )
    def test_is_exact_for_any_reported_advances(self, spare: int, parts: list[tuple[int, int]], ended: int) -> None:
        """Against the sum of the fractions."""
        advances = {n: StepAdvance(*part) for n, part in enumerate(parts, start=1)}
        statuses: dict[int, StepStatus] = dict.fromkeys(advances, "running")
        statuses |= dict.fromkeys(range(len(parts) + 1, len(parts) + ended + 1), "success")
        session = session_of(len(statuses) + spare, statuses, advances=advances)
        exact = ended + sum(Fraction(current, total) for current, total in parts if total)
        assert session.percentage == int(100 * exact // session.progress.total_steps)

    @pytest.mark.parametrize(("numerators", "expected"), [((1, 2), 50), ((1, 1), 33)])
    def test_is_exact_on_the_edge(self, numerators: tuple[int, int], expected: int) -> None:
        """Thirds that add up to a whole count as a whole."""
        advances = {n: StepAdvance(current, 3) for n, current in enumerate(numerators, start=1)}
        assert session_of(2, {1: "running", 2: "running"}, advances=advances).percentage == expected


@pytest.mark.parametrize(("current_step", "expected"), [(0, 1110), (1, 1100), (2, 1000), (3, 0)])
def test_remaining_sums_the_estimates_after_the_current_step(current_step: int, expected: int) -> None:
    """In any state of those steps."""
    assert session_of(3, {1: "running", 3: "success"}, current_step=current_step).estimated_remaining_ms == expected
