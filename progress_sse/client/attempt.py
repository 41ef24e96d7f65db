"""A worker's attempt at its steps, and how long it may be silent about one that runs.

The reporters of a process share one attempt at a session. `progress-sse run` hands its own down by the environment.
"""

import os
import uuid
from typing import Final
from weakref import WeakValueDictionary

from progress_sse.client.config import handed_down_attempt
from progress_sse.core.bounds import MAX_LEASE_MS, MIN_LEASE_MS
from progress_sse.core.errors import ConfigurationError
from progress_sse.core.part_tally import PartTally
from progress_sse.core.updates import StepRef

LEASE_S: Final = 30.0
"""Seconds without a sign of life after which a running step counts as stalled, unless the job says otherwise."""

LOST_AFTER_MS: Final = 600_000
"""Milliseconds without a sign of life after which it counts as lost, at least."""

_SIGNS: Final = 3  # Of life in the time of a lease, so that two may be missed.


class AttemptId:
    """The id of an attempt, which is made when the attempt begins.

    So processes that fork before that have attempts of their own, and those that fork later share one, since they share
    the job.

    Attributes:
        is_superseded: Whether the server has refused it, as a later attempt has replaced it.
        made: The id under the key `id`; empty until the attempt begins.
        tallies: The parts of the steps, by the step and by the process that has started it.
    """

    __slots__ = ("__weakref__", "is_superseded", "made", "tallies")

    def __init__(self, value: str | None = None) -> None:
        self.is_superseded = False
        self.tallies: dict[tuple[StepRef, int], PartTally] = {}
        self.made: dict[str, str] = {} if value is None else {"id": value}

    def begin(self) -> None:
        """Make the id, unless that is done."""
        if not self.made:
            self.made.setdefault("id", uuid.uuid4().hex)  # A single call into C: of several threads one makes it.

    @property
    def value(self) -> str:
        """The id; the attempt begins with the first access."""
        self.begin()
        return self.made["id"]


class Attempt:
    """An attempt, which other attempts at the same step replace, and its lease.

    Attributes:
        attempt: Its id, which several leases may share.
        lease_ms: Milliseconds without a sign of life after which a running step counts as stalled; `None`: never.
        lost_after_ms: Those after which it counts as lost; `None`: never.
        is_handed_on: Whether the job expects that another attempt replaces this one.
    """

    __slots__ = ("attempt", "is_handed_on", "lease_ms", "lost_after_ms")

    def __init__(
        self, lease_ms: int | None = None, lost_after_ms: int | None = None, attempt_id: AttemptId | str | None = None
    ) -> None:
        self.lease_ms = lease_ms
        self.lost_after_ms = lost_after_ms
        self.is_handed_on = False
        self.attempt = attempt_id if isinstance(attempt_id, AttemptId) else AttemptId(attempt_id)

    @property
    def attempt_id(self) -> str:
        """The id that its worker made up; the attempt begins with the first access."""
        return self.attempt.value

    @property
    def interval_s(self) -> float:
        """Seconds between two signs of life."""
        assert self.lease_ms is not None
        return self.lease_ms / 1000 / _SIGNS

    def renewed(self, attempt_id: AttemptId | str | None = None) -> "Attempt":
        """Return a new attempt with the same times, or the one of this id."""
        return Attempt(self.lease_ms, self.lost_after_ms, attempt_id)


def new_attempt(seconds: object) -> Attempt | None:
    """Return a new attempt whose lease has these seconds; `None` without.

    Raises:
        ConfigurationError: They are no number from 1 to 3600.
    """
    if seconds is None:
        return None
    least_s = MIN_LEASE_MS // 1000
    most_s = MAX_LEASE_MS // 1000
    if not isinstance(seconds, int | float) or not least_s <= seconds <= most_s:
        raise ConfigurationError(f"lease_s must be a number of seconds from {least_s} to {most_s}, or None.")
    lease_ms = int(seconds * 1000)
    return Attempt(lease_ms, max(LOST_AFTER_MS, lease_ms))


_attempts: Final[WeakValueDictionary[str, AttemptId]] = WeakValueDictionary()
"""The newest attempt at each session, as long as a reporter has it."""


def share(session_id: str, lease: Attempt) -> None:
    """Let later reporters on the session have this attempt, too."""
    _attempts[session_id] = lease.attempt


def tally_of(lease: Attempt | None, step: StepRef) -> PartTally | None:
    """Return the tally of the parts of a step that this process has started; `None` without."""
    return None if lease is None else lease.attempt.tallies.get((step, os.getpid()))


def joined(session_id: str, lease: Attempt) -> Attempt:
    """Return the lease as one of the attempt that the process has at the session; else it is a new attempt."""
    attempt = _attempts.get(session_id)
    if attempt is not None and not attempt.is_superseded:
        return lease.renewed(attempt)
    lease = lease.renewed(handed_down_attempt(session_id))
    share(session_id, lease)
    return lease
