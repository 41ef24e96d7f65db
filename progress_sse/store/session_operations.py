"""The operations on one session, as methods: each becomes a command."""

import secrets
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Literal

from progress_sse.core import updates
from progress_sse.core.asks import Acknowledgement, AskKind, ReaderAsk, taken_ask
from progress_sse.core.bounds import STEP, UNCHANGED, Unchanged
from progress_sse.core.commands import Ask, Command, Create, Delete, StepName, Target
from progress_sse.core.details import Claim, Link
from progress_sse.core.errors import InvalidRequestError
from progress_sse.core.log_lines import NewLine
from progress_sse.core.model import DEFAULT_TOTAL_STEPS, SessionProgress, StepDefinition
from progress_sse.core.parts import PartStatus
from progress_sse.core.updates import Envelope, StepRef, Update, with_envelope
from progress_sse.core.workflows import Workflows, profile_of
from progress_sse.store.types import Record


class SessionOperations(ABC):
    """What workers do to a session.

    A step is meant by its number, from 1, or by a `StepName`. `attempt_id` is the text that the worker made for its
    attempt; if another one has replaced that, the operation raises `AttemptSupersededError`. `ago_ms` is how many
    milliseconds ago it happened, by a monotonic clock.

    Besides what they name, operations may raise `SessionNotFoundError`, except those that create one. Those on a step
    may raise `StepOutOfRangeError` and `UnknownStepNameError` where there is none, `StepNotStartedError` where it was
    never started, and `StepNotRunningError` where it has ended. Title, labels, links and `accepts` that together take
    more than 4096 bytes of JSON are a `TooMuchError`.
    """

    workflows: Workflows
    """Define the steps of sessions that bring none of their own."""

    @abstractmethod
    async def _perform(self, session_id: str, command: Command) -> Record | None:
        """Apply a command."""

    async def _report(self, session_id: str, update: Update, attempt_id: str | None, ago_ms: int) -> SessionProgress:
        if attempt_id is not None or ago_ms:
            claim = None if attempt_id is None else Claim(attempt_id)
            update = with_envelope(update, Envelope(claim, ago_ms=ago_ms))
        return _progress(await self._perform(session_id, update))

    async def create_session(
        self,
        session_id: str,
        total_steps: int = DEFAULT_TOTAL_STEPS,
        *,
        steps: Sequence[StepDefinition] | None = None,
        workflow: str | None = None,
        replace: bool = True,
        title: str | None = None,
        labels: Mapping[str, str] | None = None,
        links: Sequence[Link] = (),
        open_ended: bool = False,
        accepts: Sequence[AskKind] = (),
        attempt_id: str | None = None,
        profile: str | None = None,
    ) -> SessionProgress:
        """Create a `pending` session. All its readers may read title, labels, links and `accepts`.

        Args:
            session_id: See `model.check_session_id`.
            total_steps: How many steps it has. The workflow `default` names as many of them as it defines. Ignored if
                `steps` or `workflow` is given, and for an open-ended session, which begins without steps then.
            steps: The session's own step definitions.
            workflow: The name of the workflow to take the steps from, unless `steps` are given.
            replace: Whether to replace an existing session of that id, whose event ids are never used again.
            title: Its name for people.
            labels: Texts by which it is found.
            links: Pages about it.
            open_ended: Whether steps may be added, so that `finish_session` alone completes it.
            accepts: What readers may ask of its worker.
            attempt_id: The attempt of the worker that creates it.
            profile: The name, in the form of a session id, under which its steps are learned from run to run; `None`
                is the name of its workflow, if it has one.

        Raises:
            SessionExistsError: The session exists, and `replace` is false.
            UnknownWorkflowError: No workflow has that name.
        """
        if steps is not None:
            definitions = tuple(steps)
        elif workflow is not None:
            definitions = self.workflows.named(workflow)
        else:
            definitions = () if open_ended else self.workflows.resized(total_steps)
        command = Create(
            definitions,
            replace,
            title=title,
            labels=dict(labels or {}),
            links=tuple(links),
            open_ended=open_ended,
            accepts=tuple(accepts),
            attempt_id=attempt_id,
            is_timed=open_ended or steps is not None or workflow is not None or profile is not None,
            profile=profile_of(profile, workflow),
        )
        return _progress(await self._perform(session_id, command))

    async def start_step(
        self,
        session_id: str,
        step: Target,
        timeout_ms: int | None = None,
        *,
        append: bool = False,
        estimated_ms: int | None = None,
        attempt_id: str | None = None,
        lease_ms: int | None = None,
        lost_after_ms: int | None = None,
        ago_ms: int = 0,
        parts_total: int | None = None,
    ) -> SessionProgress:
        """Start a step, also one that was started before; creates the session if it does not exist.

        By a name it starts the first step of that name. An open-ended session gets a step where it has none of the
        name. A session that it creates by a name is open-ended.

        Args:
            session_id: See `model.check_session_id`.
            step: The step.
            timeout_ms: Milliseconds that it may take; `None` and 0 mean the timeout of its definition.
            append: Whether to add a step to an open-ended session even if it has one of that name.
            estimated_ms: Milliseconds that a step that is added is expected to take; `None` is the default.
            attempt_id: See the class.
            lease_ms: Milliseconds without a report or `beat` after which the step counts as stalled, from 1000 to
                3600000; needs an `attempt_id`. `None` means never.
            lost_after_ms: Milliseconds without a report or `beat` after which it counts as lost, at least `lease_ms`.
                `None` means never.
            ago_ms: See the class.
            parts_total: How many parts it has, at most 200: its progress is that of its parts, and it ends by itself
                with the last of them. `None` means that this is not known.

        Raises:
            TooManyStepsError: The session would have too many steps.
        """
        has_lease = attempt_id is not None or lease_ms is not None or lost_after_ms is not None
        lease = Claim(attempt_id, lease_ms, lost_after_ms) if has_lease else None
        envelope = Envelope(lease, ago_ms=ago_ms, definitions=self.workflows.named())
        update = updates.Start(_ref(step), timeout_ms, append, estimated_ms, parts_total, envelope=envelope)
        return _progress(await self._perform(session_id, update))

    async def complete_step(
        self,
        session_id: str,
        step: Target,
        success: bool = True,
        message: str = "",
        error: str = "",
        *,
        conclusion: Literal["cancelled"] | None = None,
        links: Sequence[Link] | None = None,
        attempt_id: str | None = None,
        ago_ms: int = 0,
    ) -> SessionProgress:
        """Complete a step, with success or an error; the last report wins.

        A `conclusion` names what ended a step without success; `links` replace those of the session.
        """
        given = None if links is None else tuple(links)
        update = updates.Complete(_ref(step), success, message, error, conclusion, given)
        return await self._report(session_id, update, attempt_id, ago_ms)

    async def report_progress(
        self,
        session_id: str,
        step: Target,
        current: int,
        total: int | None = None,
        message: str = "",
        *,
        attempt_id: str | None = None,
        ago_ms: int = 0,
    ) -> SessionProgress:
        """Report that a running step has done `current` of `total` units (`None`: of an unknown number).

        Raises:
            StepHasPartsError: The step's progress is that of its parts.
            InvalidRequestError: Not 0 ≤ current ≤ total.
        """
        return await self._report(session_id, updates.Advance(_ref(step), current, total, message), attempt_id, ago_ms)

    async def skip_step(
        self, session_id: str, step: Target, message: str = "", *, attempt_id: str | None = None, ago_ms: int = 0
    ) -> SessionProgress:
        """Count a step as done that is not needed: one that was never started, or has failed.

        Raises:
            StepStartedError: The step runs, or has succeeded.
        """
        return await self._report(session_id, updates.Skip(_ref(step), message), attempt_id, ago_ms)

    async def beat(self, session_id: str, step: Target, *, attempt_id: str | None = None, ago_ms: int = 0) -> None:
        """Give a sign of life for a running step, which renews its lease, and change nothing else."""
        await self._report(session_id, updates.Beat(_ref(step)), attempt_id, ago_ms)

    async def report_part(
        self,
        session_id: str,
        step: Target,
        part: str,
        status: PartStatus,
        *,
        current: int | None = None,
        total: int | None = None,
        message: str = "",
        error: str = "",
        attempt_id: str | None = None,
        ago_ms: int = 0,
    ) -> SessionProgress:
        """Report one part of a step that many workers do at once; an identical report changes nothing.

        A part that begins lets a step of which all parts had ended run again, unless the session is over.

        Args:
            session_id: See `model.check_session_id`.
            step: The step.
            part: The name of the part, of 1 to 100 characters.
            status: Whether the part runs, or how it ended.
            current: How far it is, from 0 to `total`.
            total: `None` where it is unknown.
            message: A text for people, of at most 200 characters.
            error: Why it failed, in at most 200 characters.
            attempt_id: See the class.
            ago_ms: See the class.

        Raises:
            TooManyPartsError: The step or the session would have too many parts.
        """
        update = updates.ReportPart(_ref(step), part, status, current, total, message, error)
        return await self._report(session_id, update, attempt_id, ago_ms)

    async def finish_session(
        self,
        session_id: str,
        success: bool = True,
        error: str = "",
        *,
        conclusion: Literal["cancelled"] | None = None,
        links: Sequence[Link] | None = None,
        attempt_id: str | None = None,
        ago_ms: int = 0,
    ) -> SessionProgress:
        """End the session as a whole; its status stays until a step is started or planned.

        With success, running steps succeed, steps never started are skipped, and failed ones stay. Otherwise running
        steps end with the `error`, which the session bears, too. `links` replace those of the session.

        Raises:
            StepRunningError: A step runs under another attempt, and an `attempt_id` was given.
        """
        update = updates.Finish(success, error, None if links is None else tuple(links), conclusion)
        return await self._report(session_id, update, attempt_id, ago_ms)

    async def plan_steps(
        self, session_id: str, steps: Sequence[StepDefinition], *, attempt_id: str | None = None, ago_ms: int = 0
    ) -> SessionProgress:
        """Append steps to an open-ended session.

        Raises:
            StepsFixedError: The session is not open-ended.
            TooManyStepsError: The session would have too many steps.
        """
        return await self._report(session_id, updates.Plan(tuple(steps)), attempt_id, ago_ms)

    async def describe_session(
        self,
        session_id: str,
        *,
        title: str | Unchanged | None = UNCHANGED,
        labels: Mapping[str, str | None] | Unchanged | None = UNCHANGED,
        links: Sequence[Link] | Unchanged | None = UNCHANGED,
        accepts: Sequence[AskKind] | Unchanged | None = UNCHANGED,
        attempt_id: str | None = None,
        ago_ms: int = 0,
    ) -> SessionProgress:
        """Change what describes the session besides its steps; `None` removes a value, or one label.

        Labels are merged with those that it has; links and `accepts` are replaced.
        """
        update = updates.Describe(
            title,
            labels,
            links if links is None or isinstance(links, Unchanged) else tuple(links),
            accepts if accepts is None or isinstance(accepts, Unchanged) else tuple(accepts),
        )
        return await self._report(session_id, update, attempt_id, ago_ms)

    async def ask(
        self, session_id: str, kind: AskKind, *, step: int | None = None, reason: str | None = None
    ) -> ReaderAsk:
        """Ask the worker of a session to cancel it, or to try it again; returns the request, or an open one like it.

        All readers of the session may read the reason, of at most 500 characters. The server itself honours the
        request to cancel a session of which no step was started.

        Raises:
            RequestNotAcceptedError: The session does not accept requests of the kind.
            RequestOutOfTimeError: It is over, so that there is nothing to cancel; or it has not failed, or a step runs,
                so that there is nothing to try again.
        """
        request_id = make_request_id()
        record = await self._perform(session_id, Ask(kind, request_id, step, reason))
        assert record is not None
        request = taken_ask(record.session.details.requests, request_id, kind)
        assert request is not None
        return request

    async def acknowledge(
        self,
        session_id: str,
        request: str,
        state: Acknowledgement,
        message: str | None = None,
        *,
        attempt_id: str | None = None,
        ago_ms: int = 0,
    ) -> SessionProgress:
        """Answer a request by its id; a `message` has at most 500 characters.

        Raises:
            RequestNotFoundError: It does not remember a request of that id.
            RequestSettledError: The request was settled otherwise before.
        """
        return await self._report(session_id, updates.Acknowledge(request, state, message or ""), attempt_id, ago_ms)

    async def append_lines(
        self,
        session_id: str,
        lines: Sequence[NewLine | str],
        step: Target | None = None,
        *,
        attempt_id: str | None = None,
        ago_ms: int = 0,
    ) -> None:
        """Write 1 to 100 lines into the log of the session, about a step or about none; a text is a line of level info.

        All readers of the session may read them. A text with line ends becomes several lines. The first lines change
        the session, which shows from then on that it has a log; later ones do not.
        """
        written = tuple([NewLine(line) if isinstance(line, str) else line for line in lines])
        about = None if step is None else _ref(step)
        await self._report(session_id, updates.AppendLines(written, about), attempt_id, ago_ms)

    async def delete_session(self, session_id: str) -> None:
        """Remove the session and its log."""
        await self._perform(session_id, Delete())


def make_request_id() -> str:
    """Return the id of a new request."""
    return secrets.token_hex(8)


def _ref(step: Target) -> StepRef:
    if type(step) is int:
        return step
    if isinstance(step, StepName):
        return step.name
    if isinstance(step, str):  # Types forbid it: a number in a text is not to be taken for a name.
        raise InvalidRequestError(f"step must be {STEP.demand}.")
    return step


def _progress(record: Record | None) -> SessionProgress:
    assert record is not None
    return record.session.progress
