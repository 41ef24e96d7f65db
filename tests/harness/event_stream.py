"""A strict parser of event streams.

Libraries are too lenient to prove anything about a stream: some split lines at U+2028 or form feed, some collect the
whole body first, and all of them skip unknown fields. `EventStreamParser` accepts exactly the grammar of the standard
[HTML §9.2.5] and raises at anything else. It does no I/O and gives the same blocks however the bytes were split.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, NamedTuple

_LINE_END = re.compile(rb"[\r\n]")
_FIELDS = frozenset({"event", "data", "id", "retry"})


class GrammarError(Exception):
    """Raised when a stream departs from the event-stream grammar, or uses an unknown field."""


class Position(NamedTuple):
    """An id `<epoch>-<n>`, parsed."""

    epoch: str
    offset: int


@dataclass(frozen=True, slots=True)
class Block:
    """The lines between two empty lines of a stream, or a comment, which is a block by itself wherever it stands.

    `data` is `None` where the block has none: then an EventSource fires no event. `id` is the block's own id, `None`
    where it has none; `last_event_id` is a client's id after it. `raw` has every byte but the empty line.
    """

    event: str
    data: str | None
    id: str | None
    last_event_id: str
    retry_ms: int | None
    comment: str | None
    raw: bytes

    def json(self) -> Any:
        assert self.data is not None, f"a block without data: {self.raw!r}"
        return json.loads(self.data)

    @property
    def position(self) -> Position:
        assert self.id is not None, f"a block without an id: {self.raw!r}"
        return split_id(self.id)


def split_id(event_id: str) -> Position:
    match = re.fullmatch(r"([A-Za-z0-9._~-]+)-(0|[1-9][0-9]*)", event_id)
    assert match, f"no <epoch>-<n>: {event_id!r}"
    return Position(match[1], int(match[2]))


class EventStreamParser:
    """Bytes in, blocks out; raises at the first byte that the grammar does not allow.

    `retries` has each `retry` in milliseconds, in order: it takes effect at its line, wherever its block ends.
    """

    def __init__(self) -> None:
        self.last_event_id = ""
        self.retries: list[int] = []
        self._line = bytearray()
        self._lines: list[str] = []
        self._raw = bytearray()
        self._after_cr = False
        self._at_start = True

    @property
    def pending(self) -> bytes:
        """The bytes of an unfinished block; a client drops them when the stream ends here."""
        return bytes(self._raw + self._line)

    def feed(self, data: bytes) -> list[Block]:
        """Take the next bytes, and return the blocks that they complete.

        Raises:
            GrammarError: Not UTF-8, an unknown field, a `retry` that is not a number, an id with NUL.
        """
        blocks: list[Block] = []
        start = 0
        while match := _LINE_END.search(data, start):
            self._line += data[start : match.start()]
            start = match.end()
            if block := self._end_line(match.group()):
                blocks.append(block)
        if tail := data[start:]:
            self._line += tail
            self._after_cr = False
        return blocks

    def _end_line(self, end: bytes) -> Block | None:
        if end == b"\n" and self._after_cr and not self._line:
            # The LF of a CRLF. After the empty line that ended a block it belongs to no block.
            self._after_cr = False
            if self._raw:
                self._raw += end
            return None
        self._after_cr = end == b"\r"
        if not self._line:
            return self._end_block()
        raw = bytes(self._line)
        self._line.clear()
        text = self._decode(raw)
        if text.startswith(":"):
            return Block("message", None, None, self.last_event_id, None, text[1:], raw + end)
        self._raw += raw + end
        self._lines.append(text)
        if text.startswith("retry:"):
            self.retries.append(_checked_retry(_split_field(text)[1]))
        return None

    def _decode(self, line: bytes) -> str:
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            raise GrammarError(f"not UTF-8: {line!r}") from error
        if self._at_start:
            text = text.removeprefix("\ufeff")
        self._at_start = False
        return text

    def _end_block(self) -> Block | None:
        lines, raw = self._lines, bytes(self._raw)
        self._lines, self._raw = [], bytearray()
        if not lines:
            return None
        fields = [_split_field(line) for line in lines]
        data = [value for name, value in fields if name == "data"]
        ids = [_checked_id(value) for name, value in fields if name == "id"]
        retries = [_checked_retry(value) for name, value in fields if name == "retry"]
        names = [value for name, value in fields if name == "event"]
        if ids:
            self.last_event_id = ids[-1]
        return Block(
            event=(names[-1] if names else "") or "message",
            data="\n".join(data) if data else None,
            id=ids[-1] if ids else None,
            last_event_id=self.last_event_id,
            retry_ms=retries[-1] if retries else None,
            comment=None,
            raw=raw,
        )


def _split_field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    if name not in _FIELDS:
        raise GrammarError(f"unknown field: {line!r}")
    return name, value.removeprefix(" ")


def _checked_id(value: str) -> str:
    if "\0" in value:
        raise GrammarError(f"NUL in an id: {value!r}")
    return value


def _checked_retry(value: str) -> int:
    if not re.fullmatch("[0-9]+", value):
        raise GrammarError(f"retry is no number: {value!r}")
    return int(value)
