"""Log lines ⇄ JSON: as they are stored, as the log shows them, and as streams send them.

A line is encoded once, without its number: the same bytes are stored, read and sent, behind the number that the store
gave it.
"""

import json
from collections.abc import Sequence
from typing import NamedTuple

from progress_sse.core.log_lines import LogLine
from progress_sse.wire.json_text import encode_json


class NumberedLine(NamedTuple):
    """A line that is stored.

    Attributes:
        n: Its number within the life of its session, from 1.
        data: What `encode_line` wrote.
    """

    n: int
    data: bytes


class LinesShown(NamedTuple):
    """Lines of one session, as an answer or an event shows them.

    Attributes:
        life: Changes whenever the numbers begin anew, or the store may have lost lines.
        lines: The lines, in order.
        first: The number of the oldest line that is kept; the next number, if none is.
        next: The number after which to ask for what comes then.
    """

    life: str
    lines: Sequence[NumberedLine]
    first: int
    next: int


def encode_line(line: LogLine) -> bytes:
    """Return the line as it is stored: its JSON without the beginning, which has the number."""
    return encode_json({"at": line.at, "step": line.step, "level": line.level, "text": line.text})[1:]


def decode_line(data: bytes) -> LogLine:
    """Return the line that `encode_line` wrote."""
    return LogLine(**json.loads(b"{" + data))


def encode_lines(shown: LinesShown) -> bytes:
    """Return the answer of the log."""
    return b"{" + _encode_fields(shown)


def encode_log_event(session_id: str, shown: LinesShown) -> bytes:
    """Return the data of a `log` event."""
    return b'{"session_id":%b,%b' % (encode_json(session_id), _encode_fields(shown))


def _encode_fields(shown: LinesShown) -> bytes:
    life = encode_json(shown.life)
    lines = b",".join([b'{"n":%d,%b' % line for line in shown.lines])
    return b'"life":%b,"lines":[%b],"first":%d,"next":%d}' % (life, lines, shown.first, shown.next)
