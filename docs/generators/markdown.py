"""The parts of a generated page."""

from collections.abc import Iterable
from typing import Final

NOTE: Final = "<!-- Written by docs/generate.py. -->"


def page(title: str, *parts: str) -> str:
    """Return a page."""
    return "\n\n".join([f"# {title}", NOTE, *(part.strip("\n") for part in parts)]) + "\n"


def table(header: str, rows: Iterable[Iterable[str]]) -> str:
    """Return a table; `header` separates its columns by bars."""
    lines = [header, " | ".join("---" for _ in header.split("|"))]
    lines += [" | ".join(cell.replace("|", "\\|") for cell in row) for row in rows]
    return "\n".join(f"| {line} |".replace("|  |", "| |") for line in lines)


def code(text: object) -> str:
    """Return inline code."""
    return f"`{text}`"
