"""The room for log lines in one request. Pure."""

import json
from collections.abc import Iterable
from typing import Final

from progress_sse.client.reports import LogLine

MAX_REQUEST_BYTES: Final = 65_536
"""Bytes of lines in one request, so that it is no larger than a server takes; a single line may be larger."""

_ENTRY_BYTES: Final = 50
"""Bytes of a line in a request, besides its text."""


class RequestRoom:
    """The room for lines in one request."""

    def __init__(self) -> None:
        """Begin with nothing in the request."""
        self._taken_bytes = 0

    def take(self, lines: Iterable[LogLine]) -> bool:
        """Take room for lines if there is enough, or if the request has no lines yet."""
        size_bytes = sum(len(json.dumps(line.text)) + _ENTRY_BYTES for line in lines)
        if self._taken_bytes and self._taken_bytes + size_bytes > MAX_REQUEST_BYTES:
            return False
        self._taken_bytes += size_bytes
        return True
