"""Runs the tests of a claim of `docs/guarantees.md`: `python -m tests.guarantees 21`, by their marks `guarantee`.

With `--check` it runs none, and fails if a claim has no test or a mark no claim.
"""

import contextlib
import io
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "guarantees.md"

LABEL = re.compile(r"^(?:- \*\*(?=[A-Z]\. )|\| (?=\d+ \|))(\w+)", re.MULTILINE)
"""The letter of a promise, or the number of a fault, where the document describes it."""


class Selection:
    """A plugin of pytest that notes the labels of all tests, and leaves those of these claims."""

    def __init__(self, wanted: Sequence[str]) -> None:
        self._wanted = set(wanted)
        self.marked: set[str] = set()

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Deselect all others."""
        labels = {
            item: {str(label) for mark in item.iter_markers("guarantee") for label in mark.args} for item in items
        }
        self.marked.update(*labels.values())
        config.hook.pytest_deselected(items=[item for item in items if not labels[item] & self._wanted])
        items[:] = [item for item in items if labels[item] & self._wanted]


def marked_files() -> list[str]:
    """The files with tests that have the mark."""
    paths = sorted((ROOT / "tests").rglob("test_*.py"))
    return [str(path.relative_to(ROOT)) for path in paths if "mark.guarantee(" in path.read_text("utf-8")]


def run(selection: Selection, *options: str) -> int:
    """Run the tests of these claims, those of the full run too, and return the exit status."""
    everything = ["--rootdir", str(ROOT), "-p", "no:cacheprovider", "-m", "full or not full"]
    return pytest.main([*everything, *options, *marked_files()], plugins=[selection])


def check(described: set[str]) -> None:
    """Compare the claims with the marks."""
    selection, output = Selection(sorted(described)), io.StringIO()
    with contextlib.redirect_stdout(output):
        status = run(selection, "--collect-only", "--quiet")
    if status:
        raise SystemExit(output.getvalue())
    if described != selection.marked:
        missing, unknown = sorted(described - selection.marked), sorted(selection.marked - described)
        raise SystemExit(f"no test has the mark of {missing}, and no claim that of {unknown}")


def main(arguments: Sequence[str]) -> None:
    """Run the tests of the claims that are named, or compare."""
    described = set(LABEL.findall(PAGE.read_text("utf-8")))
    if "--check" in arguments:
        check(described)
    elif not arguments or set(arguments) - described:
        raise SystemExit("name letters and numbers of docs/guarantees.md, or --check")
    else:
        raise SystemExit(run(Selection(arguments)))


if __name__ == "__main__":
    main(sys.argv[1:])
