"""The lines of a session's log as a terminal shows them."""

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo

from progress_sse.core.log_lines import LogLine
from progress_sse.story.plain_text import one_line


def log_texts(lines: Sequence[LogLine], missed: int) -> list[str]:
    """Return lines in plain text, in the time zone of this machine, and before them how many are not kept."""
    gap = f"… {missed} {'line' if missed == 1 else 'lines'} not kept"
    return [*([gap] if missed else []), *(log_line(line, None) for line in lines)]


def log_line(line: LogLine, zone: tzinfo | None = UTC) -> str:
    """Return a line in plain text: when it was written, its step, its level where that is not `info`, and its text."""
    at = datetime.fromisoformat(line.at).astimezone(zone)
    step = "" if line.step is None else f" [{line.step}]"
    level = "" if line.level == "info" else f" {line.level.upper()}"
    return f"{at:%Y-%m-%d %H:%M:%S}{f' {at:%Z}' if zone else ''}{step}{level} {one_line(line.text)}"
