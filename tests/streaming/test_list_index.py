"""Lists that are found by an index, compared with asking each of them."""

import json
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from progress_sse.core.session_filter import STATES, ListStatus, SessionFilter, parse_statuses
from progress_sse.store.types import ChangedSession, SessionSummary
from progress_sse.streaming import list_channel
from progress_sse.streaming.list_channel import ListEvent, ListWindow
from progress_sse.streaming.list_index import ListIndex

STATUSES: tuple[ListStatus, ...] = ("pending", "running", "error", "failed", "stalled")
LABELS = st.dictionaries(st.sampled_from("kl"), st.sampled_from("xy"))
IDS = st.text("ab", min_size=1, max_size=3)
FILTERS = st.builds(
    SessionFilter,
    st.text("ab", max_size=2),
    LABELS.map(lambda labels: frozenset(labels.items())),
    st.lists(st.sampled_from(STATUSES), max_size=2).map(parse_statuses),
)


@st.composite
def summaries(draw: st.DrawFn, session_id: str) -> SessionSummary:
    created_at, listed = draw(st.sampled_from("123")), {"session_id": session_id, "labels": draw(LABELS)}
    return SessionSummary(session_id, draw(st.sampled_from(list(STATES))), created_at, "", json.dumps(listed).encode())


CHANGES = IDS.flatmap(lambda each: st.tuples(st.just(each), st.none() | summaries(each)))
RELOADS = st.tuples(st.just(""), st.sets(IDS, max_size=3))


class Followed:
    """A list as the index finds it, and as it is when it is asked each time."""

    def __init__(self, wanted: SessionFilter, index: ListIndex) -> None:
        self.wanted = wanted
        self.window = ListWindow(wanted, partial(index.note_shown, wanted))
        self.asked = ListWindow(wanted, lambda _session_id, _is_shown: None)
        self.events: list[ListEvent | None] = []


@given(
    st.lists(FILTERS, min_size=1, max_size=8, unique=True), st.lists(CHANGES | CHANGES | CHANGES | RELOADS, max_size=40)
)
def test_the_same_is_published_as_if_each_list_were_asked(
    filters: list[SessionFilter], changes: list[tuple[str, SessionSummary | set[str] | None]]
) -> None:
    """Whatever comes, changes and goes, and however little a list remembers; a list that is closed leaves nothing."""
    index = ListIndex()
    followed = [Followed(wanted, index) for wanted in filters]
    sessions: dict[str, SessionSummary] = {}
    for each in followed:
        index.add(each.wanted)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(list_channel, "WINDOW", 2)
        patch.setattr(list_channel, "MAX_OLDER", 2)
        for session_id, change in changes:
            if isinstance(change, set):
                newest = sorted(sessions.values(), key=lambda found: found.order, reverse=True)
                for each in followed:
                    read = [found for found in newest if found.is_of(each.wanted)][:3]
                    assert each.window.reset(read, change) == each.asked.reset(read, change)
                continue
            sessions.pop(session_id, None)
            if change is not None:
                sessions[session_id] = change
            found = index.find(session_id, change)
            status = None if change is None else change.status
            assert not found or index.concerns(ChangedSession(session_id, status))
            for each in followed:
                event = each.window.apply(session_id, change) if each.wanted in found else None
                assert event == each.asked.apply(session_id, change)
                assert event is not None or each.wanted not in found or (change is None or change.is_of(each.wanted))
                assert each.window.encode() == each.asked.encode()
    for each in followed:
        each.window.reset(())
        index.remove(each.wanted)
    assert not any(vars(index).values())
