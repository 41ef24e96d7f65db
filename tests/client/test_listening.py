"""Which sessions a process asks the server about, and when."""

import math
from unittest import mock

import pytest

from progress_sse.client.config import Address
from progress_sse.client.exchange import AskedRequest, ReportAnswer
from progress_sse.client.inbox import Inbox
from progress_sse.client.listening import DELAY_S, MAX_SESSIONS, WAIT_S, Group, ListenSchedule
from progress_sse.client.report_queue import ReportQueue

CANCEL = AskedRequest("1", "cancel")


class Queue(ReportQueue):
    """A queue of reports on a session, whose readers may ask for something."""

    def __init__(self, session_id: str = "a", url: str = "http://one") -> None:
        super().__init__(session_id, Address(url, None), mock.Mock(), inbox=Inbox(["cancel"]))
        self.inbox.is_entered = True
        self.told: list[AskedRequest] = []

    def receive(self, asked: AskedRequest) -> bool:
        is_news = asked not in self.told
        self.told.append(asked)
        return is_news


def group(*queues: Queue) -> Group:
    joined = Group(list(queues), chance=lambda: 1.0)
    joined.take([], 0)  # The first request does not wait.
    return joined


def due(schedule: ListenSchedule, now: float = 100) -> list[list[ReportQueue]]:
    return [group.queues() for group in schedule.take_due(now)]


def test_the_first_request_does_not_wait() -> None:
    """It tells what other workers have seen; the later ones wait."""
    asked = Group([Queue()])
    assert asked.wait_s == 0
    asked.take([], 0)
    assert asked.wait_s == WAIT_S


def test_a_request_is_told_to_the_queues_of_its_session() -> None:
    """The next one follows after a pause, in which the server is told that it was seen."""
    one, other = Queue("a"), Queue("b")
    assert group(one, other).take([("b", CANCEL)], 3) == 0.5
    assert (one.told, other.told) == ([], [CANCEL])


def test_a_server_that_answers_early_is_asked_again_after_growing_pauses() -> None:
    """It may have no room for another stream, or tell of a request that is known."""
    queue = Queue()
    asked = group(queue)
    asked.take([("a", CANCEL)], 1)
    pauses = [asked.take([("a", CANCEL)], 0.1) for _ in range(14)]
    assert pauses[1::2] == [1, 2, 4, 8, 10, 10, 10]
    assert [asked.take([], asked.wait_s) for _ in range(2)] == [0, 0]
    assert asked.take([], 0) == 0.5


def test_no_request_waits_after_a_pause() -> None:
    """Another worker may have seen meanwhile what a reader has asked, and the server would not tell of that at once."""
    asked = group(Queue())
    for answer in ([("a", CANCEL)], ReportAnswer(0)):
        assert asked.wait_s == WAIT_S
        assert asked.take(answer, 1) > 0
        assert asked.wait_s == 0
        assert asked.take([], 0) == 0


def test_failures_are_repeated_after_growing_pauses() -> None:
    """The server may ask for a longer one."""
    asked = group(Queue())
    assert asked.take(ReportAnswer(0), 0) == 0.5
    assert asked.take(ReportAnswer(503, retry_after_s=20), 0) == 21
    assert asked.take(ReportAnswer(404, "session-not-found"), 0) == 2


@pytest.mark.parametrize("status", [401, 403, 404, 405, 422, 501])
def test_a_server_that_does_not_tell_requests_is_asked_again_after_growing_pauses(status: int) -> None:
    """So it is about all of its sessions: the answer may be that of a proxy, while the server starts."""
    schedule = ListenSchedule(chance=lambda: 1.0)
    queue, now = Queue(), 0.0

    def next_pause() -> float:
        """Refuse the request that comes next, and return after how long it came."""
        nonlocal now
        schedule.check(queue, now)
        at = schedule.wake_at()
        [asked] = schedule.take_due(at)
        assert asked.take(ReportAnswer(status), 0) == math.inf
        asked.is_over = True
        pause_s, now = at - now, at
        return pause_s

    assert [next_pause() for _ in range(8)] == pytest.approx([DELAY_S, 20, 30, 50, 90, 170, 330, 610])
    schedule.check(queue, now)
    schedule.check(other := Queue("b"), now + 1)
    assert (due(schedule, now + 609), due(schedule, now + 611)) == ([], [[queue, other]])


