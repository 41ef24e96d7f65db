"""Appending lines to the logs of sessions, beside the commits of their transitions.

The first line of a session is a transition: from then on the session says that it has a log. All others go to the
backend as they are, if the session is still where they were decided on. So they are fenced like any report, and cost
neither a transition nor an event of those who do not read the log.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from itertools import groupby, zip_longest
from typing import Final

from progress_sse._internal.backoff import Backoff
from progress_sse._internal.clock import Clock
from progress_sse.core import state_machine
from progress_sse.core.commands import Command, IdempotencyKey
from progress_sse.core.errors import (
    ConflictError,
    KeyReusedError,
    OutcomeUnknownError,
    PreconditionFailedError,
    ProblemError,
    StoreFullError,
    StoreUnavailableError,
)
from progress_sse.core.log_lines import split_count
from progress_sse.core.model import Session
from progress_sse.core.session_rules import check_lines, dated_lines
from progress_sse.core.updates import AppendLines, Beat, anywhere
from progress_sse.store.backend import FullBackend
from progress_sse.store.batch_committer import MAX_ATTEMPTS, PAUSES_S
from progress_sse.store.command_queue import QueuedCommand
from progress_sse.store.log_lines import LineAppend, LineKey, LineUnit
from progress_sse.store.types import Applied, Record, fingerprint
from progress_sse.wire.log_lines_json import encode_line

MAX_APPENDED_LINES: Final = 1000
"""Lines that are appended at once, unless one request has more: a flood into one session must not delay the others."""

Answers = Sequence[Applied | Exception]


class LineAppender:
    """Commits batches of commands, of which some bring lines.

    Attributes:
        line_count: How many lines were appended here.
    """

    def __init__(
        self,
        backend: FullBackend,
        clock: Clock,
        commit: Callable[[str, Sequence[QueuedCommand]], Awaitable[Answers]],
    ) -> None:
        """Append to `backend`, and commit all other commands by `commit`."""
        self.line_count = 0
        self._backend = backend
        self._clock = clock
        self._commit_transitions = commit

    def commit(self, session_id: str, batch: Sequence[QueuedCommand]) -> Awaitable[Answers]:
        """Apply the commands in their order, and return the answer to each.

        If the store fails, so do all commands from there on: none is applied after one that was not.

        Raises:
            StoreUnavailableError: The backend failed at the first commands, or each attempt met a conflict.
            OutcomeUnknownError: They may have been applied, or not.
            StoreFullError: There is no room for them.
        """
        for queued in batch:
            if isinstance(queued.command, AppendLines):
                return self._commit_runs(session_id, batch)
        return self._commit_transitions(session_id, batch)

    async def _commit_runs(self, session_id: str, batch: Sequence[QueuedCommand]) -> Answers:
        answers: list[Applied | Exception] = []
        for run in _runs(batch):
            try:
                if isinstance(run[0].command, AppendLines):
                    answers += await self._append(session_id, run)
                else:
                    answers += await self._commit_transitions(session_id, run)
            except Exception as error:
                if not answers:
                    raise
                return [*answers, *[error] * (len(batch) - len(answers))]
        return answers

    async def _append(self, session_id: str, batch: Sequence[QueuedCommand]) -> Answers:
        stored = self._backend.cached_record(session_id)
        backoff = Backoff(*PAUSES_S)
        for attempt in range(MAX_ATTEMPTS):
            if attempt > 1:
                await asyncio.sleep(backoff.next_s())
            is_current = stored is None or attempt > 0
            if is_current:
                stored = await self._backend.load(session_id)
            answers = await self._try(session_id, batch, stored, is_current=is_current)
            if answers is not None:
                return answers
        raise StoreUnavailableError("Other processes keep changing this session.")

    async def _try(
        self, session_id: str, batch: Sequence[QueuedCommand], stored: Record | None, *, is_current: bool
    ) -> Answers | None:
        """Make one attempt; return `None` if the session is, or may be, in another state than `stored`."""
        opened: Answers = ()
        if stored is not None and not stored.session.details.log:
            opened = await self._commit_transitions(session_id, [QueuedCommand(each.command, None) for each in batch])
            stored = next((each.record for each in reversed(opened) if isinstance(each, Applied)), stored)
        decided = [self._decide(session_id, stored, queued, answer) for queued, answer in zip_longest(batch, opened)]
        accepted = [queued for queued, each in zip(batch, decided, strict=True) if isinstance(each, LineUnit)]
        if len(accepted) < len(batch) and not (is_current or opened):
            return None
        if stored is None:
            return [each for each in decided if isinstance(each, Exception)]
        units = [
            each if isinstance(each, LineUnit) else LineUnit((), _line_key(session_id, queued.key), is_refused=True)
            for queued, each in zip(batch, decided, strict=True)
        ]
        known: Sequence[str | None] = [None] * len(units)
        if any(unit.lines or unit.key for unit in units):
            try:
                known = await self._backend.lines.append_lines(LineAppend(session_id, stored.position, units))
            except ConflictError:
                return None
            stored = await self._give_signs(session_id, stored, accepted)
        return [self._answer(*each, stored) for each in zip(decided, units, known, strict=True)]

    async def _give_signs(self, session_id: str, stored: Record, accepted: Iterable[QueuedCommand]) -> Record:
        """Count lines about a step whose worker holds a lease as signs of life, as any report; return the session.

        Only after they were appended: before that the session may be another one than they were decided on.

        Raises:
            OutcomeUnknownError: The lines were appended, and the signs may not be noted.
        """
        signs = {
            sign.step: sign for queued in accepted if (sign := _sign_of(stored.session, queued.command)) is not None
        }
        if not signs:
            return stored
        try:
            heard = await self._commit_transitions(session_id, [QueuedCommand(sign, None) for sign in signs.values()])
        except (StoreUnavailableError, StoreFullError) as error:
            raise OutcomeUnknownError from error
        return next((each.record for each in reversed(heard) if isinstance(each, Applied) and each.record), stored)

    def _decide(
        self, session_id: str, stored: Record | None, queued: QueuedCommand, opened: Applied | Exception | None
    ) -> LineUnit | Exception:
        """Return the lines of a command, or the error that refuses it.

        Args:
            session_id: The session that the command is for.
            stored: The session.
            queued: The command.
            opened: The answer to the command, if it came before the session had a log; it was checked then.
        """
        command, now = queued.command, self._clock.now()
        assert isinstance(command, AppendLines)
        if isinstance(opened, Exception):
            return opened
        try:
            state_machine.apply(session_id, stored.session if stored else None, command, now)
            assert stored is not None
            if opened is None and not command.only_if(stored.position):
                raise PreconditionFailedError
            lines = dated_lines(stored.session, command, now)
        except ProblemError as refusal:
            return refusal.with_traceback(None)  # It would refer to the frame that collects the answers.
        return LineUnit(tuple(map(encode_line, lines)), _line_key(session_id, queued.key))

    def _answer(
        self, decided: LineUnit | Exception, unit: LineUnit, known: str | None, stored: Record
    ) -> Applied | Exception:
        if known is None:
            self.line_count += len(unit.lines)
            return decided if isinstance(decided, Exception) else Applied("updated", stored)
        return Applied("updated", stored) if unit.key is not None and unit.key.digest == known else KeyReusedError()


def _sign_of(session: Session, command: Command) -> Beat | None:
    """Return the sign of life that lines are, if a lease of their attempt waits for one."""
    if not isinstance(command, AppendLines) or command.attempt_id is None:
        return None
    number = check_lines(session, command)
    claim = None if number is None else session.details.claims.get(number)
    if number is None or claim is None or claim.lease_ms is None:
        return None
    step = session.progress.steps[number]
    if step.status != "running" and step.conclusion != "lost":
        return None
    return Beat(number, envelope=command.envelope._replace(only_if=anywhere))


def _line_key(session_id: str, key: IdempotencyKey | None) -> LineKey | None:
    if key is None:
        return None
    return LineKey(fingerprint(f"{session_id}/{key.key}"), fingerprint(f"{key.key} {key.digest}"))


def _runs(batch: Sequence[QueuedCommand]) -> Iterator[Sequence[QueuedCommand]]:
    """Yield the commands in runs of transitions and of lines; a run of lines has at most `MAX_APPENDED_LINES`."""
    for has_lines, group in groupby(batch, lambda queued: isinstance(queued.command, AppendLines)):
        if not has_lines:
            yield list(group)
            continue
        run, count = list[QueuedCommand](), 0
        for queued in group:
            assert isinstance(queued.command, AppendLines)
            count += split_count(queued.command.lines)
            if run and count > MAX_APPENDED_LINES:
                yield run
                run, count = [], split_count(queued.command.lines)
            run.append(queued)
        yield run
