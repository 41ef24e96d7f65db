"""The parts of a running server: a store, its streams, an authorizer, and the tasks that run beside them."""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from typing import Final, Literal, TypeAlias

from progress_sse._internal.clock import Clock, SystemClock
from progress_sse._internal.exit_signals import called_on_exit
from progress_sse.auth.authorizer import Authorize, Authorizer, CallbackAuthorizer
from progress_sse.auth.tickets import MemoryOneTimeStore, OneTimeStore, Tickets
from progress_sse.auth.token_authorizer import TokenAuthorizer
from progress_sse.core.errors import ConfigurationError, ProblemError, StoreRefusedError, StoreUnavailableError
from progress_sse.core.model import Event, Position
from progress_sse.settings import BodyLimits, Settings
from progress_sse.store.backend import FullBackend
from progress_sse.store.backend_monitor import SessionCounts
from progress_sse.store.health import HealthLog
from progress_sse.store.lease_watcher import LeaseWatcher, Verdict
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.types import Change
from progress_sse.streaming.hub import Hub
from progress_sse.streaming.registry import Streams
from progress_sse.streaming.timers import Expiry, Heartbeat
from progress_sse.wire import session_json
from progress_sse.wiring import make_backend, make_notifier, make_rate_limiter, make_workflows

logger = logging.getLogger(__name__)

STUCK_S: Final = 60
"""Seconds after which a commit counts as stuck, not slow: every backend gives up long before."""

RETRY_S: Final = 2.0
"""Seconds between two attempts to open a store that cannot be used."""

PollResult: TypeAlias = Literal["200", "304", "not_found"]


