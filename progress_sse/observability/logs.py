"""How the server writes its log: a record is a line, whatever is in it, and a flood of them is a few lines.

What clients choose gets into a log in the end, be it by the text of somebody else's exception. So every record is made
harmless in one place, here: it is cut to a bearable length, and what would break its line, or show it as something
else, is escaped. Nothing of a query string and no secret is ever handed to a logger.

For the command line only: an application that has the server inside logs as it likes.
"""

import logging
import threading
import time
from copy import copy
from typing import Any, Final, NamedTuple, TextIO

from progress_sse._internal.log_options import LogFormat, LogLevel
from progress_sse._internal.optional_imports import from_extra

MAX_VALUE_CHARS: Final = 500
MAX_TEXT_CHARS: Final = 4000
"""Characters that are shown of a value; and of a message, or of a traceback."""

WINDOW_S: Final = 1.0
MAX_RECORDS: Final = 10
"""How many records from one place in the code are written within so many seconds; the others are only counted."""

_TEXT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_JSON: Final = "%(levelname)s %(name)s %(message)s"
_ESCAPES: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def configure(level: LogLevel, log_format: LogFormat, stream: TextIO) -> None:
    """Log to `stream`: of our own code from `level` on, of everybody else's only what is wrong.

    Raises:
        ConfigurationError: The format needs a package that is not installed.
    """
    handler = RateLimitedHandler(stream)
    handler.setFormatter(TextFormatter(_TEXT) if log_format == "text" else _json_formatter())
    own, others = getattr(logging, level.upper()), logging.WARNING
    logging.basicConfig(handlers=[handler], level=max(own, others))
    logging.getLogger("progress_sse").setLevel(own)


def _json_formatter() -> logging.Formatter:
    with from_extra("json", "pythonjsonlogger", need="log_format=json needs"):
        from pythonjsonlogger.json import JsonFormatter

    class TameJsonFormatter(JsonFormatter):
        def format(self, record: logging.LogRecord) -> str:
            return _escaped(super().format(_tame(record)))

    return TameJsonFormatter(_JSON, rename_fields={"levelname": "level", "name": "logger"}, timestamp="time")


class TextFormatter(logging.Formatter):
    """Writes a record as one line of text."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        return _escaped(super().format(_tame(record)))


def _tame(record: logging.LogRecord) -> logging.LogRecord:
    """Return a copy in which nothing is longer than it may be."""
    tame = copy(record)
    vars(tame).update({name: _short(value) for name, value in vars(record).items() if name not in ("msg", "exc_text")})
    args = record.args
    if isinstance(args, tuple):
        tame.args = tuple(map(_short, args))
    elif args:
        tame.args = {name: _short(value) for name, value in args.items()}
    tame.msg, tame.args = _cut(tame.getMessage(), MAX_TEXT_CHARS), None
    if record.exc_info and record.exc_info[0] is not None:
        tame.exc_text = _cut(logging.Formatter().formatException(record.exc_info), MAX_TEXT_CHARS)
        tame.exc_info = None
    return tame


def _short(value: Any) -> Any:
    return _cut(value, MAX_VALUE_CHARS) if isinstance(value, str) else value


def _cut(text: str, most: int) -> str:
    """Leave out the middle of a text that is too long: its end often says most."""
    left_out = len(text) - most
    return f"{text[: most // 2]}…({left_out} left out)…{text[-(most // 2) :]}" if left_out > 0 else text


def _escaped(line: str) -> str:
    """Write out what is not to be seen: line ends of every kind, escapes of terminals, changes of direction."""
    return line if line.isprintable() else "".join(map(_escape, line))


def _escape(char: str) -> str:
    """Escape as JSON does, which is where this ends up as well."""
    if char.isprintable():
        return char
    return _ESCAPES.get(char) or (f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08x}")


class Place(NamedTuple):
    """Where in the code a record comes from."""

    logger: str
    level: int
    path: str
    line: int


class RateLimitedHandler(logging.StreamHandler[TextIO]):
    """Writes the first records of each second from one place in the code, and then how many more there were."""

    def __init__(self, stream: TextIO) -> None:
        """Write to `stream`."""
        super().__init__(stream)
        self._ends_at = 0.0
        self._counts: dict[Place, int] = {}
        self._surplus: dict[Place, logging.LogRecord] = {}
        self._timer: threading.Timer | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record, or count it."""
        now = time.monotonic()
        if now >= self._ends_at:
            self._tell()
            self._ends_at = now + WINDOW_S
        place = Place(record.name, record.levelno, record.pathname, record.lineno)
        count = self._counts[place] = self._counts.get(place, 0) + 1
        if count <= MAX_RECORDS:
            super().emit(record)
            return
        self._surplus[place] = record
        if self._timer is None:  # Nothing may come after these.
            self._timer = threading.Timer(self._ends_at - now, self.tell)
            self._timer.daemon = True
            self._timer.start()

    def tell(self) -> None:
        """Write how many more records there were than lines, if there were more."""
        assert self.lock is not None
        with self.lock:
            self._tell()

    def _tell(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for place, record in self._surplus.items():
            summary = copy(record)
            summary.msg = f"{self._counts[place] - MAX_RECORDS} more like: {record.msg}"  # Its values are put in later.
            summary.exc_info = summary.exc_text = None
            super().emit(summary)
        self._counts.clear()
        self._surplus.clear()

    def close(self) -> None:
        """Write what has been counted, and nothing more."""
        self.tell()
        super().close()
