"""The event that Python code and browsers get of a session: its name, id and documented data."""

from typing import Any, NamedTuple


class Event(NamedTuple):
    """A `snapshot`, a `step` or a `session` [docs/protocol.md]; of a list, a `list`, a `session` or a `removed`.

    Attributes:
        event: The name: which of these it is.
        event_id: The position in the session's history that a subscriber has reached with it; empty of a list.
        data: Of a `snapshot`, the session as polling shows it at that position. Of a `step`, the step that changed, and
            its session without the other steps. Of a `session`, the session without its steps.
    """

    event: str
    event_id: str
    data: dict[str, Any]
