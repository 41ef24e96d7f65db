"""The form of the server's log: each record is one line, and a flood of records is a few lines.

Text that clients choose reaches the log sooner or later, for example in the text of an exception of another package. So
every record is made harmless in this one place. It is truncated, and characters that would break its line, or display
it as something else, are escaped. No part of a query string and no secret is ever passed to a logger.

For the command line only: an application that embeds the server configures its own log.
"""

import logging
import threading
import time
from copy import copy
from typing import TYPE_CHECKING, Any, Final, TextIO, TypeAlias

from progress_sse._internal.optional_imports import from_extra

if TYPE_CHECKING:
    from progress_sse.settings import LogFormat, LogLevel  # Its libraries are those of the server.

MAX_VALUE_CHARS: Final = 500
MAX_TEXT_CHARS: Final = 4000
"""Characters that are shown of a value, and of a message or a traceback."""

WINDOW_S: Final = 1.0
MAX_RECORDS: Final = 10
"""Records from one code location that are written within `WINDOW_S` seconds; the others are only counted."""

_TEXT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_JSON: Final = "%(levelname)s %(name)s %(message)s"
_ESCAPES: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def configure(level: "LogLevel", log_format: "LogFormat", stream: TextIO) -> None:
    """Log to `stream`: records of our own code from `level` on, those of other packages from `warning` on.

    Raises:
        ConfigurationError: The format needs a package that is not installed.
    """
    handler = RateLimitedHandler(stream)
    handler.setFormatter(TextFormatter(_TEXT) if log_format == "text" else _json_formatter())
    own = getattr(logging, level.upper())
    logging.basicConfig(handlers=[handler], level=max(own, logging.WARNING))
    logging.getLogger("progress_sse").setLevel(own)


def _json_formatter() -> logging.Formatter:
    with from_extra("json", "pythonjsonlogger", need="log_format=json needs"):
        from pythonjsonlogger.json import JsonFormatter

    class TruncatingJsonFormatter(JsonFormatter):
        def format(self, record: logging.LogRecord) -> str:
            return _escaped(super().format(_truncate(record)))

    return TruncatingJsonFormatter(_JSON, rename_fields={"levelname": "level", "name": "logger"}, timestamp="time")


class TextFormatter(logging.Formatter):
    """Writes a record as one line of text."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        return _escaped(super().format(_truncate(record)))


def _truncate(record: logging.LogRecord) -> logging.LogRecord:
    """Return a copy in which each text is cut to its limit."""
    truncated = copy(record)
    vars(truncated).update(
        {name: _cut_value(value) for name, value in vars(record).items() if name not in ("msg", "exc_text")}
    )
    args = record.args
    if isinstance(args, tuple):
        truncated.args = tuple(map(_cut_value, args))
    elif args:
        truncated.args = {name: _cut_value(value) for name, value in args.items()}
    truncated.msg = _cut(truncated.getMessage(), MAX_TEXT_CHARS)
    truncated.args = None
    if record.exc_info and record.exc_info[0] is not None:
        truncated.exc_text = _cut(logging.Formatter().formatException(record.exc_info), MAX_TEXT_CHARS)
        truncated.exc_info = None
    return truncated


def _cut_value(value: Any) -> Any:
    return _cut(value, MAX_VALUE_CHARS) if isinstance(value, str) else value


def _cut(text: str, most: int) -> str:
    """Return the text without its middle if it is too long: the end often matters most."""
    left_out = len(text) - most
    return f"{text[: most // 2]}…({left_out} left out)…{text[-(most // 2) :]}" if left_out > 0 else text


def _escaped(line: str) -> str:
    """Escape the characters that are not printable: line ends of every kind, terminal escapes, direction marks."""
    return line if line.isprintable() else "".join(map(_escape, line))


def _escape(char: str) -> str:
    """Return the character's escape in the form of JSON, since the line may be JSON."""
    if char.isprintable():
        return char
    return _ESCAPES.get(char) or (f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08x}")


CodeLocation: TypeAlias = tuple[str, int, str, int]
"""Where a record comes from: its logger, level, path and line."""


class RateLimitedHandler(logging.StreamHandler[TextIO]):
    """Writes the first records of each second from one code location, and then the number of further ones."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._window_ends_at = 0.0
        self._counts: dict[CodeLocation, int] = {}
        self._suppressed: dict[CodeLocation, logging.LogRecord] = {}
        self._timer: threading.Timer | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record, or count it."""
        now = time.monotonic()
        if now >= self._window_ends_at:
            self.write_counts()
            self._window_ends_at = now + WINDOW_S
        location = (record.name, record.levelno, record.pathname, record.lineno)
        count = self._counts.get(location, 0) + 1
        self._counts[location] = count
        if count <= MAX_RECORDS:
            super().emit(record)
            return
        self._suppressed[location] = record
        if self._timer is None:  # There may be no later record that would end the window.
            self._timer = threading.Timer(self._window_ends_at - now, self.write_counts)
            self._timer.daemon = True
            self._timer.start()

    def write_counts(self) -> None:
        """Write the number of records that were counted but not written, if any."""
        assert self.lock is not None
        with self.lock:  # `emit` holds it already.
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            for location, record in self._suppressed.items():
                summary = copy(record)
                # Formatted later, with the record's values.
                summary.msg = f"{self._counts[location] - MAX_RECORDS} more like: {record.msg}"
                summary.exc_info = None
                summary.exc_text = None
                super().emit(summary)
            self._counts.clear()
            self._suppressed.clear()

    def close(self) -> None:
        """Write the counts, and stop."""
        self.write_counts()
        super().close()
