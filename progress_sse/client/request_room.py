"""The room for reports in one request: their number, and their bytes. Pure."""

import json
from collections.abc import Iterable
from typing import Final

from progress_sse.client.reports import LogLine, Report

MAX_UPDATES: Final = 100
"""Updates in one request, which a server takes."""

MAX_REQUEST_BYTES: Final = 200_000
"""Bytes of one request; a single report may be larger, and an advance more fits into what a server takes."""

MAX_LINE_BYTES: Final = 65_536
"""Bytes of log lines in one request, so that they delay no report; a single line may be larger."""

_ENTRY_BYTES: Final = 50
"""Bytes of a line in a request, besides its text."""

_REPORT_BYTES: Final = 200
"""Bytes of a report in a request, besides what it says: its session, key and run."""


class RequestRoom:
    """The room in one request.

    Attributes:
        updates: How many more updates it takes.
    """

    def __init__(self, updates: int = MAX_UPDATES) -> None:
        """Begin with nothing in the request."""
        self.updates = updates
        self._most = updates
        self._bytes = 0
        self._line_bytes = 0

    @property
    def is_used(self) -> bool:
        """Whether anything is in the request."""
        return self.updates < self._most

    @property
    def is_full(self) -> bool:
        """Whether all of its bytes are used."""
        return self._bytes >= MAX_REQUEST_BYTES

    def take(self, report: Report) -> bool:
        """Take room for a report if there is enough, or if nothing else is in the request."""
        return self._take(_size(report))

    def spend(self, report: Report) -> None:
        """Take room for an advance, whose size is known only once it is read: it may exceed the bytes by itself."""
        self._bytes += _size(report)

    def take_lines(self, lines: Iterable[LogLine]) -> bool:
        """Take room for lines if there is enough, or if the request has no lines yet."""
        size = sum(len(json.dumps(line.text)) + _ENTRY_BYTES for line in lines)
        if self._line_bytes and self._line_bytes + size > MAX_LINE_BYTES:
            return False
        self._line_bytes += size
        return self._take(size)

    def _take(self, size: int) -> bool:
        if self._bytes and self._bytes + size > MAX_REQUEST_BYTES:
            return False
        self._bytes += size
        return True


def _size(report: Report) -> int:
    """Return the bytes of a report; in JSON almost all characters have six or fewer."""
    return _REPORT_BYTES + 6 * len(repr(report))
