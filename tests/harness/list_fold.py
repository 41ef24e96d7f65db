"""A list as one of its readers has it: the fold of the events on its stream."""

import json
from collections.abc import Mapping
from typing import Any, Final

WINDOW: Final = 100
"""Sessions that a `list` event has, and that a reader surely knows."""


class ListFold:
    """The sessions that a reader of a list knows.

    Attributes:
        entries: Their entries, by id.
        has_more: Whether there were older ones when it began.
        lists: How many `list` events it got.
    """

    def __init__(self) -> None:
        self.entries: dict[str, Any] = {}
        self.has_more = False
        self.lists = 0

    def apply(self, event: str, data: Mapping[str, Any]) -> None:
        if event == "list":
            self.lists += 1
            self.entries = {each["session_id"]: each for each in data["sessions"]}
            self.has_more = data["more"]
            assert len(self.entries) == len(data["sessions"]) <= WINDOW
        elif event == "session":
            assert self.lists, "a session before the list"
            self.entries[data["session"]["session_id"]] = data["session"]
        elif event == "removed":
            self.entries.pop(data["session_id"], None)

    def apply_text(self, event: str, data: str) -> None:
        self.apply(event, json.loads(data))

    @property
    def newest(self) -> list[Any]:
        ordered = sorted(self.entries.values(), key=lambda each: (each["created_at"], each["session_id"]), reverse=True)
        return ordered[:WINDOW]
