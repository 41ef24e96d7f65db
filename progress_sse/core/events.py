"""What is told of a session, to Python code as to browsers: an event with its id and its documented data."""

from typing import Any, NamedTuple


class Event(NamedTuple):
    """A `snapshot` or a `step` [docs/protocol.md].

    Attributes:
        event: Which of the two.
        event_id: Where whoever has it is in the session's history.
        data: What polling answers at that position; or the step that changed, and its session without the others.
    """

    event: str
    event_id: str
    data: dict[str, Any]
