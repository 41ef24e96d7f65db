"""The links of the documents lead to files and headings of the project."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOUND = [page for pattern in ("*.md", "docs/**/*.md", "tests/**/*.md", "web/*.md") for page in ROOT.glob(pattern)]
PAGES = sorted(page for page in FOUND if not {"_build", "node_modules"}.intersection(page.parts))


def prose(page: Path) -> str:
    """The text of a page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_have_targets(page: Path) -> None:
    """Each link within the project leads to a file, and in a Markdown page to one of its headings."""
    for target in re.findall(r"\]\(([^)]+)\)", prose(page)):
        path, _, anchor = target.partition("#")
        found = page.parent / path if path else page
        if not target.startswith("https://"):
            assert found.exists(), target
            assert not anchor or anchor in anchors(found), target
