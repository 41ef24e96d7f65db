"""The newest lines of a log in the memory of one process."""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from progress_sse.wire.log_lines_json import NumberedLine

MAX_TAIL_LINES: Final = 200
MAX_TAIL_BYTES: Final = 32_768
"""Lines, and bytes of them, that a reader gets first."""


class LineTail:
    """The newest lines, at most `MAX_TAIL_LINES` and `MAX_TAIL_BYTES` of them; a longer line still has its place."""

    def __init__(self) -> None:
        """Begin empty."""
        self._lines: deque[NumberedLine] = deque()
        self._bytes = 0

    @property
    def lines(self) -> Sequence[NumberedLine]:
        """The lines, in order."""
        return tuple(self._lines)

    def add(self, lines: Iterable[NumberedLine]) -> None:
        """Add lines that follow, and drop the oldest beyond the limits."""
        for line in lines:
            self._lines.append(line)
            self._bytes += len(line.data)
        while len(self._lines) > MAX_TAIL_LINES or (self._bytes > MAX_TAIL_BYTES and len(self._lines) > 1):
            self._bytes -= len(self._lines.popleft().data)
