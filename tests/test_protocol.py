"""The requirements of `docs/protocol.md` are numbered, and each MUST is shown by a vector."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from progress_sse.conformance.stream_rules import WATCHED
from progress_sse.conformance.vectors import LEVELS, Conversation, conversations, servers, up_to

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "protocol.md").read_text("utf-8")

REQUIREMENT = re.compile(r"^- \*\*(P-\d+\.\d+)\*\* (.*?)\n(?=\n|- )", re.MULTILINE | re.DOTALL)
REQUIREMENTS = {number: " ".join(text.split()) for number, text in REQUIREMENT.findall(PAGE)}
KEYWORD = re.compile(r"\b(?:MUST|SHOULD|MAY)(?: NOT)?\b")
MUSTS = {number for number, text in REQUIREMENTS.items() if "MUST" in text}

CORPUS = ROOT / "tests" / "corpus"
VECTORS = [
    vector
    for name in ("content_types", "folds", "grammar", "logs", "readers", "rests", "workers")
    for vector in json.loads((CORPUS / f"{name}.json").read_text("utf-8"))
]
CONVERSATIONS = [each for server in (None, *servers()) for each in conversations(*LEVELS, server=server)]

PARTS = re.findall(r"^## Level (\w+)\n((?:(?!## ).*\n)*)", PAGE, re.MULTILINE)
LEVEL_OF = {number: level for level, part in PARTS for number, _ in REQUIREMENT.findall(part)}

MARK = re.compile(r"@?pytest\.mark\.protocol\(([^)]*)\)")
COMMENT = re.compile(r"^// Shows (P-.*)\.\ntest\(", re.MULTILINE)


def cited_by_tests() -> set[str]:
    """The numbers in the marks of the tests in Python, and in the comments above those in JavaScript."""
    python = [match for path in ROOT.glob("tests/**/test_*.py") for match in MARK.findall(path.read_text("utf-8"))]
    browser = [match for path in ROOT.glob("web/test/*.js") for match in COMMENT.findall(path.read_text("utf-8"))]
    return {number for citation in python + browser for number in re.findall(r"P-\d+\.\d+", citation)}


def cited_by_vectors() -> set[str]:
    exchanged = {number for each in CONVERSATIONS for exchange in each.exchanges for number in exchange.shows}
    return exchanged.union(WATCHED, *(vector["shows"] for vector in VECTORS))


def test_requirements_are_numbered_by_section() -> None:
    """Numbers grow within a section; a removed requirement leaves a gap."""
    numbered = 0
    for section, text in re.findall(r"^### (\d+)\. .*\n((?:(?!##).*\n)*)", PAGE, re.MULTILINE):
        numbers = [number.removeprefix("P-").split(".") for number, _ in REQUIREMENT.findall(text)]
        assert {each for each, _ in numbers} <= {section}
        places = [int(place) for _, place in numbers]
        assert places == sorted(set(places))
        numbered += len(places)
    assert numbered == len(REQUIREMENTS) == PAGE.count("**P-")


@pytest.mark.parametrize("number", REQUIREMENTS)
def test_a_requirement_has_its_side_and_one_keyword(number: str) -> None:
    """It binds a client, a reader, a worker or, without a subject, the server, to one thing."""
    text = REQUIREMENTS[number]
    assert re.match(rf"(A client|A reader|A worker) |{KEYWORD.pattern}", text), text
    assert len(KEYWORD.findall(text)) == 1, text


def test_keywords_stand_in_requirements_only() -> None:
    """Save for the sentence that defines them: no rule is left without a number."""
    rest = REQUIREMENT.sub("", PAGE).replace("MUST, MUST NOT, SHOULD, SHOULD NOT\nand MAY mean", "")
    assert KEYWORD.findall(rest) == []


def test_cited_requirements_exist() -> None:
    """No citation is left of a requirement that is gone."""
    assert cited_by_vectors() | cited_by_tests() <= set(REQUIREMENTS)


def test_the_page_has_all_levels() -> None:
    """In their order, and each requirement in one."""
    assert [level for level, _ in PARTS] == list(LEVELS)
    assert LEVEL_OF.keys() == REQUIREMENTS.keys()


def in_order(numbers: Sequence[str]) -> bool:
    """Whether they are numbers of requirements, each once, in the order of the protocol."""
    places = [tuple(map(int, number.removeprefix("P-").split("."))) for number in numbers]
    return places == sorted(set(places)) != []


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_a_vector_cites_the_requirements_that_it_shows(vector: dict[str, list[str]]) -> None:
    assert in_order(vector["shows"])


@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda each: each.name)
def test_each_exchange_cites_what_it_shows(conversation: Conversation) -> None:
    """Requirements of the conversation's level and of those below it: else a server of that level could fail."""
    numbers = [number for exchange in conversation.exchanges for number in exchange.shows]
    assert all(in_order(exchange.shows) for exchange in conversation.exchanges)
    assert {conversation.level} <= {LEVEL_OF[number] for number in numbers} <= set(up_to(conversation.level))
    assert not [number for number in numbers if re.match("A client|A reader|A worker", REQUIREMENTS[number])]


def test_every_must_is_shown() -> None:
    """By a vector, which authors of clients and servers can replay."""
    assert MUSTS - cited_by_vectors() == set()
