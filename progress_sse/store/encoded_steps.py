"""The steps of a change as every backend stores them."""

from progress_sse.store.types import Change, Record
from progress_sse.wire import session_json


def encode_steps(change: Change, record: Record) -> tuple[dict[int, bytes], bytes | None]:
    """Return the JSON of a change's steps by number, and of the session without steps, where a transition contains it.

    What transitions contain is not encoded again: all of a step but its parts, of which they contain a few.
    """
    steps: dict[int, bytes] = {}
    summary: bytes | None = None
    further = set(change.steps)
    known = record.session.progress.steps
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
    return steps, summary
