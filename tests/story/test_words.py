"""The words of the terminal are those of the page: both suites read `tests/corpus/words.json`."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from progress_sse.cli.list_sessions import listed_words
from progress_sse.core import session_filter
from progress_sse.core.details import Claim, Details
from progress_sse.core.model import Liveness, SessionProgress, StepProgress
from progress_sse.story.drawing import HIDDEN, tab_state
from progress_sse.story.headline import absence, elapsed, failures, headline
from progress_sse.story.observed_session import ObservedSession, observed, retry_sentence, shown_percentage
from progress_sse.story.step_words import attempt, counted, over_limit, spent, state_of, steps_done
from progress_sse.story.time_left import has_percentage, time_left, usual_times, with_usual
from progress_sse.story.times import seconds_of
from progress_sse.story.worker_words import life_sign, request_sentence

VECTORS = json.loads((Path(__file__).parents[1] / "corpus" / "words.json").read_text("utf-8"))


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The reader is in UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


def seen(vector: dict[str, Any]) -> ObservedSession:
    """The session after each of the vector's states."""
    session, verified_s = None, None
    for state in vector["states"]:
        known = usual_times({"steps": vector["learned"]}) if "learned" in vector else {}
        session = observed(session, with_usual(state["session"], known), seconds_of(state["at"]), verified_s)
        verified_s = seconds_of(state["at"])
    assert session
    return session


def shown(session: ObservedSession, now_s: float) -> dict[str, Any]:
    """All that is said of it, without what is empty."""
    state, sign = session.state, life_sign(session.state, session.reported_s, now_s)
    words = {
        "headline": headline(state, now_s, is_deleted=session.is_deleted),
        "absence": absence(is_deleted=False) if state["status"] == "not_found" and not session.is_deleted else "",
        "elapsed": elapsed(state, now_s),
        "done": steps_done(state) if state["status"] != "not_found" else "",
        "time_left": time_left(state, now_s),
        "note": sign.text if sign else retry_sentence(session),
        "request": request_sentence(state),
        "failures": [": ".join(filter(None, each)) for each in failures(state)],
        "steps": [
            ", ".join(
                filter(
                    None, (state_of(each), spent(each, now_s), attempt(each), over_limit(each, now_s), counted(each))
                )
            )
            for each in state["steps"]
        ],
    }
    return {name: said for name, said in words.items() if said}


@pytest.mark.parametrize("vector", [each for each in VECTORS if "states" in each], ids=lambda each: each["name"])
def test_a_session_is_drawn_and_described_as_by_the_page(vector: dict[str, Any]) -> None:
    """With one still clock; the tab of the terminal has the same percentage."""
    session, now_s = seen(vector), seconds_of(vector["now"])
    is_hidden = session.state["status"] in ("completed", "not_found")
    tab = tab_state(session, now_s)
    assert tab == HIDDEN if is_hidden else tab.percentage == vector["percentage"]
    assert (shown_percentage(session, now_s) if has_percentage(session.state) else None) == vector["percentage"]
    assert shown(session, now_s) == vector["en"]


@pytest.mark.parametrize("vector", [each for each in VECTORS if "entry" in each], ids=lambda each: each["name"])
def test_an_entry_is_drawn_and_described_as_by_the_list_of_the_page(vector: dict[str, Any]) -> None:
    """An entry has no steps. The server lists its session by the same statuses."""
    entry = vector["entry"]
    words = listed_words(entry, seconds_of(vector["now"]))
    assert words.percentage == ("" if vector["percentage"] is None else f"{vector['percentage']}%")
    assert {"state": words.state, "time": words.time} == vector["en"]
    signs = Liveness(**entry["liveness"]) if "liveness" in entry else None
    steps = {1: StepProgress(1, "Find", "running", None, None, 0, None, liveness=signs)}
    details = Details(conclusion=entry.get("conclusion"), claims={1: Claim("a", 1000, None)})
    session = SessionProgress("nightly", 1, 3, entry["status"], steps, "", "", details)
    assert session_filter.STATES[session_filter.state_of(session)][1] == set(vector["lists"])