class ProgressService:
    """A store, its streams, and the tasks that run beside them.

    Attributes:
        settings: The settings that it was made from.
        body_limits: How large requests may be.
        store: The operations on sessions.
        streams: The live streams, and the requests that wait.
        authorizer: Decides whether a request may do an action.
        tickets: The tickets that open single streams.
        session_counts: The number of sessions, by status.
        polls: The number of polls, by their result.
        refusals: The number of refused requests, by the last segment of the problem's type.
        verdicts: The number of workers that this server reported as stalled or lost.
        notifier: Sends notices to hooks and browsers; `None` where it has none to send to.
        clock: The time that all its parts use.
        is_running: Whether it was started, and not closed since.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        backend: FullBackend | None = None,
        clock: Clock | None = None,
        authorize: Authorize | None = None,
        on_transition: Callable[[Event], object] | None = None,
        hooks_text: str | None = None,
    ) -> None:
        """Put the parts together; nothing is opened yet.

        Args:
            settings: How it runs.
            backend: Keeps the sessions, in place of the one that the setting `store` names.
            clock: The time; the system's by default.
            authorize: Decides on every request, in place of tokens; see `create_app`.
            on_transition: Called with each transition that is committed here; see `ProgressHub`.
            hooks_text: What the file of hooks had when it was read.

        Raises:
            ConfigurationError: The settings contradict each other.
        """
        clock = clock or SystemClock()
        self.settings = settings
        self.body_limits = BodyLimits(settings.max_body_bytes, settings.max_text_chars, settings.max_total_steps)
        backend = backend or make_backend(settings)
        self.tickets = Tickets(backend if isinstance(backend, OneTimeStore) else MemoryOneTimeStore(clock))
        self._rate_limiter = make_rate_limiter(settings) if settings.has_rates else None
        self.authorizer: Authorizer = (
            CallbackAuthorizer(authorize, self._rate_limiter)
            if authorize
            else TokenAuthorizer(settings, self.tickets, clock, self._rate_limiter)
        )
        self._on_transition = _transition_notifier(on_transition) if on_transition else None
        workflows = make_workflows(settings)
        self.store = ProgressStore(
            backend, workflows=workflows, clock=clock, on_commit=self._on_transition, learn=settings.learn
        )
        self.notifier = make_notifier(settings, self.store, clock, hooks_text)
        if self.notifier is not None:
            self.store.committer.on_commit = self._on_commit
        self.session_counts = SessionCounts(backend, clock)
        self.polls: Counter[PollResult] = Counter()
        self.refusals: Counter[str] = Counter()
        self.verdicts: Counter[Verdict] = Counter()
        self._heartbeat = Heartbeat(settings.heartbeat_s, clock)
        self._expiry = Expiry(clock)
        self.streams = Streams(
            Hub(backend, retry_ms=settings.retry_ms),
            self._heartbeat,
            self._expiry,
            clock,
            retry_ms=settings.retry_ms,
            send_timeout_s=settings.send_timeout_s,
            max_streams=settings.max_streams,
            max_streams_per_caller=settings.max_streams_per_caller,
        )
        self.clock = clock
        self._tasks: list[asyncio.Task[None]] = []
        self._starting = asyncio.Lock()
        self._reloading: asyncio.Task[None] | None = None
        self._opening = HealthLog("The progress server waits for its store")
        self._signals = ExitStack()
        self.is_running = False

    async def start(self) -> None:
        """Open the store, and start the heartbeats, the clean-up and the notices.

        Raises:
            StoreRefusedError: The store cannot be used as it is.
        """
        await self.store.open()
        loop = asyncio.get_running_loop()
        watcher = LeaseWatcher(self.store, self.clock)
        self.verdicts = watcher.verdicts
        runs = {"heartbeat": self._heartbeat.run(), "clean-up": self._clean_up(), "leases": watcher.run()}
        if not (self.authorizer.is_open_to("read") and self.authorizer.is_open_to("list")):
            runs["expiry"] = self._expiry.run()
        self._tasks = [loop.create_task(run, name=name) for name, run in runs.items()]
        if self.notifier is not None:
            await self.notifier.start()
        self.is_running = True

    def _on_commit(self, change: Change) -> None:
        if self.notifier is not None:
            self.notifier.on_commit(change)
        if self._on_transition is not None:
            self._on_transition(change)

    async def reload_hooks(self) -> None:
        """Read the file of hooks again.

        Raises:
            ConfigurationError: The file cannot be used; the hooks that were in force before stay so.
        """
        if self.notifier is not None and self.is_running:
            await self.notifier.reload()

    def reload_hooks_soon(self) -> None:
        """Read the file of hooks again; a mistake is logged."""
        self._reloading = asyncio.get_running_loop().create_task(self._try_to_reload_hooks())

    async def _try_to_reload_hooks(self) -> None:
        try:
            await self.reload_hooks()
        except ConfigurationError as error:
            logger.error("%s The hooks stay as they were.", error)
        else:
            logger.info("the hooks were read again")

    async def start_if_needed(self) -> None:
        """Start under a server that is not ours, unless already started; the process's exit signal ends the streams.

        Raises:
            StoreUnavailableError: The store cannot be used as it is; the log has the reason once.
        """
        async with self._starting:
            if not self.is_running:
                try:
                    await self.start()
                except StoreRefusedError as error:
                    self._opening.record(error)
                    raise StoreUnavailableError from error
                self._opening.record(None)
                self._signals.enter_context(called_on_exit(self.streams.drain))

    async def keep_starting(self) -> None:
        """Start as soon as the store can be used."""
        while not self.is_running:
            await self.clock.sleep(RETRY_S)
            with suppress(StoreUnavailableError):
                await self.start_if_needed()

    @property
    def fault(self) -> str | None:
        """The part that no longer works, so that only another process helps; `None` if all parts work."""
        tasks = [*self._tasks, *(() if self.notifier is None else self.notifier.tasks)]
        stopped = [task.get_name() for task in tasks if self.is_running and task.done()]
        if stopped:
            return f"{stopped[0]} stopped"
        return "store stuck" if self.store.monitor.longest_wait_s > STUCK_S else None

    async def aclose(self) -> None:
        """End all streams, stop the tasks, finish accepted commands, close the store."""
        async with self._starting:  # A request that comes meanwhile starts it again, once it is closed.
            await self._close()

    async def _close(self) -> None:
        self.is_running = False
        self.streams.drain()  # They would get no more events.
        self._signals.close()
        for task in self._tasks:
            task.cancel()
        try:
            await asyncio.gather(*self._tasks, return_exceptions=True)
            if self.notifier is not None:
                await self.notifier.aclose()
        finally:  # Otherwise the store would stay in use if this is cancelled.
            await self.store.aclose(timeout_s=self.settings.graceful_timeout_s)
            if self._rate_limiter is not None:
                await self._rate_limiter.aclose()
            self.streams.reopen()

    async def _clean_up(self) -> None:
        while True:
            await self.clock.sleep(self.settings.cleanup_interval_s)
            session_json.forget_definitions()
            try:
                removed = await self.store.cleanup_old_sessions(self.settings.max_age_hours)
            except ProblemError as error:
                logger.warning("clean-up failed and will be tried again: %s", error)
            except Exception:
                logger.exception("clean-up failed and will be tried again")
            else:
                if removed:
                    logger.info("clean-up removed %d sessions", removed)


@asynccontextmanager
async def running(service: ProgressService) -> AsyncIterator[None]:
    """Run the service inside an application that has a lifespan.

    The application starts even if the store cannot be used: requests get 503 until it can.
    """
    starting = None
    try:
        await service.start_if_needed()
    except StoreUnavailableError:
        starting = asyncio.create_task(service.keep_starting(), name="starting")
    try:
        yield
    finally:
        if starting is not None:
            starting.cancel()
        await service.aclose()


def _transition_notifier(on_transition: Callable[[Event], object]) -> Callable[[Change], None]:
    def notify(change: Change) -> None:
        for event in _events_of(change):
            try:
                on_transition(event)
            except Exception:
                logger.exception("on_transition failed")

    return notify


def _events_of(change: Change) -> Iterator[Event]:
    record = change.record
    if record is None:
        return
    if change.resets_log:
        yield Event("snapshot", str(record.position), json.loads(record.body))
        return
    for entry in change.entries:
        position = Position(record.position.epoch, entry.offset)
        yield Event("step" if entry.step else "session", str(position), json.loads(entry.data))
