"""The lines of a session's log as a terminal shows them."""

from datetime import UTC, datetime, tzinfo

from progress_sse.core.log_lines import LogLine
from progress_sse.story.plain_text import one_line


def log_line(line: LogLine, zone: tzinfo | None = UTC) -> str:
    """Return a line in plain text: when it was written, its step, its level where that is not `info`, and its text."""
    at = datetime.fromisoformat(line.at).astimezone(zone)
    step = "" if line.step is None else f" [{line.step}]"
    level = "" if line.level == "info" else f" {line.level.upper()}"
    return f"{at:%Y-%m-%d %H:%M:%S}{f' {at:%Z}' if zone else ''}{step}{level} {one_line(line.text)}"
