"""`llms.txt`, the index of the pages for language models."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

KINDS: Final = {
    "Tutorial": "tutorial",
    "How-to": "how-to",
    "Reference": "reference",
    "Protocol and guarantees": "",
    "Explanation": "explanation",
    "Examples": "examples",
    "Files for operators": "deploy",
    "Decisions": "adr",
}
"""The headings, and the folder of each."""


def llms_txt(docs: Path, pages: Mapping[str, str]) -> str:
    """Return each page below the folder `docs` with its first sentence; `pages` are those that are generated."""
    texts = {path.relative_to(docs).as_posix(): path.read_text("utf-8") for path in docs.rglob("*.md")}
    texts = {**{name: text for name, text in texts.items() if not name.startswith(("_build/", "index"))}, **pages}
    title, summary = (docs.parent / "README.md").read_text("utf-8").split("\n\n")[:2]
    parts = [title, f"> {' '.join(summary.split())}"]
    for kind, folder in KINDS.items():
        lines = [
            f"- [{text.splitlines()[0].removeprefix('# ')}](docs/{name}): {_first_sentence(text)}"
            for name, text in sorted(texts.items())
            if name.rpartition("/")[0].partition("/")[0] == folder
        ]
        parts += [f"## {kind}", "\n".join(lines)] if lines else []
    return "\n\n".join(parts) + "\n"


def _first_sentence(text: str) -> str:
    """Return the first sentence of a page, without its links."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^(#|<!--|\|).*$", "", prose, flags=re.MULTILINE)
    paragraph = next((" ".join(each.split()) for each in prose.split("\n\n") if each.strip()), "")
    paragraph = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", paragraph.removeprefix("- ").replace("**", ""))
    return re.split(r"(?<=[.:])\s", paragraph)[0].removesuffix(":")
