"""Rules that the bytes of each stream show, whatever it is about."""

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from progress_sse.story.session_state import parsed

WATCHED: Final = ("P-5.3", "P-5.5", "P-5.12", "P-5.16", "P-5.17", "P-6.1", "P-6.4")
"""The requirements that each stream shows: `faults` checks all but P-5.5, which a poll beside it shows."""

_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_EVENT_ID: Final = re.compile(r"[A-Za-z0-9._~-]{1,128}")
_ESCAPED: Final = re.compile("[<\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")


class Event(NamedTuple):
    """An event as it was sent; `event_id` is `None` where it has none of its own."""

    name: str
    event_id: str | None
    data: str

    def shown(self) -> dict[str, Any]:
        """Return it in the form of the vectors, or raise a `ValueError` if its data is no JSON."""
        identified = {} if self.event_id is None else {"id": self.event_id}
        return {"event": self.name, **identified, "data": parsed(self.data)}


def blocks(text: str) -> Iterator[list[str]]:
    """Yield the lines of each part of a stream that has ended with an empty line."""
    lines: list[str] = []
    for line in _LINE_END.split(text)[:-1]:
        if line:
            lines.append(line)
        else:
            yield lines
            lines = []


def event_of(lines: list[str]) -> Event | None:
    """Return the event of a block; `None` if it has no data."""
    fields = [(name, value.removeprefix(" ")) for name, _, value in (line.partition(":") for line in lines)]
    last = dict(fields)
    data = "\n".join(value for name, value in fields if name == "data")
    return Event(last.get("event") or "message", last.get("id"), data) if "data" in last else None


def faults(text: str, sent: dict[tuple[str, str], str]) -> Iterator[tuple[str, str]]:
    """Yield the number of each requirement that a stream breaks, and how.

    Args:
        text: All of it so far.
        sent: The data of each event by its name and id, of this and earlier streams; events of this one are added.
    """
    parts = list(blocks(text))
    for place, lines in enumerate(parts):
        event = event_of(lines)
        if event is not None:
            yield from _faults_of(event, sent)
            if not any(line.startswith("retry:") for line in lines) and (event.name == "snapshot" or place == 0):
                yield "P-5.3", f"no retry in the block of {event.name} {event.event_id}"
        elif place < len(parts) - 1 or not {"retry"} <= {line.partition(":")[0] for line in lines} <= {"", "retry"}:
            yield "P-5.16", f"an empty line after {lines!r}"


def _faults_of(event: Event, sent: dict[tuple[str, str], str]) -> Iterator[tuple[str, str]]:
    if event.name in ("error", "open"):
        yield "P-5.12", f"an event {event.name}"
    if event.event_id is not None and not _EVENT_ID.fullmatch(event.event_id):
        yield "P-6.1", f"the id {event.event_id!r}"
    if _ESCAPED.search(event.data):
        yield "P-5.17", f"not escaped: {event.data!r}"
    if event.event_id and sent.setdefault((event.name, event.event_id), event.data) != event.data:
        yield "P-6.4", f"the id {event.event_id} of two events {event.name}"
