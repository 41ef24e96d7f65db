"""`Progress`, for blocking code."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from types import TracebackType
from typing import Final, ParamSpec, Self, TypeVar, Unpack

from progress_sse.client.config import Options
from progress_sse.client.definitions import Labels, Links, define
from progress_sse.client.inbox import Inbox, Request, calling
from progress_sse.client.report_queue import ReportQueue, start_thread
from progress_sse.client.reporter import BaseReporter, Reporter, active_reporter, last_wait
from progress_sse.client.steps import BaseStep, length
from progress_sse.client.targets import OnLoop, Transport
from progress_sse.client.thread_sender import thread_sender
from progress_sse.core.model import StepDefinition

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class SyncOptions(Options, total=False):
    """The options of `Progress`.

    Attributes:
        transport: Used in place of HTTP to the URL; called by the reporting thread.
    """

    transport: Transport | OnLoop | None


class Step(BaseStep):
    """A step in blocking code."""

    def track(self, items: Iterable[T], total: int | None = None) -> Iterator[T]:
        """Iterate over `items`, and advance by one after each.

        Args:
            items: The items to iterate over.
            total: Their number; `None` takes it from their `len`, if they have one.

        Raises:
            Cancelled: A reader has asked to cancel the job, which accepts that.
        """
        self.report(0, length(items) if total is None else total)
        inbox = self.reporter.inbox
        for item in items:
            if inbox.cancel is not None:
                self.check()
            yield item
            self._tracked += 1
            if not self._latest.is_waiting:
                self.advance(0)

    def run(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function as this step, and return what it returns."""
        with self:
            return function(*args, **kwargs)


class Progress(BaseReporter[Step]):
    """Reports the steps of a job from blocking code, and never delays it.

    ::

        with Progress("import-42", steps=["Download", "Parse", "Save"]) as progress:
            with progress.step(1):
                download()
            with progress.step(2) as step:
                for row in step.track(rows):
                    parse(row)
            progress.step(3).run(save)

    The session is created when the block is entered or the first step starts; it replaces one of that id. `attach`
    continues an existing session instead. An exception that leaves the block ends the session with failure; after
    `attach` it ends the steps that were started here and still run. Only `flush`, `close` and the end of the block wait
    for the network, and their wait is limited. No method raises errors of reporting, unless ``on_error="raise"``.
    """

    _step_class = Step

    def __init__(
        self,
        session_id: str | None = None,
        *,
        steps: Sequence[str | StepDefinition] | None = None,
        workflow: str | None = None,
        title: str | None = None,
        labels: Labels | None = None,
        links: Links | None = None,
        open_ended: bool = False,
        profile: str | None = None,
        **options: Unpack[SyncOptions],
    ) -> None:
        """Prepare a session.

        Args:
            session_id: Its id; else `PROGRESS_SSE_SESSION`.
            steps: Its steps, by their names or with their times; `None` leaves them to the server.
            workflow: The name of steps that the server knows; `None` is its default ones, or of an open-ended session
                none.
            title: Its name for people, at most 200 characters. All readers of the session read it, and what follows.
            labels: Texts by which it is found, at most 16.
            links: Pages about it, at most 20: URLs by their labels, or pairs of both. A URL has http or https, or is a
                path of the server's host.
            open_ended: Whether it gets its steps as they start. Then the end of the block completes it, and nothing
                else but `finish`.
            profile: The name under which the server learns what its steps take from run to run, so that it knows when
                later runs will end. It has the form of a session id, and who reports must be allowed to publish to
                it as to a session; otherwise the session is created without it.
            options: See `SyncOptions`.

        Raises:
            ConfigurationError: Only with ``on_error="raise"``: the session or the URL cannot be used.
        """
        definition = partial(define, steps, workflow, title, labels, links, open_ended, profile)
        self._set_up(session_id, definition, options, options.get("transport"))

    @classmethod
    def attach(cls, session_id: str | None = None, **options: Unpack[SyncOptions]) -> Self:
        """Return a progress that continues an existing session; the first step creates one if there is none."""
        progress = cls.__new__(cls)
        cls._set_up(progress, session_id, None, options, options.get("transport"))
        return progress

    def _announcer(self) -> Callable[[Request], bool]:
        return partial(start_thread, _announce, self.inbox, self._callbacks)

    def flush(self, timeout_s: float | None = None) -> bool:
        """Wait until all reports are sent, at most so long (`None`: `flush_timeout_s`); return whether they are."""
        if isinstance(self.sink, ReportQueue):
            thread_sender().wait([self.sink], self.sink.flush_timeout_s if timeout_s is None else timeout_s)
        return self.sink.is_settled

    def close(self) -> None:
        """Wait as the end of the block does.

        Raises:
            ReportError: Only with ``on_error="raise"``: a report was refused, or the server was away for too long.
        """
        self.inbox.is_closed = True
        self._conclude(self._last_flush(self._close_timeout_s))

    def _last_flush(self, timeout_s: float | None = None) -> bool:
        with last_wait(self.sink) as patience_s:
            return self.flush(patience_s if timeout_s is None else timeout_s)

    def __enter__(self) -> Self:
        self._enter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._leave(error)
        finally:
            if error is None:
                self.close()
            else:
                self._last_flush()


def _announce(inbox: Inbox, callbacks: Sequence[Callable[[Request], object]], request: Request) -> None:
    with request.announced_to(callbacks) as untold:
        for callback in untold:
            with calling():
                callback(request)
    inbox.proceed(request)


def current() -> Reporter:
    """Return the progress whose block this code runs in, or one that does nothing.

    It is found from every function that the block calls, and from its tasks. A thread that the block starts has it only
    if it was given the block's context (as `asyncio.to_thread` does, or ``contextvars.copy_context().run``).
    """
    return active_reporter.get() or _NOTHING


_NOTHING: Final = Progress.__new__(Progress)
