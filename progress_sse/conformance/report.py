"""Which requirements a server meets, as a table and as JUnit's XML."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple
from xml.etree import ElementTree

from progress_sse.conformance.player import Fault, Played
from progress_sse.conformance.stream_rules import WATCHED
from progress_sse.conformance.vectors import LEVELS, Level

SKIPPED: Final = "an exchange before those that show it failed"


class Rule(NamedTuple):
    """A requirement; `shown` counts the answers that were compared for it."""

    number: str
    level: Level
    shown: int
    faults: Sequence[tuple[Played, Fault]]

    @property
    def state(self) -> str:
        """Whether it holds: `pass`, `FAIL`, or `-` if no answer could show it."""
        return "FAIL" if self.faults else "pass" if self.shown else "-"


def rules_of(played: Sequence[Played]) -> Sequence[Rule]:
    """Return all requirements of the conversations, each in the lowest level that shows it, in their order."""
    levels: dict[str, Level] = {}
    shown: dict[str, int] = defaultdict(int)
    faults: dict[str, list[tuple[Played, Fault]]] = defaultdict(list)
    for each in sorted(played, key=lambda each: LEVELS.index(each.conversation.level)):
        for place, exchange in enumerate(each.conversation.exchanges):
            streams = WATCHED if "events" in exchange.answer else ()
            for rule in {*exchange.shows, *streams}:
                levels.setdefault(rule, each.conversation.level)
                shown[rule] += place < each.exchanges
        for fault in each.faults:
            faults[fault.rule].append((each, fault))
    return [Rule(each, levels[each], shown[each], faults[each]) for each in sorted(levels, key=_place)]


def _place(number: str) -> tuple[int, ...]:
    return tuple(map(int, number.removeprefix("P-").split(".")))


def table(rules: Sequence[Rule]) -> Iterator[str]:
    """Yield a line for each requirement, with what failed below it, and in the end how many there are."""
    for level in LEVELS:
        of_level = [rule for rule in rules if rule.level == level]
        for rule in of_level:
            yield f"{level:9}{rule.number:9}{rule.state:6}{rule.shown:4} answers"
            for line in (line for fault in rule.faults for line in _lines_of(*fault)):
                yield f"    {line}"
    count = {state: sum(rule.state == state for rule in rules) for state in ("pass", "FAIL", "-")}
    yield f"{count['pass']} requirements hold, {count['FAIL']} fail, {count['-']} could not be shown."


def _lines_of(played: Played, fault: Fault) -> Iterator[str]:
    yield f"in: {played.conversation.name}"
    if fault.exchange is not None:
        yield f"exchange {played.exchanges}: {fault.exchange.title}"
        sent = fault.exchange.request or {}
        yield from (f"{key}: {sent[key]!r}" for key in ("headers", "json", "text") if key in sent)
    yield fault.reason


def junit(rules: Sequence[Rule]) -> bytes:
    """Return a test case for each requirement, with its level as the class."""
    failures, skipped = (sum(rule.state == state for rule in rules) for state in ("FAIL", "-"))
    counts = {"tests": str(len(rules)), "failures": str(failures), "skipped": str(skipped)}
    suite = ElementTree.Element("testsuite", {"name": "conformance", **counts})
    for rule in rules:
        case = ElementTree.SubElement(suite, "testcase", classname=rule.level, name=rule.number)
        for played, fault in rule.faults:
            failure = ElementTree.SubElement(case, "failure", message=_printable(fault.reason))
            failure.text = _printable("\n".join(_lines_of(played, fault)))
        if rule.state == "-":
            ElementTree.SubElement(case, "skipped", message=SKIPPED)
    return bytes(ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True))


def _printable(text: str) -> str:
    """Replace characters that XML does not have."""
    return "".join(each if each.isprintable() or each == "\n" else "\ufffd" for each in text)
