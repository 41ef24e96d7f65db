"""What is kept of a command's output, and that its writes fail when nothing takes it."""

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from progress_sse.cli import copied_streams
from progress_sse.cli.copied_streams import MAX_LINE_BYTES, CopiedStream, LoggedLines, Tail, copied
from progress_sse.client.reports import MAX_TEXT_CHARS
from progress_sse.client.waiting_lines import log_lines


def logged(*chunks: bytes) -> list[str]:
    """The lines that the log has of a text in these pieces."""
    calls: list[str] = []
    lines = LoggedLines(calls.append)
    for chunk in chunks:
        lines.add(chunk)
    lines.add(b"")
    return [line.text for call in calls for line in log_lines(call, "info")]


@pytest.mark.parametrize(
    ("chunks", "lines"),
    [
        ([b"one\ntwo\n"], ["one", "two"]),
        ([b"one\n\n", b"\n", b"two"], ["one", "", "", "two"]),
        ([b"o", b"ne\ntw", b"o"], ["one", "two"]),
        ([b"\xe5\x8e", b"\x9f\n"], ["\u539f"]),
        ([b"\xff\n"], ["\N{REPLACEMENT CHARACTER}"]),
        ([b"\n\n"], ["", ""]),
        ([b"x" * MAX_LINE_BYTES, b"y\n"], ["x" * (MAX_TEXT_CHARS - 1) + "…", "y"]),
        ([b"x" * MAX_LINE_BYTES + b"\xe5\x8e", b"\x9fy\n"], ["x" * (MAX_TEXT_CHARS - 1) + "…", "\u539fy"]),
        ([b"\xff" * MAX_LINE_BYTES, b"y\n"], ["\N{REPLACEMENT CHARACTER}" * (MAX_TEXT_CHARS - 1) + "…", "y"]),
        ([], []),
    ],
)
def test_lines_are_logged_once_they_are_complete(chunks: list[bytes], lines: list[str]) -> None:
    """One without an end is logged at the end of the text, or once it is too long; characters stay whole."""
    assert logged(*chunks) == lines


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read_end, write_end = os.pipe()
    yield read_end, write_end
    for descriptor in (read_end, write_end):
        os.close(descriptor)


@pytest.fixture
def sink() -> Iterator[int]:
    """Our own stream, where no reader follows."""
    with Path(os.devnull).open("wb") as file:
        yield file.fileno()


def test_output_is_passed_on_at_once_and_logged(pipe: tuple[int, int]) -> None:
    """What is written without a line end, too."""
    read_end, write_end = pipe
    calls: list[str] = []
    with copied(CopiedStream([write_end], copied_streams.pipe(), [LoggedLines(calls.append).add])) as targets:
        descriptor = targets[write_end]
        os.write(descriptor, b"name? ")
        assert os.read(read_end, 100) == b"name? "
        os.write(descriptor, b"x\n")
        assert os.read(read_end, 100) == b"x\n"
    assert calls == ["name? x\n"]


def write_for_ever(descriptor: int) -> None:
    while True:
        os.write(descriptor, b"y\n")


def test_a_command_whose_output_nothing_takes_cannot_write(pipe: tuple[int, int], sink: int) -> None:
    """Otherwise `yes | head` would never end; what was written until then is logged."""
    read_end, own = pipe
    calls: list[str] = []
    with copied(CopiedStream([own], copied_streams.pipe(), [LoggedLines(calls.append).add], is_vital=True)) as targets:
        os.dup2(sink, read_end)  # It closes the pipe's end.
        with pytest.raises(BrokenPipeError):
            write_for_ever(targets[own])
    assert calls[0].startswith("y")


def fail(chunk: bytes) -> None:
    """Take in nothing, not even the end."""
    raise MemoryError(chunk)


