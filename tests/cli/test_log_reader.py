"""The log as `progress-sse watch --log` reads it: each line once, in order."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from progress_sse.cli import follower as following
from progress_sse.cli import log_reader
from progress_sse.cli.display import Display, JsonDisplay, PlainDisplay
from progress_sse.cli.log_reader import LogReader
from progress_sse.core.log_lines import MAX_READ_LINES, LogLine
from tests.cli.responders import (
    FAILED,
    RUNNING,
    WAIT_S,
    Recorder,
    client_of,
    event,
    failing,
    follow_by,
    polled,
    streaming,
)
from tests.harness.serving import eventually
from tests.harness.vectors import CORPUS

AT = "2026-11-25T10:00:00+00:00"


def line(number: int, **more: Any) -> dict[str, Any]:
    """A line as the server sends it."""
    return {"n": number, "at": AT, "step": None, "level": "info", "text": str(number), **more}


class Log:
    """The log of a server, which keeps the newest lines."""

    def __init__(self, last: int = 0, kept: int = 5000) -> None:
        self.life = "a"
        self.last = last
        self.kept = kept
        self.asked: list[int] = []
        self.failures: list[httpx.Response] = []

    def page(self, after: int) -> dict[str, Any]:
        first = max(1, self.last - self.kept + 1)
        numbers = list(range(max(after + 1, first), self.last + 1))[:MAX_READ_LINES]
        return {"life": self.life, "lines": [line(number) for number in numbers], "first": first, "next": self.last}

    def answer(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/api/progress/s/log"
        if self.failures:
            return self.failures.pop(0)
        self.asked.append(int(request.url.params["after"]))
        return polled(self.page(self.asked[-1]))


@pytest.fixture
def log() -> Log:
    """A log of ten lines."""
    return Log(10)


def reading(log: Log, recorder: Recorder) -> LogReader:
    """A reader of a log, which shows the lines to the recorder."""
    return LogReader(client_of(log.answer), "/api/progress/s", recorder.show_lines)


def numbers(first: int, last: int) -> list[str]:
    """The texts of these lines."""
    return [str(number) for number in range(first, last + 1)]


async def test_all_lines_are_read_in_several_answers_where_they_are_many(log: Log) -> None:
    """Those that are not kept are counted."""
    log.last, log.kept = 2600, 2500
    reader = reading(log, recorder := Recorder())
    await reader.finish()
    assert recorder.lines == numbers(101, 2600)
    assert recorder.missed == [100, 0, 0]
    assert log.asked == [0, 1100, 2100]


async def test_lines_of_the_stream_follow_without_a_question(log: Log) -> None:
    """Known ones are dropped. Where some are missing they are asked for, unless they are no longer kept."""
    reader = reading(log, recorder := Recorder())
    await reader.finish()
    log.last, log.kept = 300, 100
    reader.add(log.page(0))
    assert recorder.lines == numbers(1, 10) + numbers(201, 300)
    assert recorder.missed[-1] == 190
    log.last = 340
    reader.add(log.page(320))
    assert recorder.lines[-1] == "300"
    await reader.finish()
    assert recorder.lines[-40:] == numbers(301, 340)
    assert log.asked == [0, 300]


LOGS = json.loads((CORPUS / "logs.json").read_text("utf-8"))


@pytest.mark.parametrize("vector", LOGS, ids=lambda vector: vector["name"])
async def test_a_log_is_read_as_the_vectors_say(vector: dict[str, Any]) -> None:
    """Also if it begins another life."""
    kept: dict[str, Any] = {}

    def answer(request: httpx.Request) -> httpx.Response:
        after = int(request.url.params["after"])
        return polled(kept | {"lines": [each for each in kept["lines"] if each["n"] > after]})

    reader = LogReader(client_of(answer), "/api/progress/s", (recorder := Recorder()).show_lines)
    for moment in vector["moments"]:
        kept |= moment["log"]
        for data in moment["events"]:
            reader.add(data)
        await reader.finish()
    assert recorder.lines == vector["texts"]


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        {},
        {"life": 1, "lines": [], "first": 1},
        {"life": "a", "lines": [line(2), line(1)], "first": 1},
        {"life": "a", "lines": [line(0)], "first": 1},
        {"life": "a", "lines": [line(1, at="now")], "first": 1},
        {"life": "a", "lines": [line(1, at="0001-01-01T00:00:00+00:00")], "first": 1},
        {"life": "a", "lines": [line(1, text=5)], "first": 1},
        {"life": "a", "lines": [line(1, level="loud")], "first": 1},
        {"life": "a", "lines": [line(1, step="1")], "first": 1},
    ],
)
async def test_what_is_no_log_is_not_shown(log: Log, wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked for again, and so after failures."""
    monkeypatch.setattr(log_reader, "RETRY_S", 0.001)
    reader = reading(log, recorder := Recorder())
    log.failures += [polled(wrong), failing(500), failing(403)]
    reader.look()
    task = asyncio.create_task(reader.run())
    await eventually(lambda: bool(recorder.lines), WAIT_S)
    task.cancel()
    assert recorder.lines == numbers(1, 10)
    with pytest.raises((ValueError, LookupError, TypeError)):
        reader.add(wrong)


async def test_a_session_without_a_log_has_no_lines(log: Log) -> None:
    """Nor does a server without one; that is no failure."""
    reader = reading(log, recorder := Recorder())
    log.failures.append(failing(404))
    await reader.finish()
    assert recorder.lines == []


async def test_a_follower_shows_lines_across_streams_and_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that breaks repeats lines, and the last ones are read after the end."""
    for name in ("FIRST_PAUSE_S", "LONGEST_PAUSE_S", "POLL_S"):
        monkeypatch.setattr(following, name, 0.001)
    monkeypatch.setattr(following, "FAILURES_BEFORE_POLLS", 1)
    log = Log(3)
    asked: list[str] = []
    head = event("snapshot", RUNNING)
    streams = [head + event("log", {"session_id": "s", **log.page(0)}, "")] * 2

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.query.decode())
        if request.url.path.endswith("/log"):
            return log.answer(request)
        if request.url.path.endswith("/events"):
            return streaming(streams.pop()) if streams else failing(500)
        log.last = 5
        return polled(RUNNING if streams else FAILED)

    recorder = await follow_by(answer, has_log=True)
    assert recorder.lines == numbers(1, 5)
    assert "heartbeat=event&log=1" in asked


def test_displays_print_lines_in_their_own_way(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing of a line acts on a terminal."""
    lines = [LogLine(AT, 2, "error", "\x1b[31mno\x1b[2J room"), LogLine(AT, None, "info", "原")]
    Display().show_lines(lines, 3)
    assert capsys.readouterr().out == ""
    PlainDisplay("http://h").show_lines(lines, 3)
    gap, first, second = capsys.readouterr().out.splitlines()
    assert gap == "… 3 lines not kept"
    assert first.endswith(" [2] ERROR no room")
    assert second.endswith(" 原")
    JsonDisplay().show_lines(lines[1:], 0)
    expected = '{"log":{"at":"2026-11-25T10:00:00+00:00","step":null,"level":"info","text":"\\u539f"}}\n'
    assert capsys.readouterr().out == expected
