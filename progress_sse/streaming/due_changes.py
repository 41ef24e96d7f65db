"""When the changes of sessions are told to those who follow lists. Pure: the time is handed in.

Of one session at most four changes a second are told. That a session has ended, or is gone, is told at once.
"""

import heapq
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final, Literal, NamedTuple, TypeAlias

from progress_sse.core.model import SessionStatus
from progress_sse.store.types import ChangedSession

INTERVAL_S: Final = 0.25
"""Seconds between two changes of one session that are told."""

_ToldStatus: TypeAlias = SessionStatus | Literal["unread"] | None
"""The status of a session when it was told; `unread` while it is being read."""

_ENDED: Final[frozenset[SessionStatus | None]] = frozenset({None, "completed", "error"})


class _Told(NamedTuple):
    at: float
    status: _ToldStatus


class DueChanges:
    """The sessions that changed and are still to be told, and when."""

    def __init__(self) -> None:
        """Begin with nothing to tell."""
        self._at_once: dict[str, None] = {}
        self._later: dict[str, float] = {}
        self._due: list[tuple[float, str]] = []
        """A heap of what is in `_later`, and of what has been there: that is passed over."""
        self._told: OrderedDict[str, _Told] = OrderedDict()

    def add(self, change: ChangedSession, now: float) -> None:
        """Take note of a change."""
        session_id, status = change
        self._forget_told(now)
        told = self._told.get(session_id)
        is_end = status in _ENDED and (told is None or told.status != status)
        if told is None or is_end:
            self.add_now([session_id])
        elif session_id not in self._at_once and session_id not in self._later:
            due_at = self._later[session_id] = told.at + INTERVAL_S
            heapq.heappush(self._due, (due_at, session_id))

    def add_now(self, session_ids: Iterable[str]) -> None:
        """Have sessions told at once, as something of them may have been missed."""
        for session_id in session_ids:
            self._later.pop(session_id, None)
            self._at_once[session_id] = None

    def take(self, now: float, most: int) -> Sequence[str]:
        """Return sessions that are due, and count them as told: what changes while they are read waits its time."""
        while self._due and self._due[0][0] <= now:
            due_at, session_id = heapq.heappop(self._due)
            if self._later.get(session_id) == due_at:
                self.add_now([session_id])
        taken = list(islice(self._at_once, most))
        for session_id in taken:
            del self._at_once[session_id]
            self._note(session_id, "unread", now)
        return taken

    def note_told(self, session_id: str, status: SessionStatus | None, now: float) -> None:
        """Take note that a session was told."""
        self._note(session_id, status, now)

    def _note(self, session_id: str, status: _ToldStatus, now: float) -> None:
        self._told.pop(session_id, None)
        self._told[session_id] = _Told(now, status)

    def wait_s(self, now: float) -> float | None:
        """Return the seconds until the next session is due; `None` if there is none."""
        while self._due and self._later.get(self._due[0][1]) != self._due[0][0]:
            heapq.heappop(self._due)
        if self._at_once:
            return 0.0
        return max(0.0, self._due[0][0] - now) if self._due else None

    def _forget_told(self, now: float) -> None:
        while self._told and next(iter(self._told.values())).at <= now - INTERVAL_S:
            self._told.popitem(last=False)
