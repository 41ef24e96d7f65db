"""The lines of a text that a job logs. Pure."""

from collections.abc import Sequence

from progress_sse.client.reports import LOG_LEVELS, LogLine, fit_text
from progress_sse.client.thinned_lines import FIRST_LINES, LAST_LINES, mark
from progress_sse.core.log_lines import LogLevel
from progress_sse.story.plain_text import final_state


def log_lines(text: object, level: LogLevel) -> tuple[LogLine, ...]:
    """Return the lines of a text, in a form that the server accepts; of more than a second may have, those that stay.

    Raises:
        TypeError: It cannot be shown as text.
        ValueError: There is no such level.
    """
    if level not in LOG_LEVELS:
        raise ValueError(f"the level of a log line is one of {', '.join(LOG_LEVELS)}, not {level!r}")
    whole = text if isinstance(text, str) else fit_text(text)
    lines = whole.removesuffix("\n").split("\n")
    left_out = len(lines) - FIRST_LINES - LAST_LINES
    if left_out <= 0:
        return _lines(lines, level)
    return (*_lines(lines[:FIRST_LINES], level), mark(left_out), *_lines(lines[-LAST_LINES:], level))


def _lines(texts: Sequence[str], level: LogLevel) -> tuple[LogLine, ...]:
    return tuple(LogLine(fit_text(final_state(each)), level) for each in texts)