def test_a_server_that_has_told_requests_before_is_asked_again_soon() -> None:
    """The pauses begin afresh, and refusals at the same time count as one."""
    schedule = ListenSchedule(chance=lambda: 1.0)
    queues = [Queue(str(number)) for number in range(2 * MAX_SESSIONS)]
    now = 0.0
    for pause_s in (20, 30, 20):
        for queue in queues:
            schedule.check(queue, now)
        now = max(schedule.wake_at(), now)
        groups = schedule.take_due(now)
        assert len(groups) == 2
        for each in groups:
            if pause_s == 20:
                each.take([], 0)
            each.take(ReportAnswer(404), 0)
            each.is_over = True
        for queue in queues:
            schedule.check(queue, now)
        assert schedule.wake_at() == pytest.approx(now + pause_s)


def test_a_session_is_due_after_a_moment() -> None:
    """One that has ended by then is not asked about."""
    schedule = ListenSchedule()
    short, long = Queue("short"), Queue("long")
    for queue in (short, long):
        schedule.check(queue, 5)
    short.inbox.is_entered = False
    assert schedule.wake_at() == 5 + DELAY_S
    assert due(schedule, 5) == []
    assert due(schedule, 5 + DELAY_S) == [[long]]
    assert schedule.wake_at() == math.inf


def test_a_session_that_listens_again_is_asked_about_anew() -> None:
    """The request under way may be without it, and would be answered much later."""
    schedule = ListenSchedule()
    steady, paused = Queue("a"), Queue("b")
    for queue in (steady, paused):
        schedule.check(queue, 0)
    [former] = schedule.take_due(1)
    paused.inbox.is_entered = False
    assert former.session_ids() == ["a"]
    paused.inbox.is_entered = True
    for queue in (steady, paused):
        schedule.check(queue, 1)
    [joined] = schedule.take_due(2)
    assert (joined.session_ids(), former.is_over) == (["a", "b"], True)


def test_a_later_session_joins_the_group_of_its_server() -> None:
    """The former group is replaced, and holds no session that has ended."""
    schedule = ListenSchedule()
    first, ended = Queue("a"), Queue("b")
    schedule.check(first, 0)
    schedule.check(ended, 0)
    [former] = schedule.take_due(1)
    ended.inbox.is_entered = False
    second, elsewhere = Queue("c"), Queue("d", "http://other")
    schedule.check(second, 1)
    schedule.check(elsewhere, 1)
    joined, other = schedule.take_due(2)
    assert (joined.queues(), former.is_over) == ([first, second], True)
    assert other.queues() == [elsewhere]


def test_a_group_has_a_limit() -> None:
    """More sessions make more groups."""
    schedule = ListenSchedule()
    queues = [Queue(str(number)) for number in range(2 * MAX_SESSIONS + 1)]
    for queue in queues:
        schedule.check(queue, 0)
    assert list(map(len, due(schedule))) == [MAX_SESSIONS, MAX_SESSIONS, 1]


def test_a_session_listens_again_after_its_group_is_over() -> None:
    """Its job may start another step later."""
    schedule = ListenSchedule()
    queue = Queue()
    schedule.check(queue, 0)
    [former] = schedule.take_due(1)
    schedule.check(queue, 1)
    assert schedule.wake_at() == math.inf
    former.is_over = True
    schedule.check(queue, 1)
    assert due(schedule) == [[queue]]


def test_a_queue_that_its_job_has_dropped_is_not_held() -> None:
    """Nothing is asked for it any more."""
    queue = Queue("a")
    asked = group(queue)
    assert asked.session_ids() == ["a"]
    del queue
    assert asked.session_ids() == []
