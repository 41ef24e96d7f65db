"""Which reports go in the next request to a server, of all the sessions that report there with one credential. Pure.

A mailbox has one request under way at a time. A session that waits costs nothing.

* **Sessions take turns.** A request has the reports of several sessions, and the signs of life that are due, as
  far as there is room (``exchange``). Each has its own answer, so a refusal of one session leaves the others
  alone. A creation goes by itself, since its request has another form.
* **Queues to one session** send one after the other: the first to report sends all that it has, and then the next one.
  Advances, of which there may always be more, do not delay the next one.
* **A request that is refused as a whole** does not show which report is at fault. So fewer go together, and at last
  each by itself. A server that takes no batches gets each report by itself from then on.
* **While the server is away**, the same sessions are tried again after each pause, and the others wait.
"""

import heapq
import itertools
import math
from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence
from typing import Final, Generic, NamedTuple, Protocol, TypeVar
from weakref import WeakKeyDictionary, ref

from progress_sse.client.availability import Availability
from progress_sse.client.exchange import TOO_MANY, Answer, ReportAnswer, ReportRequest, RequestRoom

T = TypeVar("T")


class Timetable(Generic[T]):
    """When each of many things is due next. It holds none: what its owner has dropped is due no more."""

    def __init__(self) -> None:
        """Begin empty."""
        self._heap: list[tuple[float, int, ref[T]]] = []
        self._planned: WeakKeyDictionary[T, float] = WeakKeyDictionary()
        self._numbers = itertools.count()

    def plan(self, thing: T, at: float) -> None:
        """Let it be due at a time, in place of an earlier plan; infinity: never."""
        if at == self._planned.get(thing, math.inf):
            return
        if at == math.inf:
            del self._planned[thing]
        else:
            self._planned[thing] = at
            heapq.heappush(self._heap, (at, next(self._numbers), ref(thing)))

    def wake_at(self) -> float:
        """Return when something may be due; infinity if nothing is planned."""
        while self._heap and not self._is_valid():
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else math.inf

    def _is_valid(self) -> bool:
        at, _, planned = self._heap[0]
        thing = planned()
        return thing is not None and self._planned.get(thing) == at

    def take_due(self, now: float) -> list[T]:
        """Return what is due, in the order of its times; it is planned no more."""
        due = []
        while self.wake_at() <= now:
            thing = heapq.heappop(self._heap)[2]()
            if thing is not None:
                del self._planned[thing]
                due.append(thing)
        return due


NO_SUCH_PATH: Final = frozenset({404, 405})
"""Statuses of a server that takes no batches."""


class Queue(Protocol):
    """A session's queue of reports, as its mailbox uses it."""

    @property
    def session_key(self) -> Hashable:
        """A key that all queues to one session share."""

    @property
    def is_settled(self) -> bool:
        """Whether no report waits."""

    @property
    def has_commands(self) -> bool:
        """Whether any report other than an advance waits."""

    @property
    def has_creation(self) -> bool:
        """Whether the creation of the session is what goes next."""

    def due_at(self) -> float:
        """Return when there is something to send while the server answers; infinity if only a report changes that."""

    def retry_now(self, now: float) -> bool:
        """Retry at once if a waiter has asked for that; return whether one has."""

    def stand_by(self, now: float) -> float:
        """Wait for a server that is away, and drop reports that have waited too long; return when to do that."""

    def next(self, room: RequestRoom, *, alone: bool) -> list[ReportRequest]:
        """Return the requests to send now, for which there is room; at most one if `alone`."""

    def take(self, requests: Sequence[ReportRequest], answers: Sequence[ReportAnswer]) -> None:
        """Apply the answer to each request."""

    def refuse(self, requests: Sequence[ReportRequest], answer: ReportAnswer) -> None:
        """Send the requests again: the server processed none of those that went together."""

    def beat_at(self) -> float:
        """Return when a sign of life is due; infinity if there is none."""

    def take_beats(self, most: float) -> list[ReportRequest]:
        """Return at most so many signs of life to send now."""

    def take_beat_answer(self, request: ReportRequest, answer: ReportAnswer) -> None:
        """Apply the answer to a sign of life."""

    def handle_events(self) -> None:
        """Log what has happened, and notify those who wait if the queue is settled."""


Q = TypeVar("Q", bound=Queue)


class Part(NamedTuple, Generic[Q]):
    """What one queue sends with a request.

    Attributes:
        queue: The queue.
        requests: Its reports, or one sign of life.
        is_beat: Whether it is a sign of life.
    """

    queue: Q
    requests: Sequence[ReportRequest]
    is_beat: bool = False


