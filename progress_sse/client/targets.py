"""Where reports are sent to: a server, or a transport in its place."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

from progress_sse.client.config import Address
from progress_sse.client.exchange import Asked, ReportAnswer, ReportRequest


class Transport(Protocol):
    """Sends a request to the server and returns its answer; may block."""

    def send(self, request: ReportRequest) -> ReportAnswer:
        """Send a request, and return the answer."""


@runtime_checkable
class BatchTransport(Transport, Protocol):
    """A transport that can send several requests at once."""

    def send_batch(self, requests: Sequence[ReportRequest]) -> Sequence[ReportAnswer] | ReportAnswer:
        """Send requests without a creation; return the answer to each, or one answer to all of them."""


class AsyncTransport(Protocol):
    """Sends a request to the server and returns its answer, on an event loop."""

    async def send(self, request: ReportRequest) -> ReportAnswer:
        """Send a request, and return the answer."""

    async def aclose(self) -> None:
        """Close its connections."""


@runtime_checkable
class AsyncBatchTransport(AsyncTransport, Protocol):
    """A transport that can send several requests at once."""

    async def send_batch(self, requests: Sequence[ReportRequest]) -> Sequence[ReportAnswer] | ReportAnswer:
        """Send requests without a creation; return the answer to each, or one answer to all of them."""


@runtime_checkable
class AsyncListeningTransport(AsyncTransport, Protocol):
    """A transport that can wait for the requests of readers."""

    async def ask(self, session_ids: Sequence[str], wait_s: int) -> Asked | ReportAnswer:
        """Return the open requests of these sessions, once there is one or after so many seconds."""


class OnLoop(NamedTuple):
    """A target that only an event loop can reach."""

    transport: object


Target: TypeAlias = Address | Transport | OnLoop
