"""Where reports are sent to: a server, or a transport in its place."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from queue import Empty
from typing import Final, Protocol, TypeAlias, TypeVar, runtime_checkable

from progress_sse._internal.threads import SimpleQueue
from progress_sse.client.config import Address
from progress_sse.client.exchange import (
    INTERNAL_ERROR,
    NOT_IMPLEMENTED,
    Answer,
    Asked,
    ReportAnswer,
    ReportRequest,
    failure,
)
from progress_sse.client.loops import JobLoop
from progress_sse.client.own_log import sending

A = TypeVar("A")

ANSWER_S: Final = 10.0
"""Seconds beyond its wait that a request for the requests of readers may take on an event loop."""

LOOP_HAS_ENDED: Final = ReportAnswer(410, detail="the event loop that reported has ended")
_SILENT: Final = ReportAnswer(0, detail="the event loop that reports does not answer")


class Transport(Protocol):
    """Sends a request to the server and returns its answer; may block."""

    def send(self, request: ReportRequest) -> ReportAnswer:
        """Send a request, and return the answer."""


@runtime_checkable
class BatchTransport(Transport, Protocol):
    """A transport that can send several requests at once."""

    def send_batch(self, requests: Sequence[ReportRequest]) -> Sequence[ReportAnswer] | ReportAnswer:
        """Send requests without a creation; return the answer to each, or one answer to all of them."""


class RequestWait(Protocol):
    """Asks a server for the requests of readers; used by one thread, and interrupted by another."""

    def ask(self, session_ids: Sequence[str], wait_s: int) -> Asked | ReportAnswer:
        """Return the open requests of these sessions, once there is one or after so many seconds."""

    def interrupt(self) -> None:
        """End the request under way, and all later ones at once."""

    def close(self) -> None:
        """Close the connection."""


@runtime_checkable
class ListeningTransport(Protocol):
    """A transport that receives the requests of readers."""

    def listen(self) -> RequestWait:
        """Return what asks for them."""


class AsyncTransport(Protocol):
    """Sends a request to the server and returns its answer, on an event loop. The application closes it."""

    async def send(self, request: ReportRequest) -> ReportAnswer:
        """Send a request, and return the answer."""


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


class OnLoop:
    """A transport that runs on one event loop, with the context variables of the code that made this.

    Attributes:
        transport: The transport.
        loop: The loop; `None` until the job has reported on one.
    """

    def __init__(self, transport: AsyncTransport, loop: JobLoop | None = None) -> None:
        self.transport = transport
        self.loop = loop
        self._context = copy_context()

    @property
    def is_running(self) -> bool:
        """Whether the loop may send now."""
        return self.loop is not None and self.loop.is_running

    @property
    def is_here(self) -> bool:
        """Whether the calling code runs on the loop, which sends nothing while that waits."""
        return self.loop is not None and self.loop.is_here

    def begin(self, requests: Sequence[ReportRequest], take: Callable[[Answer], object]) -> None:
        """Send requests on the loop, and call `take` with the answer to each, or with one to all of them.

        A transport that takes no batches sends them at the same time.
        """
        transport = self.transport
        if isinstance(transport, AsyncBatchTransport) and len(requests) > 1:
            self.run(partial(transport.send_batch, requests), take, INTERNAL_ERROR)
            return
        answers: dict[int, ReportAnswer] = {}

        def collect(number: int, answer: ReportAnswer) -> None:
            answers[number] = answer
            if len(answers) == len(requests):
                take([answers[each] for each in range(len(requests))])

        for number, request in enumerate(requests):
            self.run(partial(transport.send, request), partial(collect, number), INTERNAL_ERROR)

    def run(
        self, call: Callable[[], Awaitable[A]], take: Callable[[A | ReportAnswer], object], status_of_errors: int
    ) -> None:
        """Call a coroutine function on the loop, and `take` with what it returns, or with the answer to its error."""

        async def work() -> None:
            answer: A | ReportAnswer = _SILENT
            try:
                with sending():
                    answer = await call()
            except Exception as error:  # noqa: BLE001  # an error of a transport is not the job's
                answer = failure(error, status_of_errors)
            finally:  # Also where the end of the loop cancels the task.
                take(answer)

        def start(loop: JobLoop) -> None:
            try:
                loop.start(work, self._context.copy())
            except Exception as error:  # noqa: BLE001  # there may be no memory left
                take(failure(error, 0))

        loop = self.loop
        if loop is None or not loop.call(lambda: start(loop)):
            take(LOOP_HAS_ENDED)

    def listen(self) -> "_LoopWait":
        """Return what asks for the requests of readers."""
        return _LoopWait(self)


class _LoopWait:
    """Asks for the requests of readers by a transport of an event loop; see `RequestWait`."""

    def __init__(self, target: OnLoop) -> None:
        self._target = target
        self._answers: SimpleQueue[Asked | ReportAnswer] = SimpleQueue()
        self._is_interrupted = False

    def ask(self, session_ids: Sequence[str], wait_s: int) -> Asked | ReportAnswer:
        transport = self._target.transport
        if not isinstance(transport, AsyncListeningTransport):
            return ReportAnswer(NOT_IMPLEMENTED)
        answers: SimpleQueue[Asked | ReportAnswer] = SimpleQueue()  # A late answer to an earlier request is not ours.
        self._answers = answers
        if not self._is_interrupted:
            self._target.run(partial(transport.ask, session_ids, wait_s), answers.put, NOT_IMPLEMENTED)
            with suppress(Empty):
                return answers.get(timeout=wait_s + ANSWER_S)
        return _SILENT

    def interrupt(self) -> None:
        self._is_interrupted = True
        self._answers.put(_SILENT)

    def close(self) -> None:
        """Do nothing: the application closes the transport."""


Target: TypeAlias = Address | Transport | OnLoop
