"""How far bars are, as steps have it: in whole units."""

import math

from progress_sse.client.handle import BaseStep


def report_units(step: BaseStep, current: float, total: float | None, message: str | None) -> None:
    """Report where a bar is.

    Args:
        step: The step that it stands for.
        current: Units that are done; what is more than whole ones is left out, and what is less than none. What is no
            number of units is not reported.
        total: Of how many; `None`, or infinitely many, where that is unknown.
        message: What the bar says it is about; `None` leaves the step's message as it is.
    """
    if not math.isfinite(current):
        return
    is_known = total is not None and math.isfinite(total)
    step.report(max(0, math.floor(current)), max(0, math.ceil(total)) if is_known and total else None, message=message)
