"""The data: sessions, steps, and positions in a session's history.

They are frozen values, with the numbers that are computed from them. The rules of change are in ``state_machine``.

The words mean the same everywhere in this package:

* a *session* is one run of a multi-step job, its steps numbered from 1;
* a *step* is one of its stages;
* a *transition* is one change of a session by a worker: a step started, advanced, completed;
* a *position* is a place in a session's history; a client sends it when it reconnects, to resume from there.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from operator import itemgetter
from typing import Any, Final, Literal, NamedTuple, Self, TypeAlias

from progress_sse.core.details import NO_DETAILS, Details
from progress_sse.core.errors import InvalidSessionIdError
from progress_sse.core.parts import Parts

StepStatus: TypeAlias = Literal["pending", "running", "success", "error"]
StepConclusion: TypeAlias = Literal["skipped", "cancelled", "lost"]
SessionStatus: TypeAlias = Literal["pending", "running", "completed", "error"]

MAX_SESSION_ID_CHARS: Final = 128
DEFAULT_TIMEOUT_MS: Final = 120_000
"""The limit of the steps of workflows that have none of their own."""

DEFAULT_ESTIMATED_MS: Final = 30_000
DEFAULT_TOTAL_STEPS: Final = 7

MAX_SAFE_INTEGER: Final = 2**53 - 1
"""The largest integer that every JSON reader keeps exact [RFC 8259 §6]; the bound of all numbers that clients send."""

UNFIT_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs"})
"""Unicode's categories of control, format and surrogate characters, which a session id must not have."""


def check_session_id(session_id: str) -> str:
    """Return `session_id` if it is a valid session id [docs/protocol.md].

    Raises:
        InvalidSessionIdError: It is empty, longer than 128 characters, ``.`` or ``..``, or has a control, format,
            surrogate or ``/`` character.
    """
    if not 0 < len(session_id) <= MAX_SESSION_ID_CHARS:
        raise InvalidSessionIdError(f"A session id has 1 to {MAX_SESSION_ID_CHARS} characters.")
    if session_id in {".", ".."} or "/" in session_id:
        raise InvalidSessionIdError("A session id has no / and is neither . nor ..")
    is_plain = session_id.isascii() and session_id.isprintable()
    if not is_plain and any(unicodedata.category(char) in UNFIT_CATEGORIES for char in session_id):
        raise InvalidSessionIdError("A session id has no control, format or surrogate characters.")
    return session_id


def is_session_id(text: str) -> bool:
    """Return whether the text has the form of a session id, which profiles have, too."""
    try:
        check_session_id(text)
    except InvalidSessionIdError:
        return False
    return True


def is_text(value: object) -> bool:
    """Return whether `value` can be stored and shown everywhere: a string without NUL and lone surrogates."""
    if not isinstance(value, str) or "\0" in value:
        return False
    return value.isascii() or not any("\ud800" <= char <= "\udfff" for char in value)


@dataclass(frozen=True, slots=True)
class StepDefinition:
    """The definition of a step, known before it starts.

    Attributes:
        name: The name that people read.
        timeout_ms: Milliseconds after which a running step counts as over its limit; `None`: it has none.
        estimated_ms: Milliseconds that it takes, as its author declared; `None` if it was not declared.
        assumed_ms: Milliseconds that it counts for in `estimated_remaining_ms` where nothing was declared.
    """

    name: str
    timeout_ms: int | None = None
    estimated_ms: int | None = None
    assumed_ms: int = DEFAULT_ESTIMATED_MS

    @property
    def expected_ms(self) -> int:
        """Milliseconds that it is expected to take, where nothing better is known."""
        return self.assumed_ms if self.estimated_ms is None else self.estimated_ms


class StepAdvance(NamedTuple):
    """How far a running step is: `current` of `total` units, `None` where the total is unknown."""

    current: int
    total: int | None


class Liveness(NamedTuple):
    """Whether the worker of a running step still gives signs of life.

    Attributes:
        state: `stalled` once its lease has passed without a sign.
        since: The time stamp of the first sign of those without a gap; of a stalled step, of the last sign.
    """

    state: Literal["live", "stalled"]
    since: str


class StepProgress(NamedTuple):
    """A step that was started [docs/protocol.md]; times are ISO 8601 in UTC with offset and microseconds."""

    step: int
    name: str
    status: StepStatus
    started_at: str | None
    completed_at: str | None
    elapsed_ms: int
    timeout_ms: int | None
    message: str = ""
    error: str = ""
    advance: StepAdvance | None = None
    attempt: int | None = None
    liveness: Liveness | None = None
    conclusion: StepConclusion | None = None
    parts: Parts | None = None


class SessionProgress(NamedTuple):
    """One run of a multi-step job [docs/protocol.md]; `steps` holds only steps that were started, by number."""

    session_id: str
    current_step: int
    total_steps: int
    status: SessionStatus
    steps: Mapping[int, StepProgress]
    created_at: str
    updated_at: str
    details: Details = NO_DETAILS


