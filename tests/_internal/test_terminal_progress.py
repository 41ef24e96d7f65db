"""Progress in the tab of a terminal; a pipe is in the place of the terminal."""

import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from unittest.mock import Mock

import pytest

from progress_sse._internal.terminal_progress import TerminalProgress, reads_progress
from progress_sse.story.drawing import HIDDEN, TabState

CLEARED = b"\x1b]9;4;0\x1b\\"


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Both ends of a pipe: what was written, and where to write."""
    ends = os.pipe()
    yield ends
    for each in ends:
        os.close(each)


def test_each_state_is_written_once_and_the_tab_is_cleared(terminal: tuple[int, int]) -> None:
    """In order, with ST at the end, and a percentage where it is known. After the end nothing is written."""
    reads, writes = terminal
    progress = TerminalProgress(writes)
    for state in (HIDDEN, TabState(3), TabState(3), TabState(1, 0), TabState(1, 7), TabState(2, 7), TabState(4)):
        progress.set(state)
    progress.close()
    progress.set(TabState(3))
    progress.close()
    shown = [b"3", b"1;0", b"1;7", b"2;7", b"4", b"0"]
    assert os.read(reads, 4096) == b"".join(b"\x1b]9;4;%b\x1b\\" % each for each in shown)


def test_a_state_is_repeated_until_the_end(terminal: tuple[int, int]) -> None:
    """Some terminals drop it otherwise."""
    reads, writes = terminal
    progress = TerminalProgress(writes, period_s=0.01)
    progress.set(TabState(1, 50))
    for _ in range(3):
        assert os.read(reads, 12) == b"\x1b]9;4;1;50\x1b\\"
    progress.close()
    assert os.read(reads, 4096).endswith(CLEARED)


def test_a_terminal_that_takes_nothing_delays_no_caller(terminal: tuple[int, int]) -> None:
    """The thread waits for it in its place, and writes the whole sequence once there is room again."""
    reads, writes = terminal
    os.set_blocking(writes, False)
    count = 0
    with suppress(BlockingIOError):  # It is full.
        while True:
            count += os.write(writes, bytes(4096))
    progress = TerminalProgress(writes)
    progress.set(TabState(3))
    progress.close()
    expected, written = bytes(count) + b"\x1b]9;4;3\x1b\\" + CLEARED, b""
    while len(written) < len(expected):
        written += os.read(reads, 4096)
    assert written == expected


def test_silence_drops_what_waits(terminal: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is being written stays."""
    writing, go_on, write = threading.Barrier(2), threading.Event(), os.write
    monkeypatch.setattr(os, "write", lambda *to: (go_on.is_set() or writing.wait(60), go_on.wait(60), write(*to))[-1])
    progress = TerminalProgress(terminal[1])
    progress.set(TabState(3))
    writing.wait(60)
    progress.set(TabState(4))
    progress.silence()
    go_on.set()
    progress.close()
    assert os.read(terminal[0], 4096) == b"\x1b]9;4;3\x1b\\"


def test_a_terminal_that_is_gone_is_no_error() -> None:
    """Later states are tried as well."""
    reads, writes = os.pipe()
    os.close(reads)
    progress = TerminalProgress(writes)
    progress.set(TabState(3))
    progress.close()
    os.close(writes)


def test_without_a_thread_nothing_is_written(monkeypatch: pytest.MonkeyPatch, terminal: tuple[int, int]) -> None:
    """The command runs on."""
    monkeypatch.setattr(threading.Thread, "start", Mock(side_effect=RuntimeError))
    progress = TerminalProgress(terminal[1])
    assert progress.is_closed
    progress.set(TabState(3))
    progress.close()


def test_terminals_that_misread_the_sequence_are_left_alone() -> None:
    """By their names and versions in the environment."""
    assert reads_progress({"TERM": "xterm-ghostty", "TERM_PROGRAM": "ghostty"})
    assert not any(reads_progress({"TERM": name}) for name in ("", "dumb", "linux"))
    for variable, program in (("TERM_PROGRAM", "iTerm.app"), ("LC_TERMINAL", "iTerm2")):
        for version, expected in (("3.6.5", False), ("3.6.6", True), ("3.10.1", True), ("", False)):
            assert reads_progress({"TERM": "xterm", variable: program, f"{variable}_VERSION": version}) is expected
