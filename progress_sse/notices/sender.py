"""Sends the notices of a queue as they become due: those of a hook, or of a vendor of browsers."""

import asyncio
import logging
import secrets
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Literal, NamedTuple, Protocol

from progress_sse._internal.clock import Clock
from progress_sse._internal.tasks import cancel
from progress_sse.core.errors import ProblemError
from progress_sse.core.step_rules import timestamp
from progress_sse.notices.delivery import Deliverer
from progress_sse.notices.hooks_file import Hook
from progress_sse.notices.schedule import Receiver, SendResult, Try
from progress_sse.store.outbox import Ending, Later, Outbox, Taken
from progress_sse.wire.json_text import encode_json

logger = logging.getLogger(__name__)

HOOK_TRIES: Final = 8
PUSH_TRIES: Final = 32
"""How many notices of a queue are under way at most: of a hook, and of a vendor."""

OUTBOX_POLL_S: Final = 1.0
"""Seconds between two looks at the outbox: other processes commit notices, and the clock may be set."""

KEPT_TRIES: Final = 50
"""Tries to a hook that are kept for its operator."""

ReceiverState = Literal["up", "down", "off"]


class PastTry(NamedTuple):
    """A try of this process, for the operator."""

    at: str
    notice_id: str
    tried: Try


class Delivers(Protocol):
    """Makes one try to send a notice."""

    async def send(self, notice_id: str, body: bytes) -> Try:
        """Return what it came to; failures are part of that."""

    async def aclose(self) -> None:
        """Close all connections."""


