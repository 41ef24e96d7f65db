"""The log: one line per record with any content, and a few lines for a flood of records."""

import io
import json
import logging
import re
import threading
import time
from collections.abc import Iterator

import pytest

from progress_sse.observability import logs
from progress_sse.observability.logs import MAX_RECORDS, MAX_TEXT_CHARS, MAX_VALUE_CHARS, RateLimitedHandler
from progress_sse.settings import LogFormat, LogLevel

HOSTILE = {
    "line feed": "\n2026-01-01 00:00:00,000 INFO progress_sse: forged",
    "carriage return": "\rforged",
    "both": "\r\nforged",
    "escape": "\x1b[2J\x1b]0;forged\x07",
    "one-byte escape": "\x9b2J",
    "next line": "\x85forged",
    "line separator": "\u2028forged\u2029",
    "right to left": "\u202eforged\u2066\u2069",
    "zero width": "\u200b\ufeff",
    "tag characters": "\U000e0041",
    "delete": "\x7f",
    "vertical tab and form feed": "\x0b\x0c",
    "NUL": "\0",
    "surrogate": "\ud800",
    "1 MB": "x" * 2**20,
    "1 MB of line feeds": "\n" * 2**20,
}

LONGEST_LINE = 2 * 6 * MAX_TEXT_CHARS + 1000
"""The longest line: message and traceback with each character escaped, and the rest of the record."""


@pytest.fixture(params=["text", "json"])
def log_format(request: pytest.FixtureRequest) -> LogFormat:
    """Each format in turn."""
    log_format: LogFormat = request.param
    return log_format


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """The stream that `configure` writes to; the loggers are restored afterwards."""
    root, own = logging.getLogger(), logging.getLogger("progress_sse")
    levels = root.level, own.level
    yield io.StringIO()
    for handler in [handler for handler in root.handlers if isinstance(handler, RateLimitedHandler)]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(levels[0])
    own.setLevel(levels[1])


def configure(level: LogLevel, log_format: LogFormat, stream: io.StringIO) -> None:
    """As in a process where pytest has not configured logging."""
    logging.getLogger().handlers.clear()
    logs.configure(level, log_format, stream)


def assert_harmless(line: str, log_format: LogFormat) -> None:
    """It is one line of limited length, and begins like a record."""
    assert line.isprintable()
    assert len(line) <= LONGEST_LINE
    if log_format == "json":
        assert {"time", "level", "logger", "message"} <= set(json.loads(line))
    else:
        assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (INFO|WARNING|ERROR) [\w.]+: ", line)


def raise_with(text: str) -> None:
    raise ValueError(text)


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_every_field_of_a_record_is_harmless(written: io.StringIO, log_format: LogFormat, value: str) -> None:
    """SE-13: an argument, a name, an object's text, an extra field, a traceback, and the message itself."""
    configure("debug", log_format, written)
    logger = logging.getLogger("progress_sse.test")
    logger.info("a %s and a %r", value, value)
    logger.info("named %(value)s", {"value": value})
    logger.warning("an error: %s", ValueError(value))
    logger.info("a field", extra={"field": value})
    logger.info(value.replace("%", "%%"))
    try:
        raise_with(value)
    except ValueError:
        logger.exception("an unforeseen fault")
    lines = written.getvalue().split("\n")
    assert lines.pop() == ""
    assert len(lines) == 6
    for line in lines:
        assert_harmless(line, log_format)
    assert "raise_with" in lines[-1]


def test_a_long_text_keeps_both_ends(written: io.StringIO, log_format: LogFormat) -> None:
    """And says how many characters are missing."""
    configure("info", log_format, written)
    logging.getLogger("progress_sse").info("%s, and %s", "a" * 10**6 + "z", "more")
    line = written.getvalue()
    assert f"({10**6 + 1 - MAX_VALUE_CHARS} left out)" in line
    assert re.search(r"a+z, and more\b", line)


def test_text_of_all_languages_stays_as_it_is(written: io.StringIO) -> None:
    """Only characters that are not printable are escaped."""
    configure("info", "text", written)
    logging.getLogger("progress_sse").info('原稿生成 é 😀 \\ "quoted"')
    assert written.getvalue().endswith('INFO progress_sse: 原稿生成 é 😀 \\ "quoted"\n')


