"""Copies the output of a command to our own standard streams at once, and keeps its tail or logs its lines.

The command must not notice the copy. If our stdout is closed, its next write fails, as with a pipe of its own.
"""

import codecs
import contextlib
import os
import select
import sys
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from io import FileIO
from typing import Final, NamedTuple, Protocol, TypeAlias

from progress_sse.client.errors import SuppressReportingErrors
from progress_sse.story.plain_text import plain

assert sys.platform == "linux", "the command checks it"

MAX_TAIL_BYTES: Final = 4096
"""Bytes of the end of stderr that a failed step shows."""

MAX_LINE_BYTES: Final = 65_536
"""Bytes of a line that is not complete yet; a longer one becomes several."""

_CHUNK_BYTES: Final = 2**20
"""Bytes of a read: as many as a pipe holds at most [pipe(7)], so that one read takes all that is in it."""

_TERMINAL_BYTES: Final = 2**16
"""Bytes that a pseudo terminal holds at most, by far."""

_TERMINAL_POLL_MS: Final = 1000
"""Milliseconds between two looks whether our terminal has come back to us; shells do not always signal that."""

_INSIDE_CHARACTERS: Final = bytes(range(0x80, 0xC0))  # Bytes that go on with a character of UTF-8.


Receiver: TypeAlias = Callable[[bytes], None]
"""Receives what a command writes piece by piece, and an empty piece at the end."""


class Tail:
    """The last bytes of a text that is added piece by piece."""

    def __init__(self, max_bytes: int = MAX_TAIL_BYTES) -> None:
        """Begin with nothing, and keep `max_bytes`."""
        self._max_bytes = max_bytes
        self._kept = b""  # With one byte more, which shows that the text was cut.

    def add(self, chunk: bytes) -> None:
        """Take in the next piece."""
        self._kept = (self._kept + chunk)[-self._max_bytes - 1 :]

    def text(self) -> str:
        """Return them as plain text, from the beginning of a line if there is one."""
        kept = self._kept[-self._max_bytes :]
        is_cut = len(self._kept) > self._max_bytes
        if is_cut and b"\n" in kept[:-1]:
            kept = kept.partition(b"\n")[2]
        elif is_cut:
            kept = kept.lstrip(_INSIDE_CHARACTERS)
        return plain(kept.decode(errors="replace"))


class LoggedLines:
    """Logs each line of a text that is added piece by piece, once the line is complete."""

    def __init__(self, log: Callable[[str], None]) -> None:
        """Log by a function, which takes several lines at once, with the end of the last one if it has one."""
        self._log = log
        self._begun = b""

    def add(self, chunk: bytes) -> None:
        """Take in the next piece; the end, which is empty, completes a line without an end."""
        if not chunk and self._begun:
            self._log(self._begun.decode(errors="replace"))
            return
        complete, line_end, begun = (self._begun + chunk).rpartition(b"\n")
        self._begun = begun
        if line_end:
            self._log((complete + line_end).decode(errors="replace"))
        if len(self._begun) >= MAX_LINE_BYTES:
            text, length = codecs.utf_8_decode(self._begun, "replace", False)  # Without a character that is incomplete.
            self._begun = self._begun[length:]
            self._log(text)


