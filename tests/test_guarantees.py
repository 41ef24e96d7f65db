"""The claims of `docs/guarantees.md` can be checked: each has tests with its mark, and a command that runs these."""

import string
import typing
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tests import guarantees


class MarkedItem:
    """A test with a mark of these claims."""

    def __init__(self, *labels: str | int) -> None:
        self._labels = labels

    def iter_markers(self, name: str) -> Iterator[pytest.Mark]:
        yield getattr(pytest.mark, name)(*self._labels).mark


LABELS = guarantees.LABEL.findall(guarantees.PAGE.read_text("utf-8"))


def test_claims_are_labelled_without_gaps() -> None:
    """Promises have letters, and faults have numbers, in the order of the page."""
    promises = [label for label in LABELS if label.isalpha()]
    faults = [label for label in LABELS if label.isdigit()]
    assert promises == list(string.ascii_uppercase[: len(promises)])
    assert faults == [str(number + 1) for number in range(len(faults))]
    assert promises + faults == LABELS


def test_a_claim_runs_exactly_its_tests(pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those with its mark, alone or among others."""
    items = [MarkedItem("A", 7), MarkedItem(70), MarkedItem()]
    both, *others = items
    deselected: list[MarkedItem] = []
    monkeypatch.setattr(pytestconfig.hook, "pytest_deselected", lambda items: deselected.extend(items))
    selection = guarantees.Selection(["7"])
    selection.pytest_collection_modifyitems(pytestconfig, typing.cast(Any, items))
    assert (items, deselected) == ([both], others)
    assert selection.marked == {"A", "7", "70"}


@pytest.mark.parametrize("marked", [LABELS[1:], [*LABELS, "0"]])
def test_a_claim_without_a_test_is_refused(monkeypatch: pytest.MonkeyPatch, marked: list[str]) -> None:
    """So is a mark of a claim that is gone."""

    def run(selection: guarantees.Selection, *_options: str) -> int:
        selection.marked.update(marked)
        return 0

    monkeypatch.setattr(guarantees, "run", run)
    with pytest.raises(SystemExit, match="no test has the mark"):
        guarantees.main(["--check"])


@pytest.mark.parametrize("arguments", [[], ["0"], ["A", "no claim"]])
def test_only_claims_are_run(arguments: Sequence[str]) -> None:
    """Any other name is refused."""
    with pytest.raises(SystemExit, match="name letters and numbers"):
        guarantees.main(arguments)
