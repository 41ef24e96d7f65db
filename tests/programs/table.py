"""The table of the programs in the documents: what is recognised in each recording."""

import re
from pathlib import Path
from typing import Final

from progress_sse.cli.output_progress import Found, OutputProgress
from tests.programs.commands import PROGRAMS

RECORDINGS: Final = Path(__file__).parent / "recordings"
PAGE: Final = (Path(__file__).parents[2] / "docs/how-to/report-from-a-shell").with_suffix(".md")

_TABLE: Final = re.compile(r"(?<=<!-- Written by make recordings. -->\n\n).*?(?=\n\n)", re.DOTALL)


def recording(name: str) -> bytes:
    """Return what a program has written."""
    return (RECORDINGS / name).read_bytes()


def found_in(*chunks: bytes) -> tuple[str | None, list[Found]]:
    """Return what is recognised in an output of these pieces, in words, and each report."""
    reports: list[Found] = []
    progress = OutputProgress(reports.append)
    receive = progress.receiver()
    for chunk in (*chunks, b""):
        receive(chunk)
    return progress.recognised, reports


def with_table(page: str) -> str:
    """Return the page with the table that follows from the recordings."""
    commands: dict[tuple[str, str], set[str]] = {}
    for program in PROGRAMS:
        words, reports = found_in(recording(program.name))
        commands.setdefault((str(words), _unit(reports[-1])), set()).add(f"`{program.shown}`")
    rows = [f"| {words} | {', '.join(sorted(them))} | {unit} |" for (words, unit), them in sorted(commands.items())]
    return _TABLE.sub("\n".join(["| Recognised | Of | Gives |", "| --- | --- | --- |", *rows]), page)


def _unit(found: Found) -> str:
    if found.total is None:
        return "a number"
    return "%" if found.total == 100 else "n of m"
