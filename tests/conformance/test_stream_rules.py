"""The rules that the bytes of each stream show."""

import pytest

from progress_sse.conformance.stream_rules import Event, blocks, event_of, faults

FIRST = "retry: 2000\nid: a-0\nevent: snapshot\ndata: {}\n\n"
STEP = "id: a-1\nevent: step\ndata: {}\n\n"


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        (f"{FIRST}{STEP}: still here\n{STEP}", []),
        (f": still here\n{FIRST}", []),
        (f"{FIRST}{STEP}".replace("\n", "\r\n"), []),
        (f"{FIRST}: still here\nretry: 5000\n\n", []),
        (f"{FIRST}{STEP[:-1]}", []),
        (STEP, ["P-5.3"]),
        (f"{FIRST}id: b-0\nevent: snapshot\ndata: {{}}\n\n", ["P-5.3"]),
        (f"{FIRST}event: error\ndata: {{}}\n\n", ["P-5.12"]),
        (f"{FIRST}\n", ["P-5.16"]),
        (f"{FIRST}: still here\n\n", ["P-5.16"]),
        (f"{FIRST}: still here\n\n{STEP}", ["P-5.16"]),
        (f"{FIRST}retry: 5000\n\n{STEP}", ["P-5.16"]),
        (f"{FIRST}data: <b>\n\n", ["P-5.17"]),
        (f"{FIRST}data: \u2028\n\n", ["P-5.17"]),
        (f"{FIRST}id: ü-1\ndata: {{}}\n\n", ["P-6.1"]),
        (f"{FIRST}id: {'a' * 129}\ndata: {{}}\n\n", ["P-6.1"]),
        (f"{FIRST}{STEP}{STEP.replace('{}', '{1}')}", ["P-6.4"]),
    ],
)
def test_faults_of_a_stream_are_named(text: str, broken: list[str]) -> None:
    """Each by the requirement that it breaks."""
    assert [rule for rule, _ in faults(text, {})] == broken


def test_an_id_has_one_meaning_in_all_streams() -> None:
    """Of events of one name: a snapshot and a step may have the same id."""
    sent: dict[tuple[str, str], str] = {}
    assert [*faults(FIRST, sent)] == []
    assert [*faults(FIRST.replace("snapshot", "end"), sent)] == []
    assert [rule for rule, _ in faults(FIRST.replace("{}", "[]"), sent)] == ["P-6.4"]


def test_an_event_has_its_own_id_or_none() -> None:
    """A vector without an id demands an event without one."""
    events = [event_of(lines) for lines in blocks(f"{FIRST}data: 1\ndata:2\n\n: comment\n\n")]
    assert events == [Event("snapshot", "a-0", "{}"), Event("message", None, "1\n2"), None]
    assert Event("end", "a-1", '{"b": 1}').shown() == {"event": "end", "id": "a-1", "data": {"b": 1}}