def test_output_is_copied_on_and_received_by_others_though_a_receiver_fails(pipe: tuple[int, int]) -> None:
    """The command waits for the copy, and notices nothing."""
    read_end, write_end = pipe
    tail = Tail()
    with copied(CopiedStream([write_end], copied_streams.pipe(), [fail, tail.add])) as targets:
        for _ in range(3):
            os.write(targets[write_end], b"more than a pipe holds" * 40)
            assert os.read(read_end, 2000) == b"more than a pipe holds" * 40
    assert tail.text() == "more than a pipe holds" * 120


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_command_whose_copier_has_failed_cannot_write(monkeypatch: pytest.MonkeyPatch, sink: int) -> None:
    """Otherwise it would wait for ever once the pipe is full."""

    def fail(*_: object) -> bool:
        raise MemoryError

    monkeypatch.setattr(copied_streams, "_copy", fail)
    with copied(CopiedStream([sink], copied_streams.pipe(), [])) as targets, pytest.raises(BrokenPipeError):
        write_for_ever(targets[sink])


def test_the_tail_of_a_long_line_begins_with_a_whole_character() -> None:
    """It is cut by bytes."""
    tail = Tail(max_bytes=7)
    tail.add("\u539f\u7a3f\u751f\u6210".encode())
    assert tail.text() == "\u751f\u6210"


def test_a_process_that_the_command_leaves_behind_holds_up_nothing(monkeypatch: pytest.MonkeyPatch, sink: int) -> None:
    """It may write for ever, as that of `sh -c 'yes &'` does."""
    most = 2000
    left_behind = -1
    looks = 0
    look = vars(copied_streams)["_ready"]

    def look_after_more_was_written(awaited: Mapping[int, int]) -> set[int]:
        nonlocal looks
        if left_behind >= 0 and looks < most:
            looks += 1
            os.write(left_behind, b"y\n")
        ready: set[int] = look(awaited)
        return ready

    monkeypatch.setattr(copied_streams, "_ready", look_after_more_was_written)
    with copied(CopiedStream([sink], copied_streams.pipe(), [])) as targets:
        left_behind = os.dup(targets[sink])
        os.write(left_behind, b"y\n")
    assert looks < most
    os.close(left_behind)


def test_what_the_command_has_written_last_is_logged(sink: int) -> None:
    """As much as a pipe holds."""
    texts: list[str] = []
    with copied(CopiedStream([sink], copied_streams.pipe(), [LoggedLines(texts.append).add])) as targets:
        left = os.dup(targets[sink])
        os.write(left, b"x\n" * 30_000)
    assert "".join(texts) == "x\n" * 30_000
    os.close(left)


def test_streams_mix_as_the_command_has_written_them(pipe: tuple[int, int]) -> None:
    """What it writes to stdout and then to stderr comes in this order."""
    read_end, write_end = pipe
    second_end = os.dup(write_end)
    calls: list[str] = []
    receivers = [LoggedLines(calls.append).add]
    with copied(*(CopiedStream([own], copied_streams.pipe(), receivers) for own in (write_end, second_end))) as targets:
        for _ in range(200):
            os.write(targets[write_end], b"a\n")
            os.write(targets[second_end], b"b\n")
            came = b""
            while len(came) < 4:
                came += os.read(read_end, 4)
            assert came == b"a\nb\n"
    assert calls == ["a\n", "b\n"] * 200
    os.close(second_end)


@pytest.mark.parametrize("opened", [os.pipe, os.openpty])
def test_a_stream_comes_through_while_another_is_not_read(
    opened: Callable[[], tuple[int, int]], pipe: tuple[int, int]
) -> None:
    """The writer of that one waits, and what it has written comes once it is read."""
    unread, own = opened()
    read_end, write_end = pipe
    written = b"y" * 3_000_000
    streams = [CopiedStream([each], copied_streams.pipe(), []) for each in (own, write_end)]
    with copied(*streams) as targets, os.fdopen(os.dup(targets[own]), "wb") as target:
        writer = threading.Thread(target=target.write, args=(written,))
        writer.start()
        for _ in range(3):
            os.write(targets[write_end], b"mark")
            assert os.read(read_end, 100) == b"mark"
        assert writer.is_alive()
        came = 0
        while came < len(written):
            came += len(os.read(unread, 2**16))
        writer.join()
    for descriptor in (unread, own):
        os.close(descriptor)
