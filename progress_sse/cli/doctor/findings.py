"""The result of a check, in words, and the exit status of all. Pure."""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

from progress_sse.story.plain_text import one_line

Level: TypeAlias = Literal["ok", "warning", "fault", "skipped"]

EXIT_STATUS: Final[dict[Level, int]] = {"ok": 0, "skipped": 0, "warning": 1, "fault": 2}
"""The exit status by the worst level; monitoring plugins use the same."""


class Finding(NamedTuple):
    """The result of one check: what was seen and means, and the change that helps, if there is one to make."""

    level: Level
    text: str
    remedy: str = ""


def ok(text: str) -> Finding:
    """Return a finding without a fault."""
    return Finding("ok", text)


def skipped(reason: str) -> Finding:
    """Return the finding of a check that was not made."""
    return Finding("skipped", reason)


def warning(text: str, remedy: str) -> Finding:
    """Return a finding of something that works, but not as well as it could."""
    return Finding("warning", text, remedy)


def fault(text: str, remedy: str) -> Finding:
    """Return a finding of something that does not work."""
    return Finding("fault", text, remedy)


def line(name: str, finding: Finding) -> str:
    """Return the finding of a check as a line of plain text: it may quote a server."""
    change = f" Change: {finding.remedy}" if finding.remedy else ""
    return one_line(f"{finding.level:<8} {name:<12}  {finding.text}{change}")


def summary(findings: Sequence[Finding]) -> str:
    """Return a line with the number of faults and warnings."""
    faults, warnings = (sum(each.level == level for each in findings) for level in ("fault", "warning"))
    return f"Faults: {faults}. Warnings: {warnings}."


def exit_status(findings: Sequence[Finding]) -> int:
    """Return the exit status of the worst finding."""
    return max((EXIT_STATUS[each.level] for each in findings), default=0)
