"""The counts of bars in the whole units of steps."""

import math
from collections.abc import Callable, Iterable

from progress_sse.client.errors import SuppressReportingErrors
from progress_sse.client.steps import BaseStep
from progress_sse.core.model import MAX_SAFE_INTEGER


def report_units(step: BaseStep, done: Iterable[float], totals: Iterable[float | None], message: str | None) -> None:
    """Report the sum of the bars of a step.

    Args:
        step: The step of the bars.
        done: Units that are done, rounded down and at least 0. A value that is no number is not reported.
        totals: The total of each bar; the sum is unknown if one is `None`, infinite, or no number.
        message: The description of the bars; `None` leaves the step's message as it is.
    """
    current = _units(done, math.floor)
    if current is not None:
        step.report(current, _units(totals, math.ceil) or None, message=message)


def _units(numbers: Iterable[float | None], whole: Callable[[float], int]) -> int | None:
    """Return a sum in whole units; `None` if a step cannot have it. The libraries accept any object as a number."""
    with SuppressReportingErrors():
        units = max(0, whole(sum(numbers)))  # type: ignore[arg-type]  # which this checks
        return units if units <= MAX_SAFE_INTEGER else None
    return None
