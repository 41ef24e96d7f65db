"""Waits for the requests of readers: which sessions a process asks the server about, and when.

The sessions of one server are asked about together, up to `MAX_SESSIONS` in a request that the server answers once a
reader asks for something. Each such group has a daemon thread and a connection of its own, so that reports go on
meanwhile. A session that begins to listen joins one, which is then asked about anew. One that listens for less than
`DELAY_S` causes no request.

* **The first request of a group does not wait**, nor does the one after a pause. It has what other workers of the
  sessions have seen already.
* **Requests that fail are repeated** after a pause that grows, and so are those that the server answers early.
* **A server that refuses** is asked again after a long pause, which grows: a proxy before it may have answered. Answers
  to reports may still have requests.
"""

import math
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import suppress
from queue import Empty
from typing import Final
from weakref import WeakKeyDictionary, ref

from progress_sse._internal.backoff import Backoff, chance_of_system
from progress_sse._internal.threads import SimpleQueue
from progress_sse.client.availability import FIRST_PAUSE_S, LONGEST_PAUSE_S, LONGEST_RETRY_AFTER_S
from progress_sse.client.config import Address
from progress_sse.client.exchange import NOT_IMPLEMENTED, Asked, ReportAnswer, failure
from progress_sse.client.own_log import sending
from progress_sse.client.report_queue import ReportQueue, start_thread
from progress_sse.client.targets import ListeningTransport, RequestWait, Target

MAX_SESSIONS: Final = 20  # In one request.
WAIT_S: Final = 30  # Which the server is to wait for a request of a reader.
DELAY_S: Final = 0.2  # Until a session that begins to listen is asked about.
SHORTEST_PAUSE_S: Final = 0.1
FIRST_REFUSED_S: Final = 10.0
LONGEST_REFUSED_S: Final = 600.0
"""Upper bounds of the random pause that follows `FIRST_REFUSED_S` once a server has refused, in seconds.

After the first refusal the bound is `FIRST_REFUSED_S` itself; it grows up to `LONGEST_REFUSED_S`.
"""

_EARLY: Final = 0.5  # The part of the wait before which an answer is early.


class Group:
    """Sessions of one server that are asked about together, by one thread; a queue that its job drops is not held.

    Attributes:
        destination: The server.
        asked: The sessions of the latest request; some may have ceased to listen.
        is_over: Whether it is asked about no more.
        is_refused: Whether the server has refused, until the schedule has put the next request off.
        has_answered: Whether it has answered once with requests, or that there are none.
        wait_s: Seconds that the server is to wait in the next request.
    """

    def __init__(self, queues: list[ReportQueue], chance: Callable[[], float] = chance_of_system) -> None:
        self.destination = queues[0].destination
        self.is_over = False
        self.is_refused = False
        self.has_answered = False
        self._members = [ref(queue) for queue in queues]
        self.asked = [queue.session_id for queue in queues]
        self.wait_s = 0
        self._backoff = Backoff(FIRST_PAUSE_S, LONGEST_PAUSE_S, chance)
        self._target = queues[0].target
        self._wait: RequestWait | None = None
        self._stopped: SimpleQueue[None] = SimpleQueue()

    def queues(self) -> list[ReportQueue]:
        """Return the queues that still listen here."""
        held = (each() for each in self._members)
        return [each for each in held if each is not None and each.inbox.is_open]

    def session_ids(self) -> list[str]:
        """Return the sessions to ask about now."""
        self.asked = list(dict.fromkeys(queue.session_id for queue in self.queues()))
        return self.asked

    def take(self, answer: Asked | ReportAnswer, took_s: float) -> float:
        """Pass on what readers ask; return the seconds until the next request, infinity for never."""
        waited_s = self.wait_s
        self.wait_s = 0
        if isinstance(answer, ReportAnswer):
            is_passing = answer.is_retryable and answer.status != NOT_IMPLEMENTED
            if not is_passing and answer.problem != "session-not-found":
                self.is_refused = True
                return math.inf
            return self._pause_s() + min(answer.retry_after_s or 0, LONGEST_RETRY_AFTER_S)
        self.has_answered = True
        own = [(queue, each) for queue in self.queues() for key, each in answer if key == queue.session_id]
        is_news = True in [queue.receive(each) for queue, each in own]
        is_early = took_s < waited_s * _EARLY
        if is_news or (waited_s and not is_early):
            self._backoff.reset()
        if is_news or is_early:
            return self._pause_s()
        self.wait_s = WAIT_S
        return 0

    def _pause_s(self) -> float:
        return max(SHORTEST_PAUSE_S, self._backoff.next_s())

    def start(self, on_refused: Callable[[ReportQueue], object]) -> None:
        """Start the thread, without which the group is over; it calls `on_refused` if the server has refused."""
        self.is_over = not start_thread(self._run, on_refused)

    def stop(self) -> None:
        """End the wait; called from any thread."""
        self.is_over = True
        self._stopped.put(None)
        if self._wait is not None:
            self._wait.interrupt()

    def _run(self, on_refused: Callable[[ReportQueue], object]) -> None:
        try:
            self._wait = _connected(self._target)
            self._listen(self._wait)
        except Exception:  # noqa: BLE001  # an error of a transport is not the job's
            self.is_refused = True
        finally:
            self.is_over = True
            if self._wait is not None:
                with suppress(Exception):
                    self._wait.close()
            if self.is_refused:
                for queue in self.queues():
                    on_refused(queue)

    def _listen(self, wait: RequestWait) -> None:
        while session_ids := self.session_ids():
            began = time.monotonic()
            try:
                with sending():
                    answer = wait.ask(session_ids, self.wait_s)
            except Exception as error:  # noqa: BLE001  # see above
                answer = failure(error, NOT_IMPLEMENTED)
            pause_s = self.take(answer, time.monotonic() - began)
            if pause_s == math.inf:
                return
            with suppress(Empty):
                self._stopped.get(timeout=pause_s)
                return


