"""The claims of `docs/guarantees.md` can be checked: each has a command, and each command finds its tests.

`make check` compares the commands with the marks of the tests.
"""

from __future__ import annotations

import re
import shlex
import string
import subprocess
import sys

import pytest

from tests import guarantees
from tests.guarantees import ROOT, MarkedTest, shortest_names

PAGE = guarantees.PAGE.read_text("utf-8")

COMMAND = re.compile(r'\.venv/bin/python -m pytest(?: -m (full|"full or not full"))?((?: \'?tests/.+)+)')

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
            print("TEST", item.nodeid.partition("[")[0], item.get_closest_marker("full") is not None)

sys.exit(pytest.main(sys.argv[1:], plugins=[Lister()]))
"""
"""Lists the tests that pytest finds, and whether each is for the full run."""

CHOSEN = {"not full": {False}, "full": {True}, '"full or not full"': {False, True}}
"""The values of "is for the full run" that an expression of marks selects."""


@pytest.mark.full
def test_each_command_finds_its_tests() -> None:
    """No command is left without tests when a test is renamed or moved to the full run."""
    named: list[tuple[str, set[bool]]] = []
    for command, _ in COMMANDS:
        match = COMMAND.fullmatch(command)
        assert match is not None, command
        named += [(test, CHOSEN[match[1] or "not full"]) for test in shlex.split(match[2])]
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


def test_a_command_has_the_fewest_names_of_exactly_its_tests() -> None:
    """A file, a class or a test is named as a whole if all its cases have the mark."""
    cases = ["a.py::test[x y]", "a.py::test[x::z]", "b.py::Test::test", "b.py::Test::more", "b.py::test"]
    assert shortest_names(cases, []) == ["a.py", "b.py"]
    assert shortest_names(cases[:1], cases[1:]) == ["a.py::test[x y]"]
    assert shortest_names(cases[:4], cases[4:]) == ["a.py", "b.py::Test"]
    assert shortest_names(cases[:2], ["a.py::tests"]) == ["a.py::test"]


@pytest.mark.parametrize(
    ("kinds", "options"),
    [({False}, ""), ({True}, " -m full"), ({False, True}, ' -m "full or not full"')],
)
def test_a_command_selects_the_run_of_its_tests(kinds: set[bool], options: str) -> None:
    """Ordinary tests need no option."""
    tests = [MarkedTest(f"a.py::test[{is_full}]", is_full, frozenset({"7"})) for is_full in kinds]
    unmarked = MarkedTest("a.py::other", False, frozenset({"8"}))
    assert guarantees.command("7", [*tests, unmarked]) == f".venv/bin/python -m pytest{options} a.py::test  # 7\n"


def test_commands_stand_in_the_block_behind_their_claims() -> None:
    """Other texts and blocks stay as they are."""
    promises, faults = "- **A. Kept.** **B. This is no claim.**\n", "| 1 | x |\n| 12 | y |\n"
    page = f"{promises}```sh\nold\nolder\n```\n{faults}```sh\n```\n```text\n```\n"
    written = guarantees.with_commands(page, {"A": "a\n", "1": "one\n", "12": "twelve\n"})
    assert written == page.replace("old\nolder\n", "a\n").replace("| y |\n```sh\n", "| y |\n```sh\none\ntwelve\n")


def test_a_claim_without_a_test_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """So is a mark of a claim that is gone, and with `--check` a command that is not as the marks."""
    labels = guarantees.LABEL.findall(PAGE)
    tests = [MarkedTest("tests/test_guarantees.py::test", False, frozenset(labels))]
    monkeypatch.setattr(guarantees, "collect", lambda _files: tests)
    with pytest.raises(SystemExit, match="not as the marks"):
        guarantees.main(["--check"])
    for wrong in (labels[1:], [*labels, "0"]):
        tests[:] = [MarkedTest("tests/test_guarantees.py::test", False, frozenset(wrong))]
        with pytest.raises(SystemExit, match="no test has the mark"):
            guarantees.main(["--check"])
