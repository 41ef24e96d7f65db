"""The bridges as type checkers see them; never run."""

from collections.abc import Iterator
from typing import assert_type

from dramatiq import Broker
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from rq import SimpleWorker
from taskiq import AsyncBroker

from progress_sse import Progress
from progress_sse.bridges import dramatiq, taskiq
from progress_sse.bridges.agents import AgentProgress, mirror
from progress_sse.bridges.celery import report_tasks
from progress_sse.bridges.django_tasks import task
from progress_sse.bridges.opentelemetry import KeepSessions, SessionProcessor
from progress_sse.bridges.rich import ReportingProgress
from progress_sse.bridges.rq import ReportingMixin
from progress_sse.bridges.tqdm import tqdm, trange


def bars() -> None:
    """Iteration keeps the type of the items."""
    with Progress("a") as progress, progress.step(1) as step:
        assert_type(iter(tqdm(["row"], "Rows", leave=False)), Iterator[str])
        assert_type(iter(trange(3, step=step)), Iterator[int])
        with tqdm(total=8) as bar:
            bar.update(2.5)
        with ReportingProgress() as shown:
            shown.advance(shown.add_task("Rows", step=step), 0.5)
        tqdm(["row"], step=1)  # type: ignore[call-overload]


class Worker(ReportingMixin, SimpleWorker):
    """A user's own kind of worker."""


def queues(broker: Broker, other: AsyncBroker) -> None:
    """Calls that make workers report."""
    report_tasks()
    broker.add_middleware(dramatiq.ReportingMiddleware())
    other.with_middlewares(taskiq.ReportingMiddleware())
    broker.add_middleware(taskiq.ReportingMiddleware())  # type: ignore[arg-type]


@task(progress_step=1, priority=10)
def parse(path: str) -> int:
    """A task of Django."""
    return len(path)


def tasks() -> None:
    """A call may have the keywords of its step."""
    parse.enqueue("rows.csv", progress_session="import-42")
    task(parse.func)
    task(1)  # type: ignore[call-overload]


async def calls() -> None:
    """A function that gets the progress is one of coroutines."""
    AgentProgress("a", accepts=["cancel"]).end(1, KeyError())
    assert_type(await mirror("a", print), str | None)  # type: ignore[arg-type]


def spans() -> None:
    """A processor and a sampler of the SDK; a function that names sessions may return anything, or nothing."""
    provider = TracerProvider(sampler=KeepSessions(ALWAYS_OFF))
    provider.add_span_processor(SessionProcessor(session_of=lambda span: span.name, accept_baggage=True))
    SessionProcessor(session_of=lambda span: span.nothing)  # type: ignore[attr-defined]
    SessionProcessor(lambda span: span.name)  # type: ignore[call-arg]
