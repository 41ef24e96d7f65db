"""The mutants of a text, and the comparison of two results; `python -m tests.mutants` does the rest."""

import ast

from tests.mutants import KINDS, NOT_REACHED, SURVIVED, Mutant, compared, drawn, mutants_of

TEXT = '''"""A module."""

LIMITS: dict[str, "int"] = {"größe": 3}


def is_open(size: "int" = 1) -> "bool":
    """Whether it is open."""
    if size < LIMITS["größe"] and not size is None:
        log(f"size {size + 1}")
    return found(
        True)
'''


CONDITION = 'size < LIMITS["größe"] and not size is None'


def mutants() -> list[Mutant]:
    return list(mutants_of("progress_sse/doors.py", TEXT))


def test_each_place_has_its_changes() -> None:
    """No docstring, type or part of an f-string is one."""
    assert [(each.line, each.kind, each.old, each.new) for each in mutants()] == [
        (3, "constant", '"größe"', "''"),
        (3, "constant", "3", "4"),
        (6, "constant", "1", "2"),
        (8, "condition", CONDITION, "not (size < LIMITS['größe'] and (not size is None))"),
        (8, "condition", CONDITION, "size < LIMITS['größe'] or not size is None"),
        (8, "comparison", 'size < LIMITS["größe"]', "size <= LIMITS['größe']"),
        (8, "constant", '"größe"', "''"),
        (8, "comparison", "size is None", "size is not None"),
        (9, "dropped call", 'log(f"size {size + 1}")', "pass"),
        (11, "constant", "True", "False"),
    ]
    assert [each.is_in_function for each in mutants()] == [False] * 3 + [True] * 7
    assert [each.lines_before for each in mutants()] == [0] * 9 + [1]


def test_a_mutant_changes_its_place_alone() -> None:
    """Characters count, and not the bytes of UTF-8; each changed text is Python."""
    for each in mutants():
        changed = each.applied(TEXT)
        ast.parse(changed)
        start = TEXT.index(each.lines) + each.column
        assert changed == TEXT[:start] + each.new + TEXT[start + len(each.old) :]
        assert TEXT[start:].startswith(each.old)
    assert len({str(each) for each in mutants()}) == len(mutants())


def test_a_mutant_moves_with_its_lines() -> None:
    """Where they are twice, or no longer, it has no place."""
    last = mutants()[-1]
    assert last.line_in(TEXT) == 11
    assert last.line_in(f"import os\n{TEXT}") == 12
    assert last.applied(f"import os\n{TEXT}").endswith("        False)\n")
    assert last.line_in(f"import os\n{TEXT}{last.lines}") is None
    assert last.line_in(f"import os\n{TEXT}".replace("True)", "True )")) is None


def test_a_sample_has_each_kind_in_turn() -> None:
    """As far as there are; a seed always gives the same."""
    sample = drawn(mutants(), 7, seed=1)
    assert [each.kind for each in sample] == [*KINDS, "comparison", "constant", "condition"]
    assert sample == drawn(mutants(), 7, seed=1)
    assert sorted(drawn(mutants(), 100, seed=2)) == sorted(mutants())


def test_results_are_compared_mutant_by_mutant() -> None:
    """A mutant is lost if it was found, and is found no longer."""
    before = {"a": "tests/x.py::test_a", "b | c": "timed out", "d": SURVIVED, "e": "tests/x.py::test_e"}
    after = {"a": "tests/y.py::test_b", "b | c": SURVIVED, "d": NOT_REACHED, "f": SURVIVED}
    assert compared(before, after) == (
        "| | mutant | before | after |\n"
        "| --- | --- | --- | --- |\n"
        "|  | a | tests/x.py::test_a | tests/y.py::test_b |\n"
        "| lost | b &#124; c | timed out | survived |\n"
        "|  | d | survived | not reached |\n"
        "| lost | e | tests/x.py::test_e | not run |\n"
        "|  | f | not run | survived |",
        2,
    )