class Mailbox(Generic[Q]):
    """See the module.

    Attributes:
        server: Whether the server answers, and when to send to it again.
        under_way: What was sent and has no answer yet.
    """

    def __init__(self, *, together: int, at_once: int = 1) -> None:
        """Begin without reports.

        Args:
            together: How many reports may go in one request.
            at_once: How many requests of one report each may go at the same time.
        """
        self.server = Availability()
        self.under_way: Sequence[Part[Q]] = ()
        self._together = self._most = together
        self._at_once = at_once
        self._sessions: dict[Hashable, dict[Q, None]] = {}
        self._ready: OrderedDict[Q, None] = OrderedDict()
        self._is_creation_next = False  # Then signs of life wait, which would share its request.
        self._later: Timetable[Q] = Timetable()
        self._patience: Timetable[Q] = Timetable()  # While the server is away: when each gives up its advances.
        self._beats: Timetable[Q] = Timetable()

    @property
    def is_idle(self) -> bool:
        """Whether no report waits, so that nothing is lost if the mailbox is dropped."""
        return not self._sessions

    @property
    def sends_together(self) -> bool:
        """Whether several reports go in one request; else each goes by itself."""
        return self._most > 1

    def check(self, queue: Q, now: float) -> None:
        """Plan the turn of a queue; its reports may have changed."""
        queue.retry_now(now)
        self._sessions.setdefault(queue.session_key, {}).setdefault(queue)
        self._plan_session(queue.session_key, now)
        self._beats.plan(queue, queue.beat_at())

    def _plan_session(self, key: Hashable, now: float) -> None:
        queues = self._sessions.get(key, {})
        while queues:
            first = next(iter(queues))
            if not first.is_settled:
                self._plan(first, now)
                return
            del queues[first]
            self._ready.pop(first, None)
            for timetable in (self._later, self._patience):
                timetable.plan(first, math.inf)
        self._sessions.pop(key, None)

    def _plan(self, queue: Q, now: float) -> None:
        at = queue.due_at()
        if at <= now:
            self._ready.setdefault(queue)
        else:
            self._ready.pop(queue, None)
            self._later.plan(queue, at)
        if self.server.reason is not None:
            self._patience.plan(queue, queue.stand_by(now))

    def wake_at(self) -> float:
        """Return when there is something to do; infinity if only a report or an answer changes that."""
        due_at = -math.inf if self._ready else min(self._later.wake_at(), self._beats.wake_at())
        send_at = math.inf if self.under_way else max(due_at, self.server.not_before)
        return min(send_at, self._patience.wake_at())

    def next(self, now: float) -> Sequence[Part[Q]]:
        """Return what to send now; without an answer to that, nothing more is sent."""
        for queue in self._patience.take_due(now):
            self._patience.plan(queue, queue.stand_by(now))
            self._plan_session(queue.session_key, now)
        if not self.under_way and self.server.not_before <= now:
            for queue in self._later.take_due(now):
                self._ready.setdefault(queue)
            room = RequestRoom(self._most if self.sends_together else self._at_once)
            beats = () if self._is_creation_next else self._take_beats(room, now)
            self._is_creation_next = False
            self.under_way = [*beats, *self._take_reports(room, now)]
            return self.under_way
        return ()

    def _take_beats(self, room: RequestRoom, now: float) -> Iterator[Part[Q]]:
        """Yield the signs of life that are due, in at most half of the room."""
        most = max(1, room.updates // 2)
        for queue in self._beats.take_due(now):
            if queue.beat_at() <= now:
                for beat in queue.take_beats(most):
                    room.updates -= 1
                    most -= 1
                    yield Part(queue, [beat], is_beat=True)
            self._beats.plan(queue, queue.beat_at())

    def _take_reports(self, room: RequestRoom, now: float) -> Iterator[Part[Q]]:
        for queue in list(itertools.islice(self._ready, max(0, room.updates))):
            if room.updates <= 0:
                return
            is_alone = self.sends_together and queue.has_creation
            if is_alone and room.is_used:
                self._is_creation_next = True
                return
            del self._ready[queue]
            requests = queue.next(room, alone=not self.sends_together)
            if not requests:
                self._plan_session(queue.session_key, now)
                continue
            yield Part(queue, requests)
            if is_alone:
                return

    def take(self, parts: Sequence[Part[Q]], answer: Answer, now: float) -> None:
        """Apply the answers to all that was sent, one for each request, or one for all of them."""
        if parts is not self.under_way:
            return  # It was given up, and is sent again.
        self.under_way = ()
        was_there = self.server.reason is None
        count = sum(len(part.requests) for part in parts)
        if isinstance(answer, ReportAnswer) and count > 1 and self.sends_together:
            self._refuse(parts, answer, count)
        else:
            answers = [answer] * count if isinstance(answer, ReportAnswer) else answer
            remaining = iter(answers)
            for part in parts:
                _give(part, list(itertools.islice(remaining, len(part.requests))))
            if all(each.is_success for each in answers):
                self._most = min(2 * self._most, self._together)
        self._plan_anew(parts, now, was_there=was_there)

    def _refuse(self, parts: Sequence[Part[Q]], answer: ReportAnswer, count: int) -> None:
        if answer.status in NO_SUCH_PATH:
            self._together = self._most = 1
        elif answer.status == TOO_MANY or not answer.is_transient:
            self._most = count // 2
        for part in parts:
            if not part.is_beat:
                part.queue.refuse(part.requests, answer)
            elif answer.is_outage:
                part.queue.take_beat_answer(part.requests[0], answer)

    def _plan_anew(self, parts: Sequence[Part[Q]], now: float, *, was_there: bool) -> None:
        is_there = self.server.reason is None
        for part in parts:
            part.queue.handle_events()  # Before its end of the turn, for which it has to be settled.
            queues = self._sessions.get(part.queue.session_key, {})
            if is_there and part.queue in queues and not part.queue.has_commands:
                queues[part.queue] = queues.pop(part.queue)
            self._plan_session(part.queue.session_key, now)
            self._beats.plan(part.queue, part.queue.beat_at())
        if is_there:
            self._patience = Timetable()
            return
        for part in reversed(parts):
            if part.queue in self._ready:
                self._ready.move_to_end(part.queue, last=False)
        if was_there:
            for queue in self._ready:
                self._patience.plan(queue, queue.stand_by(now))


def _give(part: Part[Q], answers: Sequence[ReportAnswer]) -> None:
    if part.is_beat:
        part.queue.take_beat_answer(part.requests[0], answers[0])
    else:
        part.queue.take(part.requests, answers)
