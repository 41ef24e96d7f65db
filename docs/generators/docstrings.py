"""Docstrings in Google's style as Markdown."""

import inspect
import re
from textwrap import dedent
from typing import Final

_SECTION: Final = re.compile(r"^(Args|Attributes|Raises|Returns|Yields):\n((?:[ ]{4}.*\n?|\n)+)", re.MULTILINE)


def plain(docstring: str | None) -> str:
    """Return the text of a docstring, with Markdown's code in place of reStructuredText's."""
    text = inspect.cleandoc(docstring or "").replace("``", "`")
    return re.sub(r"(^|\n)::\n\n((?:    .*\n?|\n)+)", _fenced, text)


def _fenced(found: re.Match[str]) -> str:
    return f"{found[1]}```python\n{dedent(found[2]).strip()}\n```\n\n"


def summary(docstring: str | None) -> str:
    """Return the first paragraph of a docstring, in one line."""
    return " ".join(plain(docstring).split("\n\n")[0].split())


def brief(docstring: str | None) -> str:
    """Return the first paragraph of a docstring, and its sections as lists."""
    return "\n\n".join([summary(docstring), *sections(docstring)])


def sections(docstring: str | None) -> list[str]:
    """Return the sections of a docstring, such as the meaning of arguments, as lists."""
    return [_list(found).strip() for found in _SECTION.finditer(plain(docstring) + "\n")]


def _list(section: re.Match[str]) -> str:
    entries = re.split(r"\n(?=\S)", dedent(section[2]).strip())
    items = (re.sub(r"^([\w*]+): ", r"`\1`: ", " ".join(entry.split())) for entry in entries)
    return f"{section[1]}:\n\n" + "\n".join(f"- {item}" for item in items) + "\n\n"