class Command(NamedTuple):
    """What to run, and the signal mask that it gets."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    mask: Collection[int]


class Ends(NamedTuple):
    """The end of a pipe or of a pseudo terminal that we read, and the one that the command writes."""

    source: FileIO
    target: FileIO
    is_terminal: bool = False


def is_in_foreground(descriptor: int = 0) -> bool:
    """Return whether stdin, or another descriptor, is the terminal of our session, and we run in its foreground."""
    with contextlib.suppress(OSError):
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    return False


class CopiedStream(NamedTuple):
    """A stream of a command, which has it in place of some `descriptors` of ours, and whose ends are open already.

    It is copied to the first of these, and to receivers. With `is_vital` a write of the command fails once that is
    closed.
    """

    descriptors: Sequence[int]
    ends: Ends
    receivers: Sequence[Receiver]
    is_vital: bool = False


class _Keyboard(Protocol):
    """Passes on what is typed, by a thread of its own, as `TerminalJob` does."""

    def awaited(self) -> dict[int, int]: ...
    def pass_on(self, ready: Collection[int]) -> None: ...


@contextlib.contextmanager
def copied(*streams: CopiedStream, keyboard: _Keyboard | None = None) -> Iterator[dict[int, int]]:
    """Yield the command's descriptors for our own streams, and copy them; our own ones, if a thread cannot start.

    Each of our files has a thread, so that none waits until another one is read. Writes that do not block are no way:
    that mode belongs to the open file, also in other processes, and a terminal that polls as writable may yet block.
    """
    over = pipe()
    opened = [*(each.ends for each in streams), over]
    ended = over.source.fileno()
    lock = threading.Lock()
    loops: list[Callable[[], None]] = [partial(_copy_all, each, ended, lock) for each in _by_file(streams)]
    if keyboard is not None:
        loops.append(partial(_pass_on, keyboard, ended, lock))
    threads = [threading.Thread(target=each, daemon=True) for each in loops]
    with contextlib.ExitStack() as pipes:
        for ends in opened:
            pipes.enter_context(ends.source)
            pipes.enter_context(ends.target)
        is_started = False
        with SuppressReportingErrors():
            for thread in threads:
                thread.start()
            is_started = True
        try:
            yield {
                own: each.ends.target.fileno() if is_started else own for each in streams for own in each.descriptors
            }
        finally:
            for ends in opened:
                ends.target.close()
            for thread in threads:
                if thread.ident is not None:
                    thread.join()


def _by_file(streams: Iterable[CopiedStream]) -> list[list[CopiedStream]]:
    """Return the streams, those together that go to the same file of ours."""
    groups: list[list[CopiedStream]] = []
    for each in streams:
        same = [group for group in groups if os.path.sameopenfile(group[0].descriptors[0], each.descriptors[0])]
        if same:
            same[0].append(each)
        else:
            groups.append([each])
    return groups


def pipe(*, is_large: bool = False) -> Ends:
    """Return the ends of a new pipe, which holds as much as one read takes if it is large and that is allowed."""
    read_end, write_end = os.pipe()
    if is_large:
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, _CHUNK_BYTES)
    return Ends(FileIO(read_end), FileIO(write_end, "w"))


def _copy_all(streams: Sequence[CopiedStream], ended: int, lock: threading.Lock) -> None:
    """Copy streams of a command that go to one file, by one thread, so that they mix as the command has written them.

    It goes on until the command has `ended`, and what is in the pipes then: others that it leaves behind may hold them.
    An error closes the pipes, so that the next write of the command fails; else it would wait for ever. The `lock` is
    for what other threads use, too: receivers, and ends that are closed early.
    """
    left = list(streams)
    try:
        ready: set[int] = set()
        while left and ended not in ready:
            ready = _ready(dict.fromkeys([ended, *(each.ends.source.fileno() for each in left)], select.POLLIN))
            left = [each for each in left if each.ends.source.fileno() not in ready or _copy(each, lock)]
    finally:
        with lock:
            for each in left:
                each.ends.source.close()
    with lock:
        _hand_to([receiver for each in streams for receiver in each.receivers], b"")


def _pass_on(keyboard: _Keyboard, ended: int, lock: threading.Lock) -> None:
    """Pass on what is typed until the command has `ended`."""
    ready: set[int] = set()
    while ended not in ready:
        ready = _ready({ended: select.POLLIN} | keyboard.awaited(), _TERMINAL_POLL_MS)
        with lock:
            keyboard.pass_on(ready)


def _copy(stream: CopiedStream, lock: threading.Lock) -> bool:
    """Copy what has come, and return whether there may be more."""
    source, _, is_terminal = stream.ends
    chunk = _all_of_terminal(source) if is_terminal else os.read(source.fileno(), _CHUNK_BYTES)
    if chunk:
        with lock:
            _hand_to(stream.receivers, chunk)
    if not write(stream.descriptors[0], chunk) and stream.is_vital:
        with lock:
            source.close()
        return False
    return bool(chunk) or is_terminal


def _all_of_terminal(master: FileIO) -> bytes:
    """Return all that is there, of which a read takes a page at most, though a writer may be as fast."""
    chunks: list[bytes] = []
    with contextlib.suppress(OSError):  # There is no more now, or all processes have closed the other end.
        while sum(map(len, chunks)) < _TERMINAL_BYTES:
            chunks.append(os.read(master.fileno(), _CHUNK_BYTES))
    return b"".join(chunks)


def _hand_to(receivers: Iterable[Receiver], chunk: bytes) -> None:
    for receive in receivers:
        with SuppressReportingErrors():  # The copy goes on without it.
            receive(chunk)


def write(descriptor: int, data: bytes) -> bool:
    """Write all of it, and return whether that was possible: the command must not end because of errors in here."""
    with contextlib.suppress(OSError):
        while data:
            try:
                data = data[os.write(descriptor, data) :]
            except BlockingIOError:  # Another process has made it non-blocking; the command would wait, too.
                _ready({descriptor: select.POLLOUT})
        return True
    return False


def _ready(awaited: Mapping[int, int], timeout_ms: int | None = None) -> set[int]:
    """Wait for descriptors, each for its event, and return those that are ready; `select` takes none beyond 1023."""
    poll = select.poll()
    for descriptor, event in awaited.items():
        poll.register(descriptor, event)
    return {descriptor for descriptor, _ in poll.poll(timeout_ms)}
