"""The steps of a change as every backend stores them."""

from typing import NamedTuple

from progress_sse.store.types import Change, Record
from progress_sse.wire import session_json


class EncodedSteps(NamedTuple):
    """The steps of a change, encoded.

    Attributes:
        steps: Their JSON, by number.
        summary: The session's JSON without its steps, where it has been encoded already; `None` elsewhere.
    """

    steps: dict[int, bytes]
    summary: bytes | None


def encode_steps(change: Change, record: Record) -> EncodedSteps:
    """Return the steps of a change that leads to `record`; what its transitions contain is not encoded again.

    Transitions contain all of a step but its parts, of which they contain a few.
    """
    steps, summary = dict[int, bytes](), None
    further, known = set(change.steps), record.session.progress.steps
    for entry in change.entries:
        step, summary = session_json.split_transition(entry.data)
        if not entry.step:
            continue
        if known[entry.step].parts is None:
            steps[entry.step] = step
        else:
            further.add(entry.step)
    for number in further - steps.keys():
        steps[number] = session_json.encode_step(known[number])
    return EncodedSteps(steps, summary)
