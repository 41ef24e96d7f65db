"""Log lines in Redis: beside their session, in its slot, and published on a channel of their own."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from progress_sse.store.log_lines import StoredLines, find_digest
from progress_sse.store.redis.checked_decoder import CheckedDecoder
from progress_sse.store.redis.codec import Argument
from progress_sse.store.redis.keys import SessionKeys
from progress_sse.store.redis.messages import MAX_BYTES
from progress_sse.store.redis.pipeline import CommandExecutor
from progress_sse.store.redis.scripts import READ_LINES
from progress_sse.store.seals import checked_position, checksum
from progress_sse.store.types import Change, StorageLimits
from progress_sse.wire.log_lines_json import NumberedLine

MAX_SEEN: Final = 10_000
"""Sessions of which this process remembers the newest line that it has seen."""

_LINE: Final = "line"
"""What lines have their checksum for, beside their session: their number is not known before they are stored."""


@dataclass(slots=True)
class _FollowedLog:
    """A log that has listeners here, and the newest line that they were notified of."""

    notify: Callable[[StoredLines | None], None]
    epoch: str = ""
    last: int = 0


class RedisLines:
    """The log lines of all sessions, and the listeners to them in this process."""

    def __init__(
        self,
        executor: CommandExecutor,
        decode: CheckedDecoder,
        limits: StorageLimits,
        script_of: Callable[[str], tuple[SessionKeys, Sequence[Argument]]],
    ) -> None:
        self._executor = executor
        self._decode = decode
        self._limits = limits
        self._script_of = script_of
        # By the names of their keys, which reveal nothing of a session that is gone.
        self._seen: OrderedDict[str, tuple[str, int]] = OrderedDict()
        self._followed: dict[str, _FollowedLog] = {}

    def arguments(self, change: Change, keys: SessionKeys) -> list[Argument]:
        """Return the last arguments of the script `COMMIT`; none if the change has no lines."""
        if not change.lines:
            return []
        limits, seen = self._limits, self._seen.get(keys.lines, ("", 0))
        lines = [each for line in change.lines for each in (line, checksum(line, change.session_id, _LINE))]
        added_keys = "".join(map("".join, change.line_keys))
        return [*seen, limits.log_lines, limits.log_bytes, MAX_BYTES, keys.line_channel, added_keys, *lines]

    def on_commit(self, change: Change, keys: SessionKeys, first: int, last: int) -> None:
        """Notify the listeners of the lines of our own commit."""
        assert change.record is not None
        lines = [NumberedLine(n, data) for n, data in enumerate(change.lines, last - len(change.lines) + 1)]
        stored = StoredLines(change.record.position.epoch, first, last, lines)
        self._note(keys, stored)
        self._notify(keys.line_channel, stored)

    async def read_lines(self, session_id: str, after: int) -> StoredLines | None:
        """Return lines that are not damaged; see `Lines.read_lines`."""
        keys, common = self._script_of(session_id)
        seen = self._seen.get(keys.lines, ("", 0))
        with self._decode.noting(session_id):
            reply = await self._executor.run(READ_LINES, keys.of_lines, *common, after, *seen)
        epoch, last, first, entries = reply
        if not epoch:
            return None
        lines = list(self._decode.each(session_id, partial(_decode_line, session_id), entries))
        life = self._decode(lambda _, raw: checked_position(raw.decode(), 0).epoch, session_id, epoch)
        stored = StoredLines(life, first, last, lines)
        self._note(keys, stored)
        return stored

    async def find_line_key(self, session_id: str, name: str) -> str | None:
        """Return the digest of a request; see `Lines.find_line_key`."""
        keys, _ = self._script_of(session_id)
        stored = await self._executor.execute("GET", keys.line_keys)
        return None if stored is None else find_digest(stored.decode(errors="replace").partition("\n")[2], name)

    def _note(self, keys: SessionKeys, stored: StoredLines) -> None:
        """Remember the newest line: if the store has fewer one day, it has gone back in time."""
        self._seen[keys.lines] = stored.epoch, stored.last
        self._seen.move_to_end(keys.lines)
        if len(self._seen) > MAX_SEEN:
            self._seen.popitem(last=False)

    def follow(self, channel: str, _session_id: str, notify: Callable[[StoredLines | None], None]) -> None:
        """Call `notify` with the lines of a session."""
        self._followed[channel] = _FollowedLog(notify)

    def leave(self, channel: str) -> None:
        """End that."""
        del self._followed[channel]

    def on_message(self, channel: str, payload: bytes) -> None:
        """Notify the listeners of lines that a process has published."""
        self._notify(channel, _decode_message(payload))

    def on_gap(self, channel: str) -> None:
        """Let the listeners read what they may have missed."""
        self._notify(channel, None)

    def _notify(self, channel: str, stored: StoredLines | None) -> None:
        log = self._followed.get(channel)
        if log is None:
            return
        if stored is not None:
            if stored.epoch == log.epoch and stored.last <= log.last:
                return  # An echo of our own commit.
            log.epoch, log.last = stored.epoch, stored.last
        log.notify(stored)


def _decode_line(session_id: str, entry: Any) -> NumberedLine:
    name, (_, data, _, expected) = entry
    if checksum(data, session_id, _LINE) != int(expected):
        raise ValueError("a log line has another checksum")
    return NumberedLine(int(name.partition(b"-")[0]), data)


def _decode_message(payload: bytes) -> StoredLines:
    header, *data = payload.split(b"\n")
    epoch, first, last = header.decode().split(" ")
    lines = [NumberedLine(n, each) for n, each in enumerate(data, int(last) - len(data) + 1)]
    return StoredLines(epoch, int(first), int(last), lines)
