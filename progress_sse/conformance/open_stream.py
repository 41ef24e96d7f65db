"""A stream that stays open while a conversation goes on."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import anyio

from progress_sse._internal.http_library import httpx
from progress_sse.client.http import MAX_ANSWER_BYTES
from progress_sse.conformance.patterns import MismatchError
from progress_sse.conformance.stream_rules import Event, blocks, event_of

DEADLINE_S: Final = 10.0
"""Seconds that an answer or event may take."""

QUIET_S: Final = 0.05
"""Seconds without an event that count as none."""


class OpenStream:
    """Reads by itself, once `read` runs in a task group."""

    def __init__(self) -> None:
        self.text = ""
        self.events: Sequence[Event] = ()
        self._taken = 0
        self._is_over = False
        self._error = ""
        self._change = anyio.Event()

    async def read(
        self,
        client: httpx.AsyncClient,
        request: httpx.Request,
        *,
        task_status: anyio.abc.TaskStatus[httpx.Response],
    ) -> None:
        """Read the response to its end; its head starts the task."""
        received = b""
        response = await client.send(request, stream=True)
        try:
            task_status.started(response)
            async for chunk in response.aiter_raw():
                received += chunk
                if len(received) > MAX_ANSWER_BYTES:
                    raise httpx.ReadError(f"more than {MAX_ANSWER_BYTES} bytes")
                self.text = received.decode("utf-8", errors="ignore")  # A character may be cut.
                self.events = [event for event in map(event_of, blocks(self.text)) if event is not None]
                self._changed()
        except httpx.HTTPError as error:
            self._error = f"the stream breaks: {error}"
        finally:
            self._is_over = True
            self._changed()
            with anyio.CancelScope(shield=True):
                await response.aclose()

    def _changed(self) -> None:
        self._change.set()
        self._change = anyio.Event()

    async def next_events(self, count: int) -> list[dict[str, Any]]:
        """Return the next events in the form of the vectors, or raise a `MismatchError` if they do not come."""
        wanted = self._taken + count
        await self._until(lambda: len(self.events) >= wanted, f"event {wanted} of the stream")
        events = [event.shown() for event in self.events[self._taken : wanted]]
        self._taken = wanted
        return events

    async def ends(self) -> None:
        """Wait for the end of the stream, or raise a `MismatchError` if it does not come."""
        await self._until(lambda: self._is_over, "the end of the stream")
        self._check_that_no_event_is_left()
        if self._error:
            raise MismatchError(self._error)

    async def beats(self) -> None:
        """Wait for a comment, or raise a `MismatchError` if none comes, or an event before it."""
        count = self.text.count("\n:")
        await self._until(lambda: self.text.count("\n:") > count, "a heartbeat")
        self._check_that_no_event_is_left()

    async def stays_open(self) -> None:
        """Wait a moment, and raise a `MismatchError` if the stream ends or brings another event."""
        with anyio.move_on_after(QUIET_S):
            await self._until(lambda: self._is_over or len(self.events) > self._taken, "")
        self._check_that_no_event_is_left()
        if self._is_over:
            raise MismatchError("the stream ends")

    def _check_that_no_event_is_left(self) -> None:
        if len(self.events) > self._taken:
            raise MismatchError(f"one more event: {self.events[self._taken]}")

    async def _until(self, is_so: Callable[[], bool], what: str) -> None:
        try:
            with anyio.fail_after(DEADLINE_S):
                while not is_so():
                    if self._is_over:
                        raise MismatchError(self._error or f"the stream ends before {what}")
                    await self._change.wait()
        except TimeoutError:
            raise MismatchError(f"{what} does not come within {DEADLINE_S:.0f} s") from None
