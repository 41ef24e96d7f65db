"""What `docs/guarantees.md` says can be checked: each claim has a command, and each command finds its tests."""

from __future__ import annotations

import re
import shlex
import string
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "guarantees.md").read_text("utf-8")

PYTEST = [".venv/bin/python", "-m", "pytest"]

COMMANDS = re.findall(r"^(\.venv/.*?)  # (\w+)$", PAGE, re.MULTILINE)


def test_each_claim_has_its_command() -> None:
    """Promises bear letters, faults numbers, without a gap, and each stands beside one command."""
    promises = re.findall(r"^- \*\*([A-Z])\. ", PAGE, re.MULTILINE)
    faults = re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)
    assert promises == list(string.ascii_uppercase[: len(promises)])
    assert faults == [str(number + 1) for number in range(len(faults))]
    assert [label for _, label in COMMANDS] == promises + faults
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert sum(block.count("\n") for block in blocks) == len(COMMANDS)


def collected(marks: str, tests: set[str]) -> list[str]:
    """The tests that pytest finds for these names under an expression of marks."""
    pytest = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    command = [*pytest, "-m", marks, *sorted(tests)]
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
        missing = {test for test in tests if not any(re.match(rf"{re.escape(test)}($|[\[:])", each) for each in found)}
        assert missing == set()
