"""Where reports are sent to: a server, or a transport in its place."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

from progress_sse.client.config import Address
from progress_sse.client.exchange import ReportAnswer, ReportRequest


class Transport(Protocol):
    """Sends a request to the server and returns its answer; may block."""

    def send(self, request: ReportRequest) -> ReportAnswer:
        """Send a request, and return the answer."""


@runtime_checkable
class BatchTransport(Transport, Protocol):
    """A transport that can send several requests at once."""

    def send_batch(self, requests: Sequence[ReportRequest]) -> Sequence[ReportAnswer] | ReportAnswer:
        """Send requests without a creation; return the answer to each, or one answer to all of them."""


class OnLoop(NamedTuple):
    """A target that only an event loop can reach."""

    transport: object


Target: TypeAlias = Address | Transport | OnLoop
