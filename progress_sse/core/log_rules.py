"""Which lines a session takes into its log, and when they were written.

Only the first line changes the session: from then on it says that it has a log.
"""

from datetime import datetime

from progress_sse.core.attempts import check_attempt, check_session_attempt
from progress_sse.core.errors import StepOutOfRangeError
from progress_sse.core.log_lines import LogLine, split_text
from progress_sse.core.model import Session
from progress_sse.core.step_rules import current_time, newest_named, time_of, timestamp
from progress_sse.core.updates import AppendLines


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
    number, created_at = check_lines(session, command), session.progress.created_at
    now = current_time(now, session)
    lines: list[LogLine] = []
    for line in command.lines:
        ago_ms = command.ago_ms if line.ago_ms is None else line.ago_ms
        at = timestamp(time_of(ago_ms, now, created_at))
        lines += [LogLine(at, number, line.level, text) for text in split_text(line.text)]
    return tuple(lines)
