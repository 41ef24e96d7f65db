"""Writes the commands in `docs/guarantees.md` from the marks `guarantee` of the tests: `python -m tests.guarantees`.

With `--check` it writes nothing, and fails if the document differs. A command runs exactly the tests that have the mark
of its promise or fault.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "guarantees.md"

LABEL = re.compile(r"^(?:- \*\*(?=[A-Z]\. )|\| (?=\d+ \|))(\w+)", re.MULTILINE)
"""The letter of a promise, or the number of a fault, where the document describes it."""

BLOCK = re.compile(r"^```sh\n.*?^```$", re.MULTILINE | re.DOTALL)
"""The commands of the promises or faults since the block before."""

RUNS = {frozenset({False}): "", frozenset({True}): " -m full", frozenset({False, True}): ' -m "full or not full"'}
"""The options that select ordinary tests, tests of the full run, or both."""


class MarkedTest(NamedTuple):
    """A test, or one case of it, as pytest names it."""

    node_id: str
    is_full: bool
    labels: frozenset[str]


class Collector:
    """A plugin of pytest that keeps the collected tests."""

    def __init__(self) -> None:
        self.tests: list[MarkedTest] = []

    def pytest_collection_modifyitems(self, items: Sequence[pytest.Item]) -> None:
        """Keep them."""
        for item in items:
            labels = frozenset(str(label) for mark in item.iter_markers("guarantee") for label in mark.args)
            self.tests.append(MarkedTest(item.nodeid, item.get_closest_marker("full") is not None, labels))


def marked_files() -> list[str]:
    """The files with tests that have the mark."""
    paths = sorted((ROOT / "tests").rglob("test_*.py"))
    return [path.relative_to(ROOT).as_posix() for path in paths if "mark.guarantee(" in path.read_text("utf-8")]


def collect(files: Sequence[str]) -> list[MarkedTest]:
    """Return the tests of these files, those of the full run too."""
    collector, output = Collector(), io.StringIO()
    options = ["--collect-only", "--quiet", "-p", "no:cacheprovider", "-m", "full or not full"]
    with contextlib.redirect_stdout(output):
        status = pytest.main(["--rootdir", str(ROOT), *options, *files], plugins=[collector])
    if status:
        raise SystemExit(output.getvalue())
    return collector.tests


def parts(node_id: str) -> Iterator[str]:
    """Yield the file, the class, the test and the case that a node id names, as far as it names them."""
    name, bracket, case = node_id.partition("[")
    segments = name.split("::")
    for count in range(1, len(segments) + 1):
        yield "::".join(segments[:count])
    if bracket:
        yield f"{name}[{case}"


def shortest_names(wanted: Collection[str], others: Collection[str]) -> list[str]:
    """Return the fewest names that select all wanted tests and no others."""
    unwanted = {part for node_id in others for part in parts(node_id)}
    return sorted({next(part for part in parts(node_id) if part not in unwanted) for node_id in wanted})


def command(label: str, tests: Collection[MarkedTest]) -> str:
    """Return the command that runs the tests of a promise or fault."""
    marked = [test for test in tests if label in test.labels]
    others = [test.node_id for test in tests if label not in test.labels]
    run = RUNS[frozenset(test.is_full for test in marked)]
    names = shortest_names([test.node_id for test in marked], others)
    return f".venv/bin/python -m pytest{run} {shlex.join(names)}  # {label}\n"


def with_commands(page: str, commands: Mapping[str, str]) -> str:
    """Return the document with these commands, by label, in its blocks."""
    written, end = [], 0
    for block in BLOCK.finditer(page):
        before = page[end : block.start()]
        written += [before, "```sh\n", *(commands[label] for label in LABEL.findall(before)), "```"]
        end = block.end()
    return "".join([*written, page[end:]])


def main(arguments: Sequence[str]) -> None:
    """Write the commands into the document, or compare."""
    page = PAGE.read_text("utf-8")
    tests = collect(marked_files())
    described, marked = set(LABEL.findall(page)), {label for test in tests for label in test.labels}
    if described != marked:
        raise SystemExit(f"no test has the mark of {described - marked}, and no claim that of {marked - described}")
    written = with_commands(page, {label: command(label, tests) for label in described})
    if "--check" not in arguments:
        PAGE.write_text(written, "utf-8")
    elif written != page:
        raise SystemExit("docs/guarantees.md is not as the marks of the tests: run `python -m tests.guarantees`")


if __name__ == "__main__":
    main(sys.argv[1:])
