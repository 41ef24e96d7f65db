"""The hooks of a running server: it makes their notices in commits, and sends what is due."""

import asyncio
import itertools
import logging
import math
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from progress_sse._internal.clock import Clock
from progress_sse._internal.tasks import cancel
from progress_sse.core.errors import HookNotFoundError, ProblemError, RateExceededError
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

HOOKS_POLL_S: Final = 5.0
"""Seconds until a hook that another server has turned off gets no more notices from this one."""

LOOKS_PER_CLEAN_UP: Final = 12
"""How often the hooks are looked at until old notices are dropped."""

RECOUNTED: Final = 100
"""Sessions whose subscriptions are counted again at each look: all within two clean-ups, as their ids must go then."""

COMMANDS_PER_MINUTE: Final = 10
"""Tests and retries of operators, of all hooks together: each may send requests to a receiver."""


class Notifier:
    """Sends the notices of a store.

    Attributes:
        push: Sends them to browsers; `None` where that is off.
        senders: Send them to hooks, by the names of these.
    """

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
        self._store = store
        self._clock = clock
        self._settings = settings
        self._tasks: list[asyncio.Task[None]] = []
        self._push_senders: Mapping[str, Sender] = {}
        self._push_tasks: list[asyncio.Task[None]] = []
        self._hooks = () if settings.hooks is None else load_hooks(settings.hooks, hooks_text)
        self._is_open = False
        self._off = frozenset[str]()
        self._to_turn_on = frozenset[str]()
        self._loading = asyncio.Lock()
        self._commands: deque[float] = deque(maxlen=COMMANDS_PER_MINUTE)
        self._make_notices()  # From the first commit on.

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """The tasks that run while it is open."""
        return self._tasks + self._push_tasks

    async def start(self) -> None:
        """Begin to send notices; the store is open."""
        await self.load(self._hooks)

    async def reload(self) -> None:
        """Read the file of hooks again.

        Raises:
            ConfigurationError: The file cannot be used; the hooks that were in force before stay so.
        """
        if self._settings.hooks is not None:
            async with self._loading:
                hooks = await asyncio.to_thread(load_hooks, self._settings.hooks)
                if self._is_open:
                    await self._load(hooks)

    async def load(self, hooks: tuple[Hook, ...]) -> None:
        """Send to these hooks from now on, in place of those before; each is turned on.

        What waits for a hook that is not among them stays, unsent.
        """
        async with self._loading:
            self._is_open = True
            await self._load(hooks)

    async def _load(self, hooks: tuple[Hook, ...]) -> None:
        former = self.senders
        outbox = self._store.backend.outbox
        senders = {hook.name: HookSender(hook, outbox, self._clock, self._on_off) for hook in hooks}
        await self._stop_hooks()
        self._hooks = hooks
        self.senders = senders
        self._off = frozenset()
        self._to_turn_on = frozenset(senders)
        for name in former.keys() & senders.keys():
            senders[name].continue_from(former[name])
        self._make_notices()
        with suppress(ProblemError):  # The store is away: `_look_after` tries again.
            await self._look()
            await self._discard()
        loop = asyncio.get_running_loop()
        self._tasks += [loop.create_task(each.run(), name=f"hook {name}") for name, each in senders.items()]
        self._tasks.append(loop.create_task(self._look_after(), name="outbox"))

    def _on_off(self, name: str) -> None:
        self._off |= {name}
        self._make_notices()

    def _make_notices(self) -> None:
        wanting = [hook for hook in self._hooks if hook.name not in self._off]
        makers: list[MakeNotices] = [NoticeMaker(wanting, self._settings.public_url)] if wanting else []
        if self.push is not None:
            makers.append(PushNoticeMaker(self.push.vendors.queue_of))
        self._store.committer.notice_makers = makers

    def commanded(self, name: str) -> HookSender:
        """Return the sender of a hook for a command of an operator.

        Raises:
            HookNotFoundError: There is no hook of that name.
            RateExceededError: There were too many commands within a minute.
        """
        if name not in self.senders:
            raise HookNotFoundError
        now_s = self._clock.monotonic()
        commands = self._commands
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
        if change.record is None and self.push is not None:
            self.push.forget(change.session_id)
        for notice in change.notices:
            sender = self.senders.get(notice.queue) or self._push_senders.get(notice.queue)
            if sender is not None:
                sender.wake()

    async def _look_after(self) -> None:
        """Look again and again, and drop what is old."""
        for looks in itertools.count(1):
            await self._clock.sleep(HOOKS_POLL_S)
            try:
                await self._look()
                if looks % LOOKS_PER_CLEAN_UP == 0:
                    await self._discard()
            except ProblemError as error:
                logger.info("hooks wait for the store: %s", error)

    async def _look(self) -> None:
        """Turn on what was loaded, begin with push, and follow which hooks are off."""
        outbox = self._store.backend.outbox
        await asyncio.gather(*(outbox.turn(name, is_on=True) for name in self._to_turn_on))
        self._to_turn_on = frozenset()
        if self.push is not None and not self._push_senders:
            self._push_senders = await self.push.start()
            loop = asyncio.get_running_loop()
            self._push_tasks = [loop.create_task(each.run(), name=name) for name, each in self._push_senders.items()]
        self._off = await outbox.turned_off()
        for name, sender in self.senders.items():
            sender.is_off = name in self._off
        self._make_notices()
        if self.push is not None:
            await self.push.recount(RECOUNTED)

    async def _discard(self) -> None:
        now_ms = int(self._clock.now().timestamp() * 1000)
        await self._store.backend.outbox.discard([*self.senders, *self._push_senders], now_ms)

    async def _stop_hooks(self) -> None:
        await cancel(*self._tasks)
        self._tasks = []
        await self._close(self.senders)
        self.senders = {}

    async def _stop_push(self) -> None:
        await cancel(*self._push_tasks)
        self._push_tasks = []
        await self._close(self._push_senders)
        self._push_senders = {}

    async def _close(self, senders: Mapping[str, Sender]) -> None:
        await asyncio.gather(*(each.aclose(self._settings.graceful_timeout_s) for each in senders.values()))

    async def aclose(self) -> None:
        """Let tries under way end within the time for a shutdown. Commits go on making notices, for the next start."""
        async with self._loading:
            self._is_open = False
            await cancel(*self.tasks)  # Before the rest, as one of them begins with push.
            await asyncio.gather(self._stop_hooks(), self._stop_push())
        if lost := self._store.backend.outbox.unsaved:
            logger.warning("%d notices are lost, as memory:// ends with the process", lost)
