"""Everything that a running server consists of, put together from its settings."""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from progress_sse._internal.clock import Clock, SystemClock
from progress_sse._internal.exit_signals import called_on_exit
from progress_sse._internal.optional_imports import from_extra
from progress_sse.api.request_models import BodyLimits
from progress_sse.auth.authorizer import Authorize, Authorizer, CallbackAuthorizer, make_authorizer
from progress_sse.auth.tickets import MemoryOneTimeStore, OneTimeStore, Tickets
from progress_sse.core.errors import ConfigurationError, ProblemError
from progress_sse.core.events import Event
from progress_sse.core.model import Position
from progress_sse.core.workflows import Workflows, load_workflows
from progress_sse.settings import Settings
from progress_sse.store.backend import Backend
from progress_sse.store.memory import MemoryBackend
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.session_counts import SessionCounts
from progress_sse.store.sqlite.backend import SqliteBackend
from progress_sse.store.types import Change, StorageLimits
from progress_sse.streaming.expiry import Expiry
from progress_sse.streaming.heartbeat import Heartbeat
from progress_sse.streaming.hub import Hub
from progress_sse.streaming.registry import Streams
from progress_sse.wire import session_json

if TYPE_CHECKING:
    from progress_sse.auth.rate_limits import Rates

logger = logging.getLogger(__name__)

MEMORY_URL: Final = "memory://"
SQLITE_PREFIX: Final = "sqlite:///"
REDIS_URLS: Final = (
    "redis://HOST:PORT/DB, rediss://HOST:PORT/DB, redis+sentinel://HOST:PORT,HOST:PORT/MASTER/DB"
    " or redis+cluster://HOST:PORT,HOST:PORT"
)
"""How a store in Redis may be named, for whoever has named it otherwise."""

EXPIRY_MARGIN_S: Final = 3600
"""Seconds for which Redis keeps a session beyond the clean-up that should have removed it."""


STUCK_S: Final = 60
"""Seconds after which a commit is not slow but stuck: every backend gives up by itself long before."""

PollAnswer: TypeAlias = Literal["200", "304", "not_found"]


class ProgressService:
    """A store, its readers, and what runs beside them.

    Attributes:
        settings: What it was made from.
        store: The operations on sessions.
        streams: The live streams.
        authorizer: Decides who may do what.
        tickets: What single streams are opened with.
        census: How many sessions there are.
        polls: How many polls were answered, by how.
        refusals: How many requests were refused, by the last segment of the problem's type.
        body_limits: How large requests may be.
        clock: The time, for everything in it.
        is_running: Whether it has been started, and not closed.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        backend: Backend | None = None,
        clock: Clock | None = None,
        authorize: Authorize | None = None,
        on_transition: Callable[[Event], object] | None = None,
    ) -> None:
        """Put the parts together; nothing is opened yet.

        Args:
            settings: How it runs.
            backend: Where sessions are kept, if not where the setting `store` says.
            clock: The time.
            authorize: Decides on every request, in place of tokens; see `create_app`.
            on_transition: Called with each transition that is committed here; see `ProgressHub`.

        Raises:
            ConfigurationError: The settings do not go together.
        """
        clock = clock or SystemClock()
        self.settings = settings
        self.body_limits = BodyLimits(settings.max_body_bytes, settings.max_text_chars, settings.max_total_steps)
        backend = backend or make_backend(settings)
        self.tickets = Tickets(backend if isinstance(backend, OneTimeStore) else MemoryOneTimeStore(clock))
        authorizer = CallbackAuthorizer(authorize) if authorize else make_authorizer(settings, self.tickets, clock)
        self._rates = _rates(settings)
        self.authorizer: Authorizer = authorizer if self._rates is None else self._rates.limited(authorizer)
        on_commit = _teller(on_transition) if on_transition else None
        self.store = ProgressStore(backend, workflows=_workflows(settings), clock=clock, on_commit=on_commit)
        self.census = SessionCounts(backend, clock)
        self.polls: Counter[PollAnswer] = Counter()
        self.refusals: Counter[str] = Counter()
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
        self._signals = ExitStack()
        self.is_running = False

    async def start(self) -> None:
        """Open the store, and begin to beat and to clean up.

        Raises:
            StoreRefusedError: The store cannot be used as it is.
        """
        await self.store.open()
        loop = asyncio.get_running_loop()
        runs = {"heartbeat": self._heartbeat.run(), "clean-up": self._clean_up()}
        if not self.authorizer.is_open_to("read"):
            runs["expiry"] = self._expiry.run()
        self._tasks = [loop.create_task(run, name=name) for name, run in runs.items()]
        self.is_running = True

    async def start_if_needed(self) -> None:
        """Start under a server that is not ours, unless that was done; the end of the process ends the streams.

        Raises:
            StoreRefusedError: The store cannot be used as it is.
        """
        async with self._starting:
            if not self.is_running:
                await self.start()
                self._signals.enter_context(called_on_exit(self.streams.drain))

    @property
    def fault(self) -> str | None:
        """What has come to a standstill, so that only another process helps; `None` if nothing has."""
        stopped = [task.get_name() for task in self._tasks if self.is_running and task.done()]
        if stopped:
            return f"{stopped[0]} stopped"
        return "store stuck" if self.store.longest_wait_s > STUCK_S else None

    async def aclose(self) -> None:
        """End all streams, stop what runs, finish what was accepted, close the store."""
        async with self._starting:  # Whoever comes meanwhile starts it anew, once it is closed.
            await self._close()

    async def _close(self) -> None:
        self.is_running = False
        self.streams.drain()  # Nobody would tell them anything any more.
        self._signals.close()
        for task in self._tasks:
            task.cancel()
        try:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        finally:  # Or the store would stay in use, where this is cancelled.
            await self.store.aclose(timeout_s=self.settings.graceful_timeout_s)
            if self._rates is not None:
                await self._rates.aclose()
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

    Raises:
        StoreRefusedError: The store cannot be used as it is.
    """
    await service.start_if_needed()
    try:
        yield
    finally:
        await service.aclose()


