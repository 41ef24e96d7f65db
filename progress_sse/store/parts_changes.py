"""What a change makes of the parts of a step, so that it can be sent without the parts that stay as they are."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from progress_sse.core.model import StepProgress
from progress_sse.core.parts import Part, Parts


class PartsChange(NamedTuple):
    """The parts of one step after a change.

    Attributes:
        step: The number of the step.
        total: How many parts there will be; `None` where no worker reported it.
        is_whole: Whether `reported` are all of its parts, in place of those so far.
        reported: Those that the change added or changed, in the order of their first report.
    """

    step: int
    total: int | None
    is_whole: bool
    reported: tuple[Part, ...]


def parts_changes(
    before: Mapping[int, StepProgress], after: Mapping[int, StepProgress], numbers: Iterable[int]
) -> tuple[PartsChange, ...]:
    """Return what a change made of the parts of these steps, as far as they have any."""
    changes = dict[int, PartsChange]()
    for number in numbers:
        parts = after[number].parts
        if parts is not None and number not in changes:
            step = before.get(number)
            changes[number] = _changed(number, step.parts if step is not None else None, parts)
    return tuple(changes.values())


def _changed(number: int, before: Parts | None, after: Parts) -> PartsChange:
    known = before.by_name if before is not None else dict[str, Part]()
    parts = after.by_name
    is_whole = list(parts)[: len(known)] != list(known)
    reported = [part for name, part in parts.items() if is_whole or known.get(name) is not part]
    return PartsChange(number, after.total, is_whole, tuple(reported))


def with_parts(step: StepProgress, before: Parts | None, change: PartsChange) -> StepProgress:
    """Return the step with its parts after the change; `before` are those that it had."""
    known = dict[str, Part]() if change.is_whole or before is None else before.by_name
    return step._replace(parts=Parts(change.total, {**known, **{part.part: part for part in change.reported}}))