def test_json_has_the_fields_of_a_record(written: io.StringIO) -> None:
    """Machines need not parse the message."""
    configure("info", "json", written)
    logging.getLogger("progress_sse.streaming.event_stream").info(
        "a stream ended: %s", "gone", extra={"reason": "gone", "events": 3}
    )
    logged = json.loads(written.getvalue())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+\+00:00", logged.pop("time"))
    assert logged == {
        "level": "INFO",
        "logger": "progress_sse.streaming.event_stream",
        "message": "a stream ended: gone",
        "reason": "gone",
        "events": 3,
    }


def test_the_level_applies_to_our_own_code(written: io.StringIO) -> None:
    """Other packages log from `warning` on: their other records may contain secrets."""
    configure("debug", "text", written)
    for name in ("progress_sse.x", "redis", "httpx"):
        logging.getLogger(name).debug("of %s", name)
        logging.getLogger(name).info("of %s", name)
    assert re.findall(r"(\w+) [\w.]+: of (\S+)", written.getvalue()) == [
        ("DEBUG", "progress_sse.x"),
        ("INFO", "progress_sse.x"),
    ]


def test_the_level_error_applies_to_all_code(written: io.StringIO) -> None:
    """Other packages included."""
    configure("error", "text", written)
    logging.getLogger("progress_sse").warning("no")
    logging.getLogger("redis").warning("no")
    logging.getLogger("redis").error("yes")
    assert written.getvalue().endswith("ERROR redis: yes\n")
    assert written.getvalue().count("\n") == 1


class Ticks:
    """The clock and the timer that the handler uses."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.timers: list[Timer] = []
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(threading, "Timer", self.timer)

    def timer(self, seconds: float, call: object) -> "Timer":
        self.timers.append(Timer(seconds, call))
        return self.timers[-1]


class Timer:
    """A timer that a test fires."""

    daemon = False

    def __init__(self, seconds: float, call: object) -> None:
        self.seconds, self.call = seconds, call
        self.is_running = False

    def start(self) -> None:
        self.is_running = True

    def cancel(self) -> None:
        self.is_running = False


@pytest.fixture
def ticks(monkeypatch: pytest.MonkeyPatch) -> Ticks:
    return Ticks(monkeypatch)


def flood(count: int) -> None:
    for number in range(count):
        logging.getLogger("progress_sse").info("flood %d", number)


def test_a_flood_is_a_few_lines_and_a_count(written: io.StringIO, ticks: Ticks) -> None:
    """SE-13: so many lines a second of one code location, then their number; other locations still log."""
    configure("info", "text", written)
    flood(1000)
    logging.getLogger("progress_sse").warning("something else")
    assert written.getvalue().count("flood") == MAX_RECORDS
    assert "something else" in written.getvalue()
    ticks.now += logs.WINDOW_S
    flood(1)
    assert written.getvalue().splitlines()[-2].endswith("INFO progress_sse: 990 more like: flood 999")
    assert written.getvalue().splitlines()[-1].endswith("flood 0")


def test_the_count_is_written_though_no_record_follows(written: io.StringIO, ticks: Ticks) -> None:
    """When the second is over, and at the end of the process."""
    configure("info", "text", written)
    flood(MAX_RECORDS)
    assert ticks.timers == []
    flood(2)
    [timer] = ticks.timers
    assert timer.is_running
    assert 0 < timer.seconds <= logs.WINDOW_S
    [handler] = logging.getLogger().handlers
    assert isinstance(handler, RateLimitedHandler)
    assert timer.call == handler.write_counts
    handler.write_counts()
    assert written.getvalue().endswith("2 more like: flood 1\n")
    assert not timer.is_running
    flood(MAX_RECORDS + 1)
    handler.close()
    assert written.getvalue().endswith("1 more like: flood 10\n")


@pytest.mark.parametrize(
    ("message", "arguments", "shown"),
    [
        ("a %s of %d%%", ("b", 3), "a b of 3%"),
        ("by %(name)s", ({"name": "name"},), "by name"),
        ("100 % of %s", (), "100 % of %s"),
        (ValueError("an object"), (), "an object"),
        ("%s", ("%d",), "%d"),
    ],
)
def test_the_count_is_written_with_the_last_records_values(
    written: io.StringIO,
    log_format: LogFormat,
    ticks: Ticks,
    message: object,
    arguments: tuple[object, ...],
    shown: str,
) -> None:
    """Rather than with the bare template."""
    configure("info", log_format, written)
    for _ in range(MAX_RECORDS + 3):
        logging.getLogger("progress_sse").info(message, *arguments)
    logging.getLogger().handlers[0].close()
    last = written.getvalue().splitlines()[-1]
    assert (json.loads(last)["message"] if log_format == "json" else last).endswith(f"3 more like: {shown}")
