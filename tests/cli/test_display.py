"""A session as lines."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from progress_sse.cli.display import PlainDisplay
from tests.cli.sessions import ABSENT, RUNNING, SERVER, ended, leased, session, step


def shown(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def silences(display: PlainDisplay, capsys: pytest.CaptureFixture[str], *seconds: float) -> list[list[str]]:
    """The lines that come at these times after the last state."""
    display.set_connection("live")
    shown(capsys)
    lines = []
    for each in seconds:
        display.set_clock(each)
        display.tick()
        lines.append(shown(capsys))
    return lines


def test_a_silence_is_a_line_and_another_one_when_it_is_twice_as_long(capsys: pytest.CaptureFixture[str]) -> None:
    """A log of a long job must not fill with them. The next report ends the silence."""
    display = PlainDisplay(SERVER)
    alive = session("running", leased("live", progress={"current": 1, "total": 2}))
    display.show(alive)
    expected = [[], ["worker alive, nothing new for 1 min"], [], ["worker alive, nothing new for 2 min"], []]
    assert silences(display, capsys, 59, 61, 119, 123, 200) == expected
    display.show({**alive, "percentage": 34})
    assert silences(display, capsys, 200, 270) == [[], ["worker alive, nothing new for 1 min"]]


def test_a_silence_without_a_promise_is_one_past_the_limit_of_the_step(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a connection nothing is known of the worker."""
    display = PlainDisplay(SERVER)
    display.tick()
    display.show(RUNNING)
    display.tick()
    assert len(shown(capsys)) == 1, "there is no connection yet"
    [[line]] = silences(display, capsys, 10)
    assert re.fullmatch(r"no update for .+", line)
    display.set_connection("reconnecting")
    display.set_clock(10**9)
    display.tick()
    assert shown(capsys) == []


def test_a_stalled_step_is_a_change_and_no_silence(capsys: pytest.CaptureFixture[str]) -> None:
    """It has a line of its own already."""
    display = PlainDisplay(SERVER)
    display.show(RUNNING)
    display.show(session("running", leased("stalled")))
    assert re.fullmatch(r" 33%  1/1 Dump all: no sign of life since .+", shown(capsys)[-1])
    assert silences(display, capsys, 10**4) == [[]]
    display.show(ABSENT)
    assert shown(capsys) == ["This job was deleted"]


def test_progress_that_had_to_wait_is_a_line_soon(capsys: pytest.CaptureFixture[str]) -> None:
    """The last one, a second later."""
    display = PlainDisplay(SERVER)
    for current in range(4):
        display.show(session("running", leased("live", progress={"current": current, "total": None})))
    first = shown(capsys)
    assert [line.rpartition(": ")[2] for line in first] == ["started", "1"]
    display.set_clock(9**9)
    display.tick()
    assert shown(capsys)[0].endswith(": 3")


def test_the_connection_is_reported_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """Once when the stream has failed, whatever becomes of the polls, and once when it is back."""
    display = PlainDisplay(SERVER)
    for connection in ("live", "polling", "reconnecting", "polling", "live"):
        display.set_connection(connection, "refused")
    output = capsys.readouterr()
    assert output.err.splitlines() == [
        "progress-sse: no live stream (refused): asking every 2 s",
        "progress-sse: live again",
    ]
    assert output.out == ""


def test_a_job_that_takes_longer_than_usual_says_so_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Soon after nine of ten runs have ended, and again after another end was reported."""
    display = PlainDisplay(SERVER)
    begun = datetime.now(UTC).isoformat()

    def report(seconds: float) -> None:
        soon = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
        time = {"percentage": 40, "finish_at": {"p50": soon, "p90": soon}, "basis": "history", "runs": 6}
        step = leased("live", started_at=begun, progress={"current": round(seconds), "total": 100})
        display.show(session("running", step, time=time))

    report(50)
    assert silences(display, capsys, 0, 51, 53, 54) == [[], [], [" 99%  taking longer than usual"], []]
    display.set_clock(0)
    report(55)
    assert silences(display, capsys, 0, 59) == [[], [" 99%  taking longer than usual"]]


def test_a_job_that_runs_no_step_for_a_minute_says_so_once(capsys: pytest.CaptureFixture[str]) -> None:
    """A silence past the limit of the next step is another matter."""
    display = PlainDisplay(SERVER)
    now = datetime.now(UTC).isoformat()
    resting = ended("success", 1, completed_at=now)
    display.show(session("running", resting, step("pending", timeout_ms=None)))
    assert silences(display, capsys, 0, 61, 62) == [[], [" 33%  1 of 2 steps done, nothing runs now"], []]
