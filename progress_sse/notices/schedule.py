"""When a notice is tried again, and when a receiver counts as down. Pure; times are milliseconds.

Notices are planned by the wall clock, as they outlive the process. A receiver's pauses are by a monotonic one: `at_ms`.
"""

import random
from http import HTTPStatus
from typing import Final, Literal, NamedTuple, TypeAlias

from progress_sse.store.outbox import Ending, Later, Taken

DELAYS_MS: Final = tuple(1000 * each for each in (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 36_000))
"""Before each try of a notice, since the one before; the first is at once."""

JITTER: Final = 0.1
"""The part of a delay by which it is made longer or shorter at random, at most."""

FAILURES_OF_DOWN: Final = 8
"""Outages in a row after which a receiver counts as down."""

PROBE_PAUSES_MS: Final = (30_000, 60_000, 120_000, 240_000, 300_000)
"""Milliseconds before each try to a receiver that is down; the last pause is repeated."""

MAX_RETRY_AFTER_MS: Final = 3_600_000
"""The longest `Retry-After` that is obeyed, in milliseconds."""

SendResult: TypeAlias = Literal["delivered", "failed", "dead"]


class Try(NamedTuple):
    """What a try came to.

    Attributes:
        status: The HTTP status of the answer; 0 without one.
        error: Why there is no answer; empty with one.
        duration_ms: How many milliseconds the try took.
        retry_after_s: Seconds after which the receiver wants the next try; `None` if it names none.
        body: The beginning of the answer's body, where it was read.
        verdict: What becomes of the notice, where the status does not decide that.
        is_of_notice: Whether the fault may be of this notice alone; it says nothing about the receiver.
    """

    status: int = 0
    error: str = ""
    duration_ms: int = 0
    retry_after_s: float | None = None
    body: bytes = b""
    verdict: Ending | None = None
    is_of_notice: bool = False

    @property
    def has_succeeded(self) -> bool:
        """Whether the receiver has taken the notice."""
        return 200 <= self.status < 300

    @property
    def is_gone(self) -> bool:
        """Whether the receiver wants no more notices."""
        return self.status == HTTPStatus.GONE and self.verdict is None

    @property
    def is_outage(self) -> bool:
        """Whether it shows that the receiver is away or overloaded, rather than that it refuses this notice."""
        if self.is_of_notice:
            return False
        return self.status == 0 or self.status == HTTPStatus.TOO_MANY_REQUESTS or self.status >= 500


class Receiver:
    """Whether a receiver is up, and when the next try to it may begin."""

    def __init__(self) -> None:
        self._asked_until_ms = 0.0
        self._probe_at_ms = 0.0
        self._outages = 0  # One after the other.
        self._probes = 0

    @property
    def next_try_ms(self) -> float:
        """When the next try may begin."""
        return max(self._asked_until_ms, self._probe_at_ms)

    @property
    def is_down(self) -> bool:
        """Whether only one notice is tried at a time, now and then."""
        return self._outages >= FAILURES_OF_DOWN

    def result_of(self, taken: Taken, tried: Try, now_ms: int, at_ms: float) -> Ending | Later:
        """Note a try, and return what becomes of its notice. While the receiver is down, its tries are not counted."""
        if tried.verdict is not None:
            return tried.verdict
        was_down = self.is_down
        if not tried.is_of_notice:
            self._outages = self._outages + 1 if tried.is_outage else 0
        if tried.has_succeeded:
            self._probes = 0
            self._probe_at_ms = 0
            return "delivered"
        asked_ms = 0.0
        if tried.status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
            asked_ms = min(1000 * (tried.retry_after_s or 0), MAX_RETRY_AFTER_MS)
        if not tried.is_of_notice:
            self._asked_until_ms = max(self._asked_until_ms, at_ms + asked_ms)
        if not self.is_down:
            self._probes = 0
        elif not (tried.is_of_notice or (was_down and at_ms < self._probe_at_ms)):
            # Others were under way as it went down.
            self._probe_at_ms = at_ms + PROBE_PAUSES_MS[min(self._probes, len(PROBE_PAUSES_MS) - 1)]
            self._probes += 1
        first_try_ms = now_ms if taken.first_try_ms is None else taken.first_try_ms
        if tried.is_gone or (was_down and tried.is_outage):
            return Later(0, taken.tries, first_try_ms)
        tries = taken.tries + 1
        if tries == len(DELAYS_MS):
            return "dead"
        return Later(max(round(asked_ms), _wait_ms(tries, first_try_ms, now_ms)), tries, first_try_ms)


def _wait_ms(tries: int, first_try_ms: int, now_ms: int) -> int:
    """Return how long a notice waits: the times of its tries count from its first one, a late try moves none.

    It is never longer than the step of the schedule: the clock may have been ahead at the first try.
    """
    step_ms = DELAYS_MS[tries]
    due_ms = first_try_ms + sum(DELAYS_MS[: tries + 1]) + random.uniform(-JITTER, JITTER) * step_ms  # noqa: S311
    return max(DELAYS_MS[1], round(min(due_ms - now_ms, (1 + JITTER) * step_ms)))
