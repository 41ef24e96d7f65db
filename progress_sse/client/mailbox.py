"""Which reports go in the next request to a server, of all the sessions that report there with one credential. Pure.

* **Sessions take turns.** A request has the reports of several sessions, and the signs of life that are due, as far as
  there is room. Each has its own answer. A creation goes by itself, since its request has another form.
* **Queues to one session** send one after the other: the first to report sends all that it has, and then the next one.
  Advances, of which there may always be more, do not delay the next one.
* **A request that is refused as a whole** does not show which report is at fault. So fewer go together, and at last
  each by itself. A server that takes no batches gets each report by itself from then on.
* **While the server is away**, the same sessions are tried again after each pause, and the others wait.
"""

import itertools
import math
from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple
from weakref import ref

from progress_sse._internal.timetable import Timetable
from progress_sse.client.availability import Availability
from progress_sse.client.exchange import TOO_MANY, Answer, ReportAnswer, ReportRequest, RequestRoom
from progress_sse.client.report_queue import ReportQueue


class Part(NamedTuple):
    """What one queue sends with a request: its reports, or one sign of life."""

    queue: ReportQueue
    requests: Sequence[ReportRequest]


class Mailbox:
    """See the module. One request is `under_way` at a time."""

    def __init__(self, *, together: int, at_once: int = 1) -> None:
        """Begin; so many reports may go `together` in one request, or `at_once` by one request each."""
        self.server = Availability()
        self.under_way: Sequence[Part] = ()
        self._together = self._most = together
        self._at_once = at_once
        self._sessions: dict[Hashable, dict[ReportQueue, None]] = {}
        self._ready: OrderedDict[ReportQueue, None] = OrderedDict()
        self._beating: dict[ReportQueue, None] = {}  # Those whose signs of life are due.
        self._is_creation_next = False  # Then signs of life wait, which would share its request.
        self._later = Timetable[ref[ReportQueue]]()

    @property
    def is_idle(self) -> bool:
        """Whether no report waits, so that nothing is lost if the mailbox is dropped."""
        return not self._sessions

    def check(self, queue: ReportQueue, now: float) -> None:
        """Plan the turn of a queue; its reports may have changed."""
        queue.hurry(now)
        self._sessions.setdefault(queue.session_key, {}).setdefault(queue)
        self._plan(queue, now)

    def _plan(self, queue: ReportQueue, now: float) -> None:
        """Decide when a queue is due, and the one of its session whose turn it is to report."""
        first = self._first_of(queue.session_key, now)
        if first is not None and first is not queue:
            self._plan_one(first, now, is_first=True)
        self._plan_one(queue, now, is_first=first is queue)

    def _first_of(self, key: Hashable, now: float) -> ReportQueue | None:
        queues = self._sessions.get(key, {})
        while queues:
            first = next(iter(queues))
            if self.server.reason is not None and not first.is_settled:
                first.stand_by(now)
            if not first.is_settled:
                return first
            del queues[first]
            self._ready.pop(first, None)
        self._sessions.pop(key, None)
        return None

    def _plan_one(self, queue: ReportQueue, now: float, *, is_first: bool) -> None:
        due_at = queue.outbox.due_at() if is_first else math.inf
        if due_at <= now:
            self._ready.setdefault(queue)
            due_at = math.inf
        else:
            self._ready.pop(queue, None)
        if is_first and self.server.reason is not None:
            due_at = min(due_at, queue.stand_by(now))
        beat_at = queue.outbox.beat_at()
        if beat_at <= now:
            self._beating.setdefault(queue)
            beat_at = math.inf
        self._later.plan(ref(queue), min(due_at, beat_at))

    def wake_at(self) -> float:
        """Return when there is something to do; infinity if only a report or an answer changes that."""
        is_due = not self.under_way and (self._ready or self._beating)
        return min(self.server.not_before if is_due else math.inf, self._later.wake_at())

    def next(self, now: float) -> Sequence[Part]:
        """Return what to send now; without an answer to that, nothing more is sent."""
        for due in self._later.take_due(now):
            if (queue := due()) is not None:
                self._plan(queue, now)
        if self.under_way or now < self.server.not_before:
            return ()
        room = RequestRoom(self._most if self._most > 1 else self._at_once)
        beats = self._take_beats(room, now) if self._beating and not self._is_creation_next else ()
        self._is_creation_next = False
        self.under_way = [*beats, *self._take_reports(room, now)]
        return self.under_way

    def _take_beats(self, room: RequestRoom, now: float) -> Iterator[Part]:
        """Yield the signs of life that are due, in at most half of the room."""
        most = max(1, room.updates // 2)
        beating, self._beating = self._beating, {}
        for queue in beating:
            for beat in queue.take_beats(now, most):
                room.updates -= 1
                most -= 1
                yield Part(queue, [beat])
            self._plan(queue, now)

    def _take_reports(self, room: RequestRoom, now: float) -> Iterator[Part]:
        for queue in list(itertools.islice(self._ready, max(0, room.updates))):
            if room.updates <= 0:
                return
            is_alone = self._most > 1 and queue.outbox.waiting.creation is not None
            if is_alone and room.updates < self._most:
                self._is_creation_next = True
                return
            del self._ready[queue]
            requests = queue.outbox.next(now, room, alone=self._most == 1)
            if not requests:
                self._plan(queue, now)
                continue
            yield Part(queue, requests)
            if is_alone:
                return

    def take(self, parts: Sequence[Part], answer: Answer, now: float) -> None:
        """Apply the answers to all that was sent, one for each request, or one for all of them."""
        if parts is not self.under_way:
            return  # It was given up, and is sent again.
        self.under_way = ()
        was_there = self.server.reason is None
        count = sum(len(part.requests) for part in parts)
        answer = _checked(answer, count)
        if isinstance(answer, ReportAnswer) and count > 1 and self._most > 1:
            self._refuse(parts, answer, count, now)
        else:
            answers = [answer] * count if isinstance(answer, ReportAnswer) else answer
            remaining = iter(answers)
            for part in parts:
                part.queue.take(part.requests, list(itertools.islice(remaining, len(part.requests))), now)
            if self._most < self._together and all(each.is_success for each in answers):
                self._most = min(2 * self._most, self._together)
        self._plan_anew(parts, now, was_there=was_there)

    def _refuse(self, parts: Sequence[Part], answer: ReportAnswer, count: int, now: float) -> None:
        if answer.status in {404, 405}:  # It takes no batches.
            self._together = self._most = 1
        elif answer.status == TOO_MANY or not answer.is_transient:
            self._most = count // 2
        for part in parts:
            part.queue.outbox.refuse(part.requests, answer, now)

    def _plan_anew(self, parts: Sequence[Part], now: float, *, was_there: bool) -> None:
        is_there = self.server.reason is None
        for part in parts:
            queue, queues = part.queue, self._sessions.get(part.queue.session_key, {})
            queue.handle_events()  # Before its end of the turn, for which it has to be settled.
            if is_there and queue in queues and not queue.outbox.waiting.commands:
                queues[queue] = queues.pop(queue)
            self._plan(queue, now)
        if is_there:
            return
        for part in reversed(parts):
            if part.queue in self._ready:
                self._ready.move_to_end(part.queue, last=False)
        if was_there:
            for queue in list(self._ready):
                self._plan(queue, now)


def _checked(answer: Answer, count: int) -> Answer:
    """Return the answer, or that to an error if it has another form: a user may have written the transport."""
    if isinstance(answer, ReportAnswer):
        return answer
    are_answers = isinstance(answer, list | tuple) and all(isinstance(each, ReportAnswer) for each in answer)
    if are_answers and len(answer) == count:
        return answer
    return ReportAnswer(500, detail=f"the transport returned {type(answer).__name__}")