def is_over(status: SessionStatus, steps: Mapping[int, StepProgress]) -> bool:
    """Return whether nothing of a session is left to do: it is completed, or in error with no step running."""
    return status == "completed" or (status == "error" and all(step.status != "running" for step in steps.values()))


class Session(NamedTuple):
    """A session and the step definitions that it was created with, one for each of its steps."""

    progress: SessionProgress
    definitions: tuple[StepDefinition, ...]

    @property
    def run(self) -> str:
        """The id of this run, different from every other run of the session id.

        An epoch cannot serve as one: it also changes when only the history was lost, and the run is still the same.
        """
        return self.progress.created_at

    @property
    def details(self) -> Details:
        """Its details: what was reported besides its steps."""
        return self.progress.details

    def with_details(self, details: Details) -> "Session":
        """Return the session with other details, and no other change."""
        return self._replace(progress=self.progress._replace(details=details))

    @property
    def percentage(self) -> int:
        """⌊100 · ended steps / all steps⌋, exact; a running step counts as far as it has been reported."""
        steps = self.progress.steps.values()
        statuses = [step.status for step in steps]
        done = statuses.count("success") + statuses.count("error")
        return _floor_percentage(done, steps, self.progress.total_steps)

    @property
    def steps_done(self) -> float | None:
        """How many steps have succeeded, running ones as far as reported, cut to two decimals; `None`: none failed."""
        steps = self.progress.steps.values()
        statuses = [step.status for step in steps]
        if "error" not in statuses:
            return None
        hundredths = _floor_percentage(statuses.count("success"), steps, 1)
        return hundredths / 100 if hundredths % 100 else hundredths // 100

    @property
    def estimated_remaining_ms(self) -> int:
        """The estimates, in milliseconds, of the steps after the current one; at most `MAX_SAFE_INTEGER`."""
        following = self.definitions[self.progress.current_step :]
        # Not `expected_ms`: each event of a session of a thousand steps would call it a thousand times.
        estimates = [each.assumed_ms if each.estimated_ms is None else each.estimated_ms for each in following]
        return min(sum(estimates), MAX_SAFE_INTEGER)


def _floor_percentage(done: int, steps: Iterable[StepProgress], total_steps: int) -> int:
    """Return ⌊100 · (done + the shares that running steps have reported) / total_steps⌋."""
    advances = [step.advance for step in steps if step.advance is not None and step.advance.total]
    if not advances:
        return 100 * done // total_steps if total_steps else 0
    # The exact sum of many fractions is slow. Two bounds are fast, and the sum is needed only where they differ.
    low = (done << _SCALE_BITS) + sum((each.current << _SCALE_BITS) // (each.total or 1) for each in advances)
    high = low + len(advances)
    bounds = {100 * bound // (total_steps << _SCALE_BITS) for bound in (low, high)}
    if len(bounds) == 1:
        return bounds.pop()
    fractions = sorted([(each.current, each.total or 1) for each in advances], key=itemgetter(1))
    numerator, denominator = _sum_of(fractions)
    return 100 * (done * denominator + numerator) // (denominator * total_steps)


_SCALE_BITS: Final = 64


def _sum_of(fractions: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Return the sum as numerator and denominator, adding by halves so that few products are of large numbers."""
    if len(fractions) == 1:
        return fractions[0]
    middle = len(fractions) // 2
    left, left_unit = _sum_of(fractions[:middle])
    right, right_unit = _sum_of(fractions[middle:])
    if left_unit == right_unit:
        return left + right, left_unit
    return left * right_unit + right * left_unit, left_unit * right_unit


class Position(NamedTuple):
    """A place in a session's history; as text, the id of an event [docs/protocol.md].

    A number alone is not enough, since a session that was deleted and created again counts from 0. A client that
    reconnects with offset 7 of the earlier epoch must not get offset 8 of the new one.

    Attributes:
        epoch: The history that `offset` counts in; only ever compared for equality.
        offset: The number of transitions so far.
    """

    epoch: str
    offset: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the position that an event id names, or `None` for any other text."""
        match = _POSITION.fullmatch(text)
        return cls(match["epoch"], int(match["n"])) if match else None

    @classmethod
    def absent(cls, session_id: str, token: str) -> Self:
        """Return the position of a session that does not exist; `token` makes each absence of it different."""
        return cls(f"{_absence_of(session_id)}{token}", 0)

    def is_absence_of(self, session_id: str) -> bool:
        """Return whether this is a position of the session while it did not exist."""
        return self.offset == 0 and self.epoch.startswith(_absence_of(session_id))


def _absence_of(session_id: str) -> str:
    # With the id, so that a client that resumes with another session's absence gets a snapshot of this one.
    return f"absent.{blake2b(session_id.encode(), digest_size=8).hexdigest()}."


_POSITION: Final = re.compile(r"(?P<epoch>[A-Za-z0-9._~-]{1,64})-(?P<n>0|[1-9][0-9]{0,15})", re.ASCII)


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
