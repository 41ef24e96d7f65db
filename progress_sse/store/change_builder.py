"""The change that a batch of commands makes to a stored session."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from progress_sse.core import state_machine, step_rules
from progress_sse.core.commands import Command, Create, Delete, ServerCommand
from progress_sse.core.errors import PreconditionFailedError, ProblemError
from progress_sse.core.history import NOTHING_LEARNED, Learned, Lesson
from progress_sse.core.model import Position, Session
from progress_sse.core.session_filter import Label
from progress_sse.core.session_rules import check_lines, dated_lines
from progress_sse.core.updates import AppendLines, Beat, Update, anywhere
from progress_sse.store.idempotency import removal_of
from progress_sse.store.outbox import Notice
from progress_sse.store.parts_changes import PartsChange, parts_changes
from progress_sse.store.types import (
    Applied,
    Change,
    Effect,
    LineKey,
    LogEntry,
    Record,
    RememberedKey,
    Sign,
    SilenceDemand,
    new_epoch,
)
from progress_sse.wire import session_json
from progress_sse.wire.log_lines_json import encode_line


class MakeNotices(Protocol):
    """Makes the notices of a transition. It is called for sessions only that may have some: no others pay for it.

    Attributes:
        prefixes: With which their ids begin.
        labels: Of which each has one; `None`: none is needed.
        needs_subscriptions: Whether each has subscriptions to push.
    """

    prefixes: tuple[str, ...]
    labels: frozenset[Label] | None
    needs_subscriptions: bool

    def __call__(
        self,
        before: Session | None,
        outcome: state_machine.Outcome,
        position: Position,
        now: datetime,
        encoded: bytes | None,
        /,
    ) -> Sequence[Notice]:
        """Return the notices of a transition to `position`; `encoded` is its event, where it has one but a snapshot."""


class ChangeBuilder:
    """Applies commands one after the other to a stored session, and builds the change to commit.

    Attributes:
        session_id: The session that the commands are for.
        stored: The session before the commands.
        record: The session after the commands so far.
        keys: The idempotency keys that they have used, by name.
        line_keys: Those of the requests that brought lines, by name.
        moved_count: How many of them made a transition, or brought lines: a commit shows whether they were right.
    """

    __slots__ = (
        "_entries",
        "_is_fresh",
        "_learned",
        "_lesson",
        "_lines",
        "_makers",
        "_monotonic",
        "_notices",
        "_resets_log",
        "_signs",
        "_silence",
        "_steps",
        "_steps_with_parts",
        "keys",
        "line_keys",
        "moved_count",
        "record",
        "session_id",
        "stored",
    )

    def __init__(
        self,
        session_id: str,
        stored: Record | None,
        monotonic: float = 0.0,
        learned: Learned | None = None,
        makers: Sequence[MakeNotices] = (),
    ) -> None:
        """Start from the stored session.

        Args:
            session_id: The session that the commands are for.
            stored: The session before the commands.
            monotonic: Now, in seconds on the monotonic clock of this process.
            learned: What earlier runs of its profile taught; `None`: this run teaches nothing either.
            makers: Make the notices of its transitions.
        """
        self.session_id = session_id
        self.stored = self.record = stored
        self._is_fresh = False
        self._entries: list[LogEntry] = []
        self._resets_log = False
        self._steps: set[int] = set()
        self._steps_with_parts: list[int] = []
        self.keys: dict[str, RememberedKey] = {}
        self.line_keys: dict[str, LineKey] = {}
        self.moved_count = 0
        self._lines: tuple[bytes, ...] = ()
        self._monotonic = monotonic
        self._signs: dict[int, Sign] = {}
        self._silence: SilenceDemand | None = None
        self._learned = learned
        self._lesson: Lesson | None = None
        self._makers = makers
        self._notices: tuple[Notice, ...] = ()

    @property
    def signs(self) -> tuple[Sign, ...]:
        """The signs of life that the commands gave."""
        return tuple(self._signs.values())

    @property
    def has_changes(self) -> bool:
        """Whether there is anything to commit."""
        return self.record is not self.stored or bool(self.keys or self._lines)

    def build(self) -> Change:
        """Return the change that all commands make together."""
        stored = self.stored
        record = self.record
        expected = stored.position if stored else None
        has_new_definitions = False
        has_new_details = False
        parts: tuple[PartsChange, ...] = ()
        if stored is not None and record is not None:
            before = stored.session
            after = record.session
            has_new_definitions = after.definitions is not before.definitions
            has_new_details = after.progress.details is not before.progress.details
            if self._steps_with_parts:
                parts = parts_changes(before.progress.steps, after.progress.steps, self._steps_with_parts)
        return Change(
            self.session_id,
            expected,
            record,
            self._is_fresh,
            tuple(self._entries),
            tuple(self.keys.values()),
            self._resets_log,
            frozenset(self._steps),
            has_new_definitions,
            has_new_details,
            self.signs if self._signs else (),
            self._silence,
            parts,
            self._lesson,
            self._lines,
            tuple(self.line_keys.values()),
            self._notices,
        )

    def apply(self, command: Command, now: datetime) -> Applied | Exception:
        """Apply a command and return its result, or the error that refuses it."""
        before = self.record.session if self.record else None
        moved = self.moved_count
        only_if = command.envelope.only_if if isinstance(command, Update) else command.only_if
        try:
            outcome = state_machine.apply(self.session_id, before, command, now, self._learned or NOTHING_LEARNED)
            if only_if is not anywhere and not only_if(self.record.position if self.record else None):
                raise PreconditionFailedError  # Only for a request that would have succeeded [RFC 9110 §13.2.1].
            if outcome.session is None:
                self.record = None
                removal = removal_of(self.session_id, now)
                self.keys[removal.name] = removal
            elif outcome.session is not before:
                self._advance(outcome.session, outcome)
                details = outcome.session.progress.details
                for make in self._makers:
                    has_needed = details.subscriptions or not make.needs_subscriptions
                    if has_needed and (make.labels is None or not make.labels.isdisjoint(details.labels.items())):
                        self._add_notices(make, before, outcome, now)
            if outcome.about is not None and outcome.session is not None:
                if outcome.session.progress.details.claims:
                    self._note_sign(before, outcome.session, outcome.about, now)
            else:
                self._note_other(command, moved, now)
        except ProblemError as refusal:
            return refusal.with_traceback(None)  # It would refer to the frame that collects the answers, this one too.
        except Exception as error:  # noqa: BLE001  # an error of one command must not fail the others of its batch
            return error
        existed = before is not None
        effect = _effect(command, existed=existed) if isinstance(command, Create | Delete) else "updated"
        return Applied(effect, self.record)

    def _add_notices(
        self, make: MakeNotices, before: Session | None, outcome: state_machine.Outcome, now: datetime
    ) -> None:
        """Add the notices that a maker has for the transition that was just made."""
        assert self.record is not None
        encoded = self._entries[-1].data if outcome.event in ("step", "session") else None
        self._notices += tuple(make(before, outcome, self.record.position, now, encoded))

    def _append_lines(self, command: AppendLines, now: datetime) -> None:
        """Append the lines, which are signs of life where a lease of their attempt waits for one."""
        assert self.record is not None
        session = self.record.session
        number = check_lines(session, command)
        claim = None if number is None or command.attempt_id is None else session.details.claims.get(number)
        if number is not None and claim is not None and claim.lease_ms is not None:
            step = session.progress.steps[number]
            if step.status == "running" or step.conclusion == "lost":
                self.apply(Beat(number, envelope=command.envelope._replace(only_if=anywhere)), now)
        self._lines += tuple(map(encode_line, dated_lines(session, command, now)))

    def _note_sign(self, before: Session | None, session: Session, number: int, now: datetime) -> None:
        """Note that the worker of a running step is alive, if it holds a lease: now, whenever what it reports was."""
        claim = session.details.claims.get(number)
        step = session.progress.steps[number]
        if claim is None or claim.lease_ms is None or step.status != "running":
            return
        stamp = step_rules.timestamp(step_rules.current_time(now, session))
        former = None if before is None else before.progress.steps.get(number)
        earlier = self._signs.get(number)
        is_first = former is None or former.liveness != step.liveness or (earlier is not None and earlier.is_first)
        self._signs[number] = Sign(number, stamp, self._monotonic, claim.lease_ms, is_first)

    def _note_other(self, command: Command, moved: int, now: datetime) -> None:
        """Note what comes with a command that is about no step: lines, or that a worker is silent."""
        if isinstance(command, AppendLines):
            self._append_lines(command, now)
            self.moved_count = moved + 1
        elif isinstance(command, ServerCommand):
            self._silence = SilenceDemand(command.step, command.silent_ms, self._monotonic)

    def _advance(self, session: Session, outcome: state_machine.Outcome) -> None:
        """Move on to the session after a transition, with the entry of its event; a creation begins a new epoch."""
        if outcome.lesson is not None and self._learned is not None:
            self._lesson = outcome.lesson
        if outcome.is_fresh:
            self._is_fresh = True
            position = Position(new_epoch(), 0)
        else:
            assert self.record is not None
            position = self.record.position
        if outcome.event is not None:
            position = Position(position.epoch, position.offset + 1)
            self.moved_count += 1
            if outcome.event == "step":
                (step,) = outcome.steps
                data = session_json.encode_transition(session, step)
                self._entries.append(LogEntry(position.offset, step, data))
                if session.progress.steps[step].parts is not None:
                    self._steps_with_parts.append(step)
            elif outcome.event == "session":
                self._entries.append(LogEntry(position.offset, 0, session_json.encode_session_event(session)))
            else:  # The entries so far go, but not the steps that they name: a snapshot shows all of it.
                self._steps.update(outcome.steps)
                self._steps.update(entry.step for entry in self._entries if entry.step)
                self._entries.clear()
                self._resets_log = True
        self.record = Record(session, position)


def _effect(command: Create | Delete, *, existed: bool) -> Effect:
    if isinstance(command, Delete):
        return "deleted"
    return "replaced" if existed else "created"