class Sender:
    """Sends the notices of a queue, many at a time; while its receiver is down one, now and then.

    Attributes:
        receiver: Whether it is up, and when the next try may begin.
        is_off: Whether the receiver is gone, and gets nothing.
        results: How many tries of this process delivered their notice, failed, or were the last of it.
    """

    def __init__(self, queue: str, deliverer: Delivers, outbox: Outbox, clock: Clock, most_tries: int) -> None:
        self.queue = queue
        self.is_off = False
        self.results = Counter[SendResult]()
        self._deliverer = deliverer
        self._outbox = outbox
        self._clock = clock
        self._most_tries = most_tries
        self.receiver = Receiver()
        self._under_way: dict[asyncio.Task[None], Taken] = {}
        self._woken = asyncio.Event()

    @property
    def state(self) -> ReceiverState:
        """Whether notices are sent."""
        return "off" if self.is_off else "down" if self.receiver.is_down else "up"

    @property
    def now_ms(self) -> int:
        """The time for the outbox."""
        return int(self._clock.now().timestamp() * 1000)

    @property
    def _at_ms(self) -> float:
        return self._clock.monotonic() * 1000

    @property
    def lost(self) -> int:
        """How many notices this process dropped unsent."""
        return self._outbox.lost[self.queue]

    def wake(self) -> None:
        """Look at the outbox at once: a notice was committed."""
        self._woken.set()

    async def run(self) -> None:
        """Send until this is cancelled."""
        while True:
            self._woken.clear()
            try:
                wait_s = await self._send_due()
            except ProblemError as error:
                logger.info("notices for %s wait for the store: %s", self.queue, error)
                wait_s = OUTBOX_POLL_S
            pause = asyncio.ensure_future(self._clock.sleep(wait_s))
            woken = asyncio.ensure_future(self._woken.wait())
            try:
                await asyncio.wait((pause, woken), return_when=asyncio.FIRST_COMPLETED)
            finally:
                pause.cancel()
                woken.cancel()

    async def _send_due(self) -> float:
        """Begin the tries that are due, and return for how many seconds to wait then."""
        now_ms = self.now_ms
        receiver = self.receiver
        room = self._most_tries - len(self._under_way)
        if receiver.is_down:
            room = 0 if self._under_way else 1
        if self.is_off or not room or receiver.next_try_ms > self._at_ms:
            return OUTBOX_POLL_S
        for taken in await self._outbox.take(self.queue, now_ms, room):
            task = asyncio.get_running_loop().create_task(self._try(taken))
            self._under_way[task] = taken
            task.add_done_callback(self._end)
        wake_at_ms = await self._outbox.wake_at_ms(self.queue, now_ms)
        return min(OUTBOX_POLL_S, max(0.0, (wake_at_ms - now_ms) / 1000))

    def _end(self, task: asyncio.Task[None]) -> None:
        del self._under_way[task]
        if not task.cancelled() and (error := task.exception()) is not None:  # Its claim ends by itself.
            logger.error("a try for %s failed by a %s", self.queue, type(error).__name__)
        self.wake()

    async def _try(self, taken: Taken) -> None:
        tried = await self._deliverer.send(taken.notice_id, taken.body)
        now_ms = self.now_ms
        result = self.receiver.result_of(taken, tried, now_ms, self._at_ms)
        self._note(taken, tried, result)
        try:
            if tried.is_gone:
                await self._turn_off()
            await self._outbox.settle(taken, result, now_ms)
        except ProblemError as error:  # Its claim ends by itself.
            logger.info("notice %s may be sent again: %s", taken.notice_id, error)

    async def _turn_off(self) -> None:
        self.is_off = True
        logger.warning("%s is gone (410), and is turned off", self.queue)
        await self._outbox.turn(self.queue, is_on=False)

    def _note(self, taken: Taken, tried: Try, result: Ending | Later) -> None:
        self.results["delivered" if tried.has_succeeded else "failed"] += 1
        if result == "dead":
            self.results["dead"] += 1
            logger.warning("%s does not take notice %s: it is dead", self.queue, taken.notice_id)

    async def aclose(self, timeout_s: float) -> None:
        """Let the tries under way end within so many seconds; those that do not count as not made."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=timeout_s)
        left = dict(self._under_way)
        await cancel(*left)
        for taken in left.values():
            with suppress(ProblemError):  # It was not made: the next server makes it.
                await self._outbox.settle(taken, Later(0, taken.tries, taken.first_try_ms), self.now_ms)
        await self._deliverer.aclose()


class HookSender(Sender):
    """Sends to one hook, and shows its operator how that goes.

    Attributes:
        last_success: Time stamp of the newest try that succeeded.
        tries: The newest tries, the newest last.
        waiting: How many notices waited when that was last counted; `None` where it is unknown.
    """

    def __init__(self, hook: Hook, outbox: Outbox, clock: Clock, on_off: Callable[[str], None]) -> None:
        """Send to `hook`; call `on_off` with its name once that is gone."""
        self._on_off = on_off
        super().__init__(hook.name, Deliverer(hook), outbox, clock, HOOK_TRIES)
        self.hook = hook
        self.waiting: int | None = None
        self.last_success: str | None = None
        self.tries: deque[PastTry] = deque(maxlen=KEPT_TRIES)

    async def counts(self) -> tuple[int, int]:
        """Return how many notices wait in the store, and how many are dead."""
        return await self._outbox.counts(self.queue)

    def continue_from(self, former: "HookSender") -> None:
        """Go on counting where the sender before a reload ended; and waiting, if its hook is the same."""
        self.results = former.results
        self.last_success = former.last_success
        self.tries = former.tries
        if self.hook == former.hook:
            self.receiver = former.receiver

    async def test(self) -> Try:
        """Send a request of its own to the hook, which counts nowhere, and return the answer with its body.

        Its connections are its own, too: a reload closes those of the sender.
        """
        body = {"type": "session.test", "timestamp": timestamp(self._clock.now()), "data": {"hook": self.hook.name}}
        deliverer = Deliverer(self.hook)
        try:
            return await deliverer.send(f"msg_{secrets.token_hex(16)}", encode_json(body), reads_body=True)
        finally:
            await deliverer.aclose()

    async def retry(self, notice_id: str | None) -> int:
        """Let dead notices wait again, all or one; return how many."""
        retried = await self._outbox.revive(self.hook.name, notice_id, self.now_ms)
        self.wake()
        return retried

    async def _turn_off(self) -> None:
        self._on_off(self.queue)
        await super()._turn_off()

    def _note(self, taken: Taken, tried: Try, result: Ending | Later) -> None:
        super()._note(taken, tried, result)
        at = timestamp(self._clock.now())
        self.tries.append(PastTry(at, taken.notice_id, tried))
        if tried.has_succeeded:
            self.last_success = at
