"""What a command makes of a session as a whole: creation, end, further steps, its details and its log."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from progress_sse.core import ask_rules, subscriptions
from progress_sse.core.attempts import check_attempt, check_no_other_runs, check_session_attempt
from progress_sse.core.bounds import COUNT, TEXT, UNCHANGED
from progress_sse.core.commands import Ask, Create, Subscribe, Unsubscribe
from progress_sse.core.details import NO_DETAILS, Details, Timing, check_size, with_labels
from progress_sse.core.errors import InvalidRequestError, StepOutOfRangeError, StepsFixedError, TooManyStepsError
from progress_sse.core.log_lines import LogLine, split_text
from progress_sse.core.model import Session, SessionProgress, SessionStatus, StepDefinition, StepProgress
from progress_sse.core.step_rules import current_time, end, newest_named, newest_time, skipped, time_of, timestamp
from progress_sse.core.updates import Acknowledge, AppendLines, Describe, Finish, Plan, SessionUpdate, Start
from progress_sse.core.workflows import default_step_name


def created(
    session_id: str, definitions: tuple[StepDefinition, ...], now: datetime, details: Details = NO_DETAILS
) -> Session:
    """Return a fresh, pending session with one step for each definition.

    Raises:
        InvalidRequestError: There is none, and it is not open-ended; or one has a name or time that cannot be shown.
    """
    check_definitions(definitions, may_be_empty=details.open_ended)
    stamp = timestamp(now)
    progress = SessionProgress(session_id, 0, len(definitions), "pending", {}, stamp, stamp, details)
    return Session(progress, definitions)


def check_definitions(definitions: tuple[StepDefinition, ...], *, may_be_empty: bool = False) -> None:
    """Refuse step definitions that no session can have.

    Raises:
        InvalidRequestError: There is none, without `may_be_empty`; or one has a name or time that cannot be shown.
    """
    if not definitions and not may_be_empty:
        raise InvalidRequestError("definitions must be at least one step.")
    if not all(map(_is_fit, definitions)):
        raise InvalidRequestError(
            f"each definition must have a name that is {TEXT.demand}, and times that are {COUNT.demand}."
        )


def _is_fit(each: object) -> bool:
    if not isinstance(each, StepDefinition) or not TEXT.fits(each.name):
        return False
    timeout_ms = 0 if each.timeout_ms is None else each.timeout_ms
    return all(map(COUNT.fits, (timeout_ms, each.expected_ms, each.assumed_ms)))


def create(session_id: str, command: Create, now: datetime) -> Session:
    """Return the session that a creation asks for.

    Raises:
        InvalidRequestError: It cannot have these steps.
        TooMuchError: Its details are too large.
    """
    details = Details(
        title=command.title,
        labels=command.labels,
        links=command.links,
        open_ended=command.open_ended,
        accepts=command.accepts,
        creator=command.attempt_id,
        timing=Timing(command.profile) if command.is_timed else None,
    )
    if details == NO_DETAILS:
        return created(session_id, command.definitions, now)
    check_size(details)
    return created(session_id, command.definitions, now, details)


def created_by(session_id: str, command: Start, now: datetime) -> Session:
    """Return the session that a first `start` creates: an open-ended one, if it names its step."""
    if isinstance(command.step, str):
        return created(session_id, (), now, Details(open_ended=True))
    return created(session_id, command.envelope.definitions, now)


def apply(session: Session, command: SessionUpdate, now: datetime) -> Session:
    """Return the session after the command; the same object if the command repeats its details.

    Raises:
        ProblemError: The command cannot be applied.
    """
    if isinstance(command, AppendLines):
        check_lines(session, command)
        return session if session.details.log else with_details(session, session.details._replace(log=True), now)
    check_session_attempt(session, command)
    if isinstance(command, Finish):
        return _finished(session, command, now)
    moment = time_of(command.ago_ms, now, session.progress.created_at)
    if isinstance(command, Plan):
        return _planned(session, command, moment)
    if isinstance(command, Acknowledge):
        details = ask_rules.acknowledged(session.details, command)
    else:
        assert isinstance(command, Describe)
        details = _described(session.details, command)
    return session if details == session.details else with_details(session, details, moment)


def asked(session: Session, command: Ask, now: datetime) -> Session:
    """Return the session after a reader asked something of its worker; the same object if it is asked already.

    Raises:
        ProblemError: It cannot be asked; see `ask_rules.asked`.
    """
    details = ask_rules.asked(session, command, now)
    if details is session.details:
        return session
    after = with_details(session, details, now)
    return after._replace(progress=after.progress._replace(status="error")) if details.is_cancelled else after


def subscribed(session: Session, command: Subscribe | Unsubscribe, now: datetime) -> Session:
    """Return the session after a browser subscribed, or ended that; the same object if that changes nothing.

    Raises:
        RequestOutOfTimeError: The session is completed.
        TooManySubscriptionsError: It has too many subscriptions, or too many of this caller.
    """
    before = session.details.subscriptions
    status = session.progress.status
    if isinstance(command, Subscribe):
        after = subscriptions.subscribed(before, command.subscription, status, now)
    else:
        after = subscriptions.unsubscribed(before, command.subscription_id)
    if after is before:
        return session
    return session.with_details(session.details._replace(subscriptions=after))


def _finished(session: Session, command: Finish, now: datetime) -> Session:
    check_no_other_runs(session, command.attempt_id)
    before = session.progress
    status: SessionStatus = "completed" if command.success else "error"
    error = None if command.success else command.error
    links = session.details.links if command.links is None else command.links
    is_cancelled = session.details.is_cancelled and not command.success
    details = session.details._replace(
        error=error, conclusion=command.conclusion, links=links, is_finished=True, is_cancelled=is_cancelled
    )
    steps = _ended_steps(session, command, now)
    says_nothing_new = details._replace(is_finished=session.details.is_finished) == session.details
    if says_nothing_new and (status, steps) == (before.status, before.steps):
        return session
    check_size(details)
    moment = time_of(command.ago_ms, now, before.created_at)
    stamp = updated_at(before, moment)
    details = ask_rules.settled(details, command, status, steps)
    progress = before._replace(status=status, steps=steps, updated_at=stamp, details=details)
    return session._replace(progress=progress)


def _ended_steps(session: Session, command: Finish, now: datetime) -> Mapping[int, StepProgress]:
    steps = dict(session.progress.steps)
    for number in range(1, session.progress.total_steps + 1):
        step = steps.get(number)
        moment = time_of(command.ago_ms, now, newest_time(session, step))
        if step is None:
            if command.success:
                steps[number] = skipped(session, None, number, "", moment)
        elif step.status == "running" or _is_lost_by(session, step, command.attempt_id):
            if command.success:
                steps[number] = end(step, "success", step.message, "", None, moment)
            else:
                steps[number] = end(step, "error", step.message, command.error, command.conclusion, moment)
    return steps


def _is_lost_by(session: Session, step: StepProgress, attempt_id: str | None) -> bool:
    """Whether a step counts as lost that an attempt, its newest one, holds: to that attempt it still runs."""
    claim = session.details.claims.get(step.step)
    return step.conclusion == "lost" and attempt_id is not None and claim is not None and claim.attempt_id == attempt_id


def _planned(session: Session, command: Plan, moment: datetime) -> Session:
    if not session.details.open_ended:
        raise StepsFixedError
    if not command.steps:
        raise InvalidRequestError("definitions must be at least one step.")
    ask_rules.check_not_cancelled(session)
    longer = appended(session, command.steps, command.envelope.max_total_steps)
    details = reopened(session.details)
    status = status_of(longer.progress.steps, longer.progress.total_steps, details)
    details = concluded(details, status, longer.progress.steps)
    stamp = updated_at(session.progress, moment)
    progress = longer.progress._replace(status=status, updated_at=stamp, details=details)
    return longer._replace(progress=progress)


def appended(session: Session, definitions: tuple[StepDefinition, ...], max_total_steps: int) -> Session:
    """Return the session with further steps; one without a name gets that of its number.

    Raises:
        InvalidRequestError: A step has a name or time that cannot be shown.
        TooManyStepsError: It would have more than `max_total_steps`.
    """
    check_definitions(definitions)
    known = session.definitions
    if len(known) + len(definitions) > max_total_steps:
        raise TooManyStepsError(f"A session has at most {max_total_steps} steps.")
    named = [
        each if each.name else replace(each, name=default_step_name(number))
        for number, each in enumerate(definitions, start=len(known) + 1)
    ]
    longer = (*known, *named)
    return Session(session.progress._replace(total_steps=len(longer)), longer)


def _described(before: Details, command: Describe) -> Details:
    after = before
    if command.title is not UNCHANGED:
        after = after._replace(title=command.title)
    if command.labels is not UNCHANGED:
        after = after._replace(labels=with_labels(before.labels, command.labels))
    if command.links is not UNCHANGED:
        after = after._replace(links=command.links or ())
    if command.accepts is not UNCHANGED:
        after = after._replace(accepts=command.accepts or ())
    check_size(after)
    return after


def reopened(details: Details) -> Details:
    """Return the details of a session that goes on after it was ended."""
    if details.is_finished or details.error is not None or details.conclusion is not None:
        return details._replace(error=None, conclusion=None, is_finished=False, is_cancelled=False)
    return details


def concluded(details: Details, status: SessionStatus, steps: Mapping[int, StepProgress]) -> Details:
    """Return the details with the conclusion that follows from the steps, unless the session was finished as a whole.

    It is that of the step that failed last, if each that failed has one.
    """
    failed = [step for step in steps.values() if step.status == "error"]
    if details.is_finished or (status == "error" and not failed):  # The latter was cancelled before any step.
        return details
    conclusion = None
    if status == "error" and all(step.conclusion for step in failed):
        conclusion = max(failed, key=lambda step: (step.completed_at or "", step.step)).conclusion
    assert conclusion != "skipped"
    return details if conclusion == details.conclusion else details._replace(conclusion=conclusion)


def with_details(session: Session, details: Details, moment: datetime) -> Session:
    """Return the session with other details, and no other change."""
    stamp = updated_at(session.progress, moment)
    return session._replace(progress=session.progress._replace(updated_at=stamp, details=details))


def updated_at(before: SessionProgress, moment: datetime) -> str:
    """Return the time stamp of an update; one of an earlier moment does not set it back."""
    return max(timestamp(moment), before.updated_at)


def status_of(steps: Mapping[int, StepProgress], total_steps: int, details: Details) -> SessionStatus:
    """Return the status that follows from the steps, of a session that was not finished as a whole."""
    statuses = [step.status for step in steps.values()]
    if not statuses:
        return "pending"
    if statuses.count("success") == total_steps and not details.open_ended:
        return "completed"
    return "error" if "error" in statuses else "running"


def check_lines(session: Session, command: AppendLines) -> int | None:
    """Return the number of the step that the lines are about; `None`: the session.

    The step may be in any state, also one that was never started.

    Raises:
        StepOutOfRangeError: The session has no step of that number.
        UnknownStepNameError: The session has no step of that name.
        AttemptSupersededError: A later attempt has replaced the command's.
    """
    if command.step is None:
        check_session_attempt(session, command)
        return None
    number = newest_named(session, command.step) if isinstance(command.step, str) else command.step
    if not 1 <= number <= session.progress.total_steps:
        raise StepOutOfRangeError(f"step must lie between 1 and {session.progress.total_steps}.")
    check_attempt(session, number, command)
    return number


def dated_lines(session: Session, command: AppendLines, now: datetime) -> tuple[LogLine, ...]:
    """Return the lines as the session keeps them.

    Raises:
        ProblemError: It does not take them; see `check_lines`.
    """
    number = check_lines(session, command)
    created_at = session.progress.created_at
    now = current_time(now, session)
    lines: list[LogLine] = []
    for line in command.lines:
        ago_ms = command.ago_ms if line.ago_ms is None else line.ago_ms
        at = timestamp(time_of(ago_ms, now, created_at))
        lines += [LogLine(at, number, line.level, text) for text in split_text(line.text)]
    return tuple(lines)
