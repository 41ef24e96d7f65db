from typing import Any

import pytest

from progress_sse.conformance.patterns import Known, MismatchError


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        ({"a": 1}, {"a": 1.0}),
        ({"a": 1}, {"a": True}),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": 1}, [1]),
        ([1, 2], [1]),
        ("${one}-2", "x-3"),
        ("${one}-2", "-2"),
        ("${one:int}", "2"),
        ("${one:int}", -2),
        ("${one:time}", "2026-11-25T10:00:00+00:00"),
        ("x${_:rest}", 5),
        (["${one}", "${two:new}"], ["x", "x"]),
    ],
)
def test_a_value_that_does_not_fit_is_an_error(pattern: Any, value: Any) -> None:
    """A pattern that fits every value would check nothing."""
    with pytest.raises(MismatchError):
        Known().match(pattern, value)


def test_a_name_has_one_value() -> None:
    """A name takes its value at its first occurrence, has it at all later ones, and is replaced by it in texts."""
    known = Known()
    known.match({"id": "${epoch}-1", "n": "${n}"}, {"id": "a-b-1", "n": None})
    known.match(["${epoch}-2", "${_}", "${_:rest}", "${later:new}-0"], ["a-b-2", 7, "", "c-0"])
    assert known.fill("${epoch}!") == "a-b!"
    with pytest.raises(MismatchError):
        known.match("${epoch}-3", "c-3")
    with pytest.raises(MismatchError):
        known.match("${n}", 0)