class ListenSchedule:
    """The queues that listen, in groups; used by the thread that sends.

    Attributes:
        joining: When each queue is due that has begun to listen, and is in no group yet.
    """

    def __init__(self, chance: Callable[[], float] = chance_of_system) -> None:
        self._chance = chance
        self.joining: WeakKeyDictionary[ReportQueue, float] = WeakKeyDictionary()
        self._groups: list[Group] = []
        self._joined: WeakKeyDictionary[ReportQueue, Group] = WeakKeyDictionary()
        self._backoffs: dict[Hashable, Backoff] = {}
        self._not_before: dict[Hashable, float] = {}

    def check(self, queue: ReportQueue, now: float) -> None:
        """Plan to ask about a queue that listens, unless that is done."""
        if not queue.inbox.is_open or queue in self.joining:
            return
        group = self._joined.get(queue)
        if group is not None and group.is_refused:
            self._put_off(group, now)
        if group is None or group.is_over or queue.session_id not in group.asked:
            self.joining[queue] = max(now + DELAY_S, self._not_before.get(queue.destination, 0))

    def _put_off(self, group: Group, now: float) -> None:
        """Ask a server later that has refused, for all of its groups."""
        group.is_refused = False
        server = group.destination
        if now >= self._not_before.get(server, 0):
            if group.has_answered:
                self._backoffs.pop(server, None)
            backoff = self._backoffs.setdefault(server, Backoff(FIRST_REFUSED_S, LONGEST_REFUSED_S, self._chance))
            self._not_before[server] = now + FIRST_REFUSED_S + backoff.next_s()

    def wake_at(self) -> float:
        """Return when the next queue is due; infinity if only a report changes that."""
        return min(list(self.joining.values()), default=math.inf)

    def stop(self) -> None:
        """Stop all groups."""
        for group in self._groups:
            group.stop()

    def take_due(self, now: float) -> list[Group]:
        """Return the groups to start now; those that they replace are stopped."""
        due = [queue for queue, at in list(self.joining.items()) if at <= now]
        for queue in due:
            del self.joining[queue]
        self._groups = [each for each in self._groups if not each.is_over]
        return [self._join(queues) for queues in _together([queue for queue in due if queue.inbox.is_open])]

    def _join(self, queues: list[ReportQueue]) -> Group:
        for group in self._groups:
            members = group.queues()
            if group.destination == queues[0].destination and len(members) + len(queues) <= MAX_SESSIONS:
                queues = list(dict.fromkeys([*members, *queues]))
                self._groups.remove(group)
                group.stop()
                break
        joined = Group(queues)
        self._groups.append(joined)
        for queue in queues:
            self._joined[queue] = joined
        return joined


def _together(queues: list[ReportQueue]) -> Iterator[list[ReportQueue]]:
    """Yield the queues to each server, at most so many together as go in one request."""
    grouped: dict[Hashable, list[ReportQueue]] = {}
    for queue in queues:
        grouped.setdefault(queue.destination, []).append(queue)
    for together in grouped.values():
        for start in range(0, len(together), MAX_SESSIONS):
            yield together[start : start + MAX_SESSIONS]


def _connected(target: Target) -> RequestWait:
    if isinstance(target, ListeningTransport):
        return target.listen()
    from progress_sse.client.http import HttpRequestWait

    assert isinstance(target, Address)
    return HttpRequestWait(target)
