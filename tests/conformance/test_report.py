"""What is said of a server that keeps some requirements, and breaks others."""

from xml.etree import ElementTree

from progress_sse.conformance.player import Fault, Played
from progress_sse.conformance.report import junit, rules_of, table
from progress_sse.conformance.vectors import Conversation, Exchange

ASKED = Exchange(["P-4.1"], {"status": 200}, {"method": "GET", "path": "/api/progress/a", "headers": {"X": "1"}})
STREAM = Exchange(["P-5.4", "P-10.1"], {"events": []}, stream="live")
LATER = Exchange(["P-4.1", "P-4.2"], {"status": 304}, {"method": "GET", "path": "/api/progress/a"})

CORE = Conversation("short", "core", [ASKED])
STORY = Conversation("long", "story", [ASKED, STREAM, LATER])

FAULT = Fault("P-5.4", "the events: '\x1b' instead of 2", STREAM)
FAULTS = [FAULT, FAULT._replace(rule="P-10.1"), Fault("P-6.1", "the id ''")]
RULES = rules_of([Played(STORY, 2, FAULTS), Played(CORE, 1, [])])


def test_each_requirement_has_a_line() -> None:
    """In the lowest level that shows it, with what failed; one whose exchange was not played is neither."""
    lines = [" ".join(line.split()) for line in table(RULES)]
    assert lines[0] == "core P-4.1 pass 2 answers"
    assert "story P-4.2 - 0 answers" in lines
    assert "story P-5.12 pass 1 answers" in lines
    failed = lines.index("story P-5.4 FAIL 1 answers")
    assert lines[failed + 1 : failed + 4] == ["in: long", "exchange 2: the stream live", FAULT.reason]
    assert lines[-1] == "7 requirements hold, 3 fail, 1 could not be shown."


def test_a_request_that_failed_is_shown() -> None:
    """So that it can be sent again."""
    rules = rules_of([Played(CORE, 1, [Fault("P-4.1", "the status: 500 instead of 200", ASKED)])])
    assert [line.strip() for line in table(rules)][1:4] == [
        "in: short",
        "exchange 1: GET /api/progress/a",
        "headers: {'X': '1'}",
    ]


def test_the_results_are_a_suite_of_junit() -> None:
    """A test case for each requirement, also with texts that XML does not have."""
    suite = ElementTree.fromstring(junit(RULES))  # noqa: S314  # our own
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("11", "3", "1")
    cases = {case.get("name"): case for case in suite}
    assert cases["P-4.1"].get("classname") == "core"
    assert [*cases["P-4.1"]] == []
    assert [element.tag for element in cases["P-4.2"]] == ["skipped"]
    [failure] = cases["P-5.4"]
    assert failure.get("message") == "the events: '\ufffd' instead of 2"
