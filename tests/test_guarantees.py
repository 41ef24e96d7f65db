"""What `docs/guarantees.md` says can be checked: each row has a command, and each command finds its tests."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "guarantees.md").read_text("utf-8")

PYTEST = [".venv/bin/python", "-m", "pytest"]

COMMANDS = re.findall(r"^(\.venv/.*?)  # (\d+)$", PAGE, re.MULTILINE)


def test_each_row_has_its_command() -> None:
    """Rows are numbered through, and each number stands beside one command."""
    rows = re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)
    assert rows == [number for _, number in COMMANDS] == [str(number + 1) for number in range(len(rows))]
    lines = [
        line
        for block in re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
    ]
    assert len(lines) == len(COMMANDS)


def collected(marks: str, tests: set[str]) -> list[str]:
    """The tests that pytest finds for these names under an expression of marks."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--collect-only",
        "-q",
        "-p",
        "no:cacheprovider",
        "-m",
        marks,
        *sorted(tests),
    ]
    result = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=100, check=False)
    assert result.returncode == 0, result.stdout
    return result.stdout.splitlines()


def test_each_command_finds_its_tests() -> None:
    """A test that is renamed, or moved to the full run, does not leave a command behind that does nothing."""
    named: dict[str, set[str]] = {}
    for command, _ in COMMANDS:
        words = shlex.split(command)
        assert words[:3] == PYTEST
        marks = words[4] if words[3] == "-m" else "not full"
        named.setdefault(marks, set()).update(word for word in words[3:] if word.startswith("tests/"))
    for marks, tests in named.items():
        found = collected(marks, tests)
        assert {
            test for test in tests if not any(re.match(rf"{re.escape(test)}($|[\[:])", each) for each in found)
        } == set()
