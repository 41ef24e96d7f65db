"""The claims of `docs/guarantees.md` can be checked: each has a command, and each command finds its tests."""

from __future__ import annotations

import re
import string
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "guarantees.md").read_text("utf-8")

COMMAND = re.compile(r'\.venv/bin/python -m pytest(?: -m (full|"full or not full"))?((?: tests/\S+)+)')

COMMANDS = re.findall(r"^(\.venv/.*?)  # (\w+)$", PAGE, re.MULTILINE)


def test_each_claim_has_its_command() -> None:
    """Promises have letters and faults have numbers, without gaps, and each has one command."""
    promises = re.findall(r"^- \*\*([A-Z])\. ", PAGE, re.MULTILINE)
    faults = re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)
    assert promises == list(string.ascii_uppercase[: len(promises)])
    assert faults == [str(number + 1) for number in range(len(faults))]
    assert [label for _, label in COMMANDS] == promises + faults
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert sum(block.count("\n") for block in blocks) == len(COMMANDS)


LISTER = """
import sys
import pytest

class Lister:
    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items):
        for item in items:
            print("TEST", item.nodeid.partition("[")[0], "full" in item.keywords)

sys.exit(pytest.main(sys.argv[1:], plugins=[Lister()]))
"""
"""Lists the tests that pytest finds, and whether each is for the full run."""

CHOSEN = {"not full": {False}, "full": {True}, '"full or not full"': {False, True}}
"""The values of "is for the full run" that an expression of marks selects."""


def test_each_command_finds_its_tests() -> None:
    """No command is left without tests when a test is renamed or moved to the full run."""
    named: list[tuple[str, set[bool]]] = []
    for command, _ in COMMANDS:
        match = COMMAND.fullmatch(command)
        assert match is not None, command
        named += [(test, CHOSEN[match[1] or "not full"]) for test in match[2].split()]
    options = ["--collect-only", "-q", "-p", "no:cacheprovider", "-m", "full or not full"]
    command = [sys.executable, "-c", LISTER, *options, *sorted({test for test, _ in named})]
    listed = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=100, check=False)
    assert listed.returncode == 0, listed.stdout
    found = [
        (test, is_full == "True") for test, is_full in re.findall(r"^TEST (\S+) (\w+)$", listed.stdout, re.MULTILINE)
    ]
    for test, chosen in named:
        kinds = (is_full for each, is_full in found if each == test or each.startswith(f"{test}::"))
        assert chosen & set(kinds), test
