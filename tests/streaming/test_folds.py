"""Whatever commands come, what a reader holds after each event is byte for byte the answer to a poll at that moment."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from progress_sse.core.commands import Ask, Command, Create
from progress_sse.core.model import Position
from progress_sse.core.updates import Advance, Complete, Describe, Finish, Plan, ReportPart, Start
from progress_sse.store.change_builder import ChangeBuilder
from progress_sse.store.memory import MemoryBackend
from progress_sse.store.types import Applied, Notification, Record, StorageLimits
from progress_sse.streaming.channel import Channel
from progress_sse.streaming.publisher import Delivery, DeliveryCounts, Subscription
from progress_sse.wire import json_text
from progress_sse.wire.frames import FrameBatch
from tests.core.random_commands import creations, more_updates, plain_updates, plain_wholes, requests
from tests.core.samples import DEFINITIONS, T0
from tests.harness.event_stream import Block, EventStreamParser

PLAIN_SESSION = ["session_id", "current_step", "total_steps", "status", "steps", "percentage", "estimated_remaining_ms"]
PLAIN_STEP = [*("step", "name", "status", "started_at", "completed_at", "elapsed_ms", "timeout_ms", "message", "error")]
PENDING_STEP = ["step", "name", "status", "elapsed_ms", "timeout_ms"]


def fold(held: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
    """The session after an event: its own keys are those of the event, and a step is replaced or appended."""
    steps, step = list(held["steps"]), event.get("step")
    if step is not None:
        steps[step["step"] - 1 : step["step"]] = [step]
    folded: dict[str, Any] = {}
    for key, value in event["session"].items():
        folded[key] = value
        if key == "status":
            folded["steps"] = steps
    return folded


class Reader:
    """Follows a session by its events, as a browser does."""

    def __init__(self) -> None:
        self.held: dict[str, Any] = {}
        self.shown: dict[str, bytes] = {}
        self.events: list[str] = []
        self._parser = EventStreamParser()

    def offer(self, _subscription: Subscription, batch: FrameBatch) -> None:
        for block in self._parser.feed(batch.data):
            self._take(block)

    def _take(self, block: Block) -> None:
        assert block.id is not None
        self.held = block.json() if block.event == "snapshot" else fold(self.held, block.json())
        self.shown[block.id] = json_text.encode_json(self.held)
        self.events.append(block.event)

    def offer_lines(self, _subscription: Subscription, _batch: FrameBatch) -> None:
        """Do nothing: it reads no log."""

    def wake(self) -> None:
        """Do nothing."""

    def fail(self) -> None:
        raise  # called in an `except` block


class Conversation:
    """A session with a reader; commits are made up of commands, and polls taken after each command."""

    def __init__(self) -> None:
        self.polls: dict[Position, bytes] = {}
        self.reader = Reader()
        self._record: Record | None = None
        self._now = T0
        delivery = Delivery(MemoryBackend(StorageLimits()), DeliveryCounts(), lambda channel: None, retry_ms=1)
        self._channel = Channel("s", delivery, lambda: None)
        self._channel.add(Subscription(self.reader, self._channel))

    def commit(self, commands: list[tuple[Command, int]]) -> None:
        """Apply the commands, each some milliseconds after the one before, and notify the reader of all together."""
        builder = ChangeBuilder("s", self._record)
        for command, passed_ms in commands:
            self._now += timedelta(milliseconds=passed_ms)
            self._apply(builder, command, self._now)
        if builder.has_changes:
            change = builder.build()
            self._record = change.record
            self._channel.on_notification(Notification("s", change.record, change.is_fresh, change.entries))
            self._channel.flush()
        if self._record is not None:
            assert self.reader.shown[str(self._record.position)] == self._record.body

    def _apply(self, builder: ChangeBuilder, command: Command, now: datetime) -> None:
        before = builder.record
        answer = builder.apply(command, now)
        record = builder.record
        assert isinstance(answer, Applied) or record is before
        # What readers do not see changes with an event only, so that no process decides on an old record.
        assert record is before or record is None or before is None or record.position != before.position
        if record is not None:
            assert self.polls.setdefault(record.position, record.body) == record.body

    def check(self) -> None:
        """Compare what the reader held at each position with the poll at it."""
        for position, body in self.polls.items():
            assert self.reader.shown.get(str(position), body) == body


passed_ms = st.sampled_from([0, 1, 1000, -500])


def commits_of(
    wholes: st.SearchStrategy[Command], updates: st.SearchStrategy[Command]
) -> st.SearchStrategy[list[list[tuple[Command, int]]]]:
    """Commits of updates, or of a creation or removal alone, with the milliseconds that pass before each command."""
    of_updates = st.lists(st.tuples(updates, passed_ms), min_size=1, max_size=5)
    return st.lists(of_updates | st.lists(st.tuples(wholes, passed_ms), min_size=1, max_size=1), max_size=10)


any_commits = commits_of(plain_wholes | creations, plain_updates | more_updates | requests)


def found(name: str) -> Start:
    return Start(name, append=True)


@pytest.mark.guarantee("M")
@pytest.mark.protocol("P-5.24", "P-5.25", "P-23.5")
@given(any_commits)
@example([[(found("a"), 0), (found("b"), 0), (Describe(title="t"), 0), (Complete("a"), 0)]])
@example([[(found("a"), 0), (found("b"), 0), (Finish(), 0), (Start(1), 0)]])
@example([[(Create(DEFINITIONS, accepts=("cancel", "retry")), 0)], [(Ask("cancel", "a"), 0), (Ask("retry", "b"), 0)]])
@example([[(Start(1, parts_total=1), 0)], [(ReportPart(1, "a", "error"), 5)], [(Finish(), 0)]])
@example([[(Create((), open_ended=True), 0)], [(Plan(DEFINITIONS), 0), (Start(2), 0)], [(Finish(), 0)]])
@example([[(Create(DEFINITIONS[:1], is_timed=True), 0)], [(Start(1), 5)], [(Advance(1, 1, 3), 5), (Finish(), 5)]])
def test_every_event_leads_to_what_a_poll_shows(commits: list[list[tuple[Command, int]]]) -> None:
    """A reader that follows from the beginning, over commits of one command or of several."""
    conversation = Conversation()
    for commands in commits:
        conversation.commit(commands)
    conversation.check()


@given(any_commits)
def test_each_command_alone_is_published_by_one_event(commits: list[list[tuple[Command, int]]]) -> None:
    """At most, save that a session which a `start` creates is first shown as it was before that."""
    conversation = Conversation()
    for command, passed in [each for commands in commits for each in commands]:
        before = len(conversation.reader.events)
        conversation.commit([(command, passed)])
        events = conversation.reader.events[before:]
        assert len(events) <= 1 or events == ["snapshot", "step"]
    conversation.check()


@pytest.mark.guarantee("J")
@given(commits_of(plain_wholes, plain_updates))
def test_a_session_that_uses_none_of_it_has_the_keys_of_old(commits: list[list[tuple[Command, int]]]) -> None:
    """The documented keys in their order, whether a step failed or not, and no event but the documented ones."""
    conversation = Conversation()
    for commands in commits:
        conversation.commit(commands)
        held = conversation.reader.held
        if held and held["status"] != "not_found":
            assert list(held) == PLAIN_SESSION
            assert all(list(step) in kinds_of(step) for step in held["steps"])
    assert set(conversation.reader.events) <= {"snapshot", "step"}
    conversation.check()


def kinds_of(step: dict[str, Any]) -> list[list[str]]:
    """The lists of keys that a step may have in its state."""
    if step["status"] == "pending":
        return [PENDING_STEP]
    return [PLAIN_STEP, [*PLAIN_STEP, "progress"]] if step["status"] == "running" else [PLAIN_STEP]
