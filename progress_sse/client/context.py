"""The reporter and the step whose blocks code runs in."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from progress_sse.client.handle import Reporter
    from progress_sse.client.step import BaseStep

reporter_here: Final[ContextVar["Reporter | None"]] = ContextVar("progress_sse_reporter", default=None)
step_here: Final[ContextVar["BaseStep | None"]] = ContextVar("progress_sse_step", default=None)


def active() -> "Reporter | None":
    """Return the reporter whose block this code runs in; a new thread begins without one."""
    return reporter_here.get()


def running_step() -> "BaseStep | None":
    """Return the step whose block this code runs in; a new thread begins without one."""
    return step_here.get()


@contextmanager
def inside(step: "BaseStep") -> Iterator[None]:
    """Run this block in a step that starts and ends elsewhere; reports nothing, and does not block."""
    outer, outer_step = reporter_here.get(), step_here.get()
    reporter_here.set(step.reporter)
    step_here.set(step)
    try:
        yield
    finally:
        reporter_here.set(outer)
        step_here.set(outer_step)
