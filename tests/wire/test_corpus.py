"""The protocol document agrees with the vectors, and the vectors with the code; authors of clients rely on both."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.oracle import fold
from tests.harness.vectors import CONTENT_TYPES, GRAMMAR

CORPUS = Path(__file__).parents[1] / "corpus"
PROTOCOL = (CORPUS.parents[1] / "docs" / "protocol.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```json\n(.*?)^```$", PROTOCOL, re.MULTILINE | re.DOTALL)
FOLDS = json.loads((CORPUS / "folds.json").read_text("utf-8"))


def _parts(value: Any) -> Iterator[str]:
    """Each object and array in a JSON value, itself too, as text: the order of keys counts."""
    if isinstance(value, dict | list):
        yield json.dumps(value)
        for part in value.values() if isinstance(value, dict) else value:
            yield from _parts(part)


RECORDED = {
    part for path in CORPUS.glob("*.json") for part in _parts(json.loads(path.read_text("utf-8").replace("${run}", "")))
}


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_of_the_protocol_is_a_vector(example: str) -> None:
    """Each JSON block of the document is part of a vector, which is replayed."""
    assert json.dumps(json.loads(example)) in RECORDED


FORMAT_CASES = (
    *("bom", "bom-2", "comments", "data-before-final-empty-line", "field-data", "field-event", "field-event-empty"),
    *("field-id", "field-id-2", "field-id-3", "field-id-null", "field-parsing", "field-retry", "field-retry-bogus"),
    *("field-retry-empty", "field-unknown", "leading-space", "mime-bogus", "mime-trailing-semicolon"),
    *("mime-valid-bogus", "newlines", "null-character", "utf-8"),
)


def test_each_format_case_of_browsers_has_a_vector() -> None:
    """Of those that web-platform-tests had in 2026, each is covered once."""
    covered = [case for vector in GRAMMAR + CONTENT_TYPES for case in vector.get("wpt", [])]
    assert sorted(covered) == sorted(f"format-{case}" for case in FORMAT_CASES)


@pytest.mark.parametrize("vector", FOLDS, ids=lambda each: each["name"])
def test_the_oracle_folds_as_the_vectors_say(vector: dict[str, Any]) -> None:
    """The oracle that checks the server's streams passes the same vectors as every client."""
    held = vector["snapshot"]
    for step in vector["steps"]:
        held = fold(held, step)
    assert json.dumps(held) == json.dumps(vector["folded"])