def _teller(on_transition: Callable[[Event], object]) -> Callable[[Change], None]:
    def tell(change: Change) -> None:
        for entry in change.entries:
            assert change.record is not None
            position = Position(change.record.position.epoch, entry.offset)
            try:
                on_transition(Event("step", str(position), json.loads(entry.data)))
            except Exception:
                logger.exception("on_transition failed")

    return tell


def make_backend(settings: Settings) -> Backend:
    """Return the backend that the setting `store` names, not yet opened.

    Raises:
        ConfigurationError: There is none for it, or it does not fit the other settings.
    """
    limits = StorageLimits(settings.history, settings.history_bytes, settings.max_sessions)
    url = settings.store
    if settings.has_redis:
        return _redis_backend(settings, limits)
    if settings.workers > 1:
        raise ConfigurationError(f"{url.partition('://')[0]} is a store of one process, so --workers must be 1.")
    if url == MEMORY_URL:
        return MemoryBackend(limits)
    if url.startswith(SQLITE_PREFIX) and len(url) > len(SQLITE_PREFIX):
        return SqliteBackend(Path(url.removeprefix(SQLITE_PREFIX)), limits)
    raise ConfigurationError(f"store must be memory://, sqlite:///PATH, {REDIS_URLS}.")


def _rates(settings: Settings) -> "Rates | None":
    if settings.publish_rate is None and settings.read_rate is None:
        return None
    with from_extra("rates", "limits", need="Rates need"):
        from progress_sse.auth.rate_limits import make_rates
    return make_rates(settings)


def _redis_backend(settings: Settings, limits: StorageLimits) -> Backend:
    with from_extra("redis", "redis", "hiredis", need="A store in Redis needs"):
        from progress_sse.store.redis.backend import RedisBackend
    # A session that is still cleaned up is told to its readers, so the server lets go of it well after that.
    lifetime_s = settings.max_age_hours * 3600 + 2 * settings.cleanup_interval_s + EXPIRY_MARGIN_S
    try:
        return RedisBackend(settings.store, limits, prefix=settings.redis_prefix, lifetime_s=lifetime_s)
    except (ValueError, TypeError) as error:  # redis-py's text may repeat the URL.
        raise ConfigurationError(f"store is no URL of a Redis: {REDIS_URLS}.") from error


def _workflows(settings: Settings) -> Workflows:
    if settings.steps_file is None:
        return Workflows()
    return load_workflows(
        settings.steps_file, max_total_steps=settings.max_total_steps, max_text_chars=settings.max_text_chars
    )
