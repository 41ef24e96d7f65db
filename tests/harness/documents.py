"""The blocks and programs in our documents, to be run unchanged."""

import re
from typing import NamedTuple

from tests.harness.serving import ROOT

GENERATED = "<!-- Written by docs/generate.py. -->"
"""Marks pages that `make check` compares with the code."""


class Block(NamedTuple):
    """A fenced block of a page: its language, and its text without the fence."""

    page: str
    language: str
    text: str


def read_pages() -> dict[str, str]:
    """The text of each page for users, by its path; generated pages are left out."""
    folders = ("tutorial", "how-to", "reference", "explanation")
    paths = [
        ROOT / "README.md",
        *(path for folder in folders for path in sorted((ROOT / "docs" / folder).rglob("*.md"))),
    ]
    texts = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in paths}
    return {page: text for page, text in texts.items() if GENERATED not in text}


def blocks_of(page: str, text: str) -> list[Block]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [Block(page, language, block) for language, block in found]


def programs_of(document: str) -> dict[str, str]:
    """Each Python block of a document in `docs` that begins with its file's name, by that name without `.py`."""
    text = (ROOT / "docs" / document).read_text("utf-8")
    return dict(re.findall(r"^```python\n# (\w+)\.py\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
