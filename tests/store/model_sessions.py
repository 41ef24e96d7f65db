"""The sessions as the state machine alone makes them: what every store must agree with."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy

from progress_sse.core import state_machine
from progress_sse.core.commands import Command, Create, ServerCommand
from progress_sse.core.errors import ProblemError
from progress_sse.core.history import NOTHING_LEARNED, Cell, Learned, Lesson
from progress_sse.core.model import Position, Session
from progress_sse.core.updates import AppendLines
from tests.clock import ManualClock


class ModelSessions:
    """Sessions in a dictionary.

    Attributes:
        sessions: Each session that exists.
        offsets: How many transitions each of them has had.
        lines: How many lines their logs have had.
        histories: What the runs of each profile taught.
        heard_at: When the worker of each step with a lease last gave a sign of life, on the monotonic clock.
    """

    def __init__(self, *, knows_runs: bool = False) -> None:
        """Begin empty; a store that `knows_runs` takes two sessions of one id and moment for the same run."""
        self.sessions: dict[str, Session] = {}
        self.offsets: dict[str, int] = {}
        self.lines: Counter[str] = Counter()
        self.heard_at: dict[tuple[str, int], float] = {}
        self.histories: defaultdict[str, Counter[Cell]] = defaultdict(Counter)
        self._knows_runs = knows_runs
        self._taught: set[tuple[str, str, str]] = set()

    def copy(self) -> "ModelSessions":
        """The sessions as they are now."""
        copied = ModelSessions(knows_runs=self._knows_runs)
        copied.sessions = dict(self.sessions)
        copied.offsets = dict(self.offsets)
        copied.heard_at = dict(self.heard_at)
        copied.lines = Counter(self.lines)
        copied.histories = deepcopy(self.histories)
        copied._taught = set(self._taught)
        return copied

    def apply(
        self,
        session_id: str,
        command: Command,
        clock: ManualClock,
        position: Position | None = None,
        learned_of: Callable[[str], Learned] = lambda _profile: NOTHING_LEARNED,
    ) -> str:
        """Apply a command to a session at the position, and return its effect or the name of its error.

        What the store knows of a profile comes from `learned_of`.
        """
        before = self.sessions.get(session_id)
        profile = _profile_of(before, command)
        learned = NOTHING_LEARNED if profile is None else learned_of(profile)
        try:
            outcome = state_machine.apply(session_id, before, command, clock.now(), learned)
        except ProblemError as error:
            return type(error).__name__
        if not command.only_if(position):
            return "PreconditionFailedError"
        if outcome.session is None:
            self.remove([session_id])
            return "deleted"
        self.sessions[session_id] = outcome.session
        former = 0 if outcome.is_fresh else self.offsets[session_id]
        self.offsets[session_id] = former + (outcome.event is not None)
        if outcome.is_fresh:
            self.lines[session_id] = 0
        if isinstance(command, AppendLines):
            self.lines[session_id] += len(command.lines)
        if outcome.lesson is not None:
            self._learn(outcome.lesson, outcome.session)
        if outcome.about is not None:
            self._note_sign(session_id, outcome.about, clock)
        if isinstance(command, Create):
            return "created" if before is None else "replaced"
        return "updated"

    def _learn(self, lesson: Lesson, session: Session) -> None:
        run = (lesson.profile, session.progress.session_id, session.run)
        if not self._knows_runs or run not in self._taught:
            self._taught.add(run)
            self.histories[lesson.profile].update(lesson.cells)

    def _note_sign(self, session_id: str, number: int, clock: ManualClock) -> None:
        """Each report is a sign when it arrives."""
        session = self.sessions[session_id]
        step = session.progress.steps[number]
        claim = session.details.claims.get(number)
        if claim is None or claim.lease_ms is None or step.status != "running":
            return
        self.heard_at[session_id, number] = clock.monotonic()

    def is_silent(self, session_id: str, command: ServerCommand, clock: ManualClock) -> bool:
        """Whether the worker has given no sign of life for as long as the server says."""
        return (clock.monotonic() - self.heard_at[session_id, command.step]) * 1000 >= command.silent_ms

    def remove(self, session_ids: Iterable[str]) -> None:
        """Remove sessions."""
        for session_id in session_ids:
            del self.sessions[session_id], self.offsets[session_id]

    def expired(self, limit: str) -> Iterator[str]:
        """The sessions that are to be cleaned up, except those with a worker that holds a lease."""
        for session_id, session in self.sessions.items():
            progress = session.progress
            if state_machine.is_expired(progress.status, progress.created_at, progress.updated_at, before=limit):
                yield session_id


def _profile_of(session: Session | None, command: Command) -> str | None:
    if isinstance(command, Create):
        return command.profile
    timing = None if session is None else session.details.timing
    return None if timing is None else timing.profile
