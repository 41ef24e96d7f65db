"""How far bars are, as steps have it: in whole units."""

import math
from collections.abc import Callable, Iterable

from progress_sse.client.errors import TroubleKept
from progress_sse.client.handle import BaseStep
from progress_sse.core.model import MAX_SAFE_INTEGER


def report_units(step: BaseStep, done: Iterable[float], totals: Iterable[float | None], message: str | None) -> None:
    """Report where the bars of a step are, added up.

    Args:
        step: The step that they stand for.
        done: Units that are done; what is more than whole ones is left out, and what is less than none. What is no
            number of units is not reported.
        totals: Of how many; the total is unknown where that of one is: `None`, infinite, or no number of units.
        message: What the bars say they are about; `None` leaves the step's message as it is.
    """
    current = _units(done, math.floor)
    if current is not None:
        step.report(current, _units(totals, math.ceil) or None, message=message)


def _units(numbers: Iterable[float | None], whole: Callable[[float], int]) -> int | None:
    """Return a sum in whole units; `None` where it is none that a step can have. The host takes any object for one."""
    with TroubleKept():
        units = max(0, whole(sum(numbers)))  # type: ignore[arg-type]  # that is the question
        return units if units <= MAX_SAFE_INTEGER else None
    return None
