"""The hooks of a running server: it makes their notices in commits, and sends what is due."""

import asyncio
import logging
import math
from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from progress_sse._internal.clock import Clock
from progress_sse._internal.tasks import cancel
from progress_sse.core.errors import HookNotFoundError, ProblemError, RateExceededError
from progress_sse.notices.delivery import RESOLVER_THREADS
from progress_sse.notices.hooks_file import Hook, load_hooks
from progress_sse.notices.maker import NoticeMaker, PushNoticeMaker
from progress_sse.notices.sender import HookSender, Sender
from progress_sse.settings import Settings
from progress_sse.store.backend_monitor import COUNT_TIMEOUT_S
from progress_sse.store.change_builder import MakeNotices
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.types import Change

if TYPE_CHECKING:
    from progress_sse.notices.push import Push

logger = logging.getLogger(__name__)

LOOK_S: Final = 5.0
"""Seconds until a hook that another server has turned off gets no more notices from this one."""

LOOKS_PER_CLEAN_UP: Final = 12


COMMANDS_PER_MINUTE: Final = 10
"""Tests and retries of operators, of all hooks together: each may send requests to a receiver."""


class Notifier:
    """Sends the notices of a store to hooks: `senders`, by their names, and the `tasks` that run while it is open."""

    def __init__(
        self,
        store: ProgressStore,
        clock: Clock,
        settings: Settings,
        push: "Push | None" = None,
        hooks_text: str | None = None,
    ) -> None:
        """Send from `store`, to hooks and by `push`; `hooks_text` is what the file of hooks had when it was read."""
        self.push = push
        self.senders: Mapping[str, HookSender] = {}
        self.tasks: list[asyncio.Task[None]] = []
        self._store = store
        self._clock = clock
        self._settings = settings
        self._push_senders: Mapping[str, Sender] = {}
        self._hooks = () if settings.hooks is None else load_hooks(settings.hooks, hooks_text)
        self._resolver: ThreadPoolExecutor | None = None
        self._commands: deque[float] = deque(maxlen=COMMANDS_PER_MINUTE)

    async def start(self) -> None:
        """Begin to make notices and to send them; the store is open."""
        await self.load(self._hooks)

    async def reload(self) -> None:
        """Read the file of hooks again; a `ConfigurationError` leaves those in force that were before."""
        if self._settings.hooks is not None:
            hooks = await asyncio.to_thread(load_hooks, self._settings.hooks)
            await self.load(hooks)

    async def load(self, hooks: tuple[Hook, ...]) -> None:
        """Send to these hooks from now on, in place of those before; each is turned on.

        What waits for a hook that is not among them stays, unsent.
        """
        former = self.senders
        await self._stop()
        self._hooks = hooks
        self._resolver = resolver = self._resolver or ThreadPoolExecutor(RESOLVER_THREADS, "hook-resolver")
        outbox, loop = self._store.backend.outbox, asyncio.get_running_loop()
        for hook in hooks:
            with suppress(ProblemError):  # The store is away; one that is gone says so again.
                await outbox.turn(hook.name, is_on=True)
        self.senders = {hook.name: HookSender(hook, outbox, self._clock, resolver) for hook in hooks}
        for name in former.keys() & self.senders.keys():
            self.senders[name].continue_counts(former[name])
        self._make_notices()
        self.tasks = [loop.create_task(each.run(), name=f"hook {name}") for name, each in self.senders.items()]
        if self.push is not None:
            with suppress(ProblemError):  # Likewise; `_look_after` tries again.
                await self._start_push(self.push, resolver)
        self.tasks.append(loop.create_task(self._look_after(resolver), name="outbox"))

    async def _start_push(self, push: "Push", resolver: ThreadPoolExecutor) -> None:
        self._push_senders = await push.start(resolver)
        loop = asyncio.get_running_loop()
        self.tasks += [loop.create_task(each.run(), name=name) for name, each in self._push_senders.items()]

    def _make_notices(self) -> None:
        wanting = [hook for hook in self._hooks if not self.senders[hook.name].is_off]
        makers: list[MakeNotices] = [NoticeMaker(wanting, self._settings.public_url)] if wanting else []
        if self.push is not None:
            makers.append(PushNoticeMaker(self.push.vendors.queue_of))
        self._store.committer.notice_makers = makers

    def commanded(self, name: str) -> HookSender:
        """Return the sender of a hook for a command of an operator; a `RateExceededError` where those are too many."""
        if name not in self.senders:
            raise HookNotFoundError
        now_s, commands = self._clock.monotonic(), self._commands
        if len(commands) == COMMANDS_PER_MINUTE and (left_s := commands[0] + 60 - now_s) > 0:
            raise RateExceededError(math.ceil(left_s))
        commands.append(now_s)
        return self.senders[name]

    async def count_waiting(self) -> None:
        """Let each sender know how many notices wait; where the store does not answer, that is unknown."""
        for sender in self.senders.values():
            sender.waiting = None
        with suppress(ProblemError, TimeoutError):
            async with asyncio.timeout(COUNT_TIMEOUT_S):
                for sender in self.senders.values():
                    sender.waiting, _dead = await sender.counts()

    def on_commit(self, change: Change) -> None:
        """Send the notices of a commit at once."""
        for notice in change.notices:
            sender = self.senders.get(notice.queue) or self._push_senders.get(notice.queue)
            if sender is not None:
                sender.wake()

    async def _look_after(self, resolver: ThreadPoolExecutor) -> None:
        """Begin with push, learn which hooks are off, and drop what is old."""
        looks = 0
        while True:
            try:
                if self.push is not None and not self._push_senders:
                    await self._start_push(self.push, resolver)
                off = await self._store.backend.outbox.turned_off()
                for name, sender in self.senders.items():
                    sender.is_off = name in off
                self._make_notices()
                if looks % LOOKS_PER_CLEAN_UP == 0:
                    now_ms = int(self._clock.now().timestamp() * 1000)
                    await self._store.backend.outbox.discard([*self.senders, *self._push_senders], now_ms)
                looks += 1
            except ProblemError as error:
                logger.info("hooks wait for the store: %s", error)
            await self._clock.sleep(LOOK_S)

    async def _stop(self) -> None:
        await cancel(*self.tasks)
        self.tasks = []
        senders = [*self.senders.values(), *self._push_senders.values()]
        self.senders, self._push_senders = {}, {}
        await asyncio.gather(*(each.aclose(self._settings.graceful_timeout_s) for each in senders))

    async def aclose(self) -> None:
        """Make no more notices, and let tries under way end within the time for a shutdown."""
        self._store.committer.notice_makers = ()
        queues = [*self.senders, *self._push_senders]
        await self._stop()
        outbox = self._store.backend.outbox
        if not outbox.is_durable:
            waiting = sum([(await outbox.counts(queue))[0] for queue in queues])
            if waiting:
                logger.warning("%d notices are lost, as memory:// ends with the process", waiting)
        if self._resolver is not None:
            self._resolver.shutdown(wait=False, cancel_futures=True)
            self._resolver = None
