"""When a notice is tried again, and when its receiver counts as down."""

import pytest

from progress_sse.notices.schedule import DELAYS_MS, JITTER, PROBE_PAUSES_MS, Receiver, Try
from progress_sse.store.outbox import Later, Taken

NOW = 1_767_323_045_000
REFUSED, OUTAGE, SUCCESS = Try(400), Try(0, "refused"), Try(204)


def taken(tries: int = 0, first_try_ms: int | None = None) -> Taken:
    return Taken("msg_0", "q", b"", tries, first_try_ms, "claim")


def later(receiver: Receiver, tried: Try, before: Taken, now_ms: int = NOW) -> Later:
    result = receiver.result_of(before, tried, now_ms, now_ms)
    assert isinstance(result, Later)
    return result


def test_eight_tries_in_twenty_eight_hours() -> None:
    """Each a while after the one before, give or take a tenth; then it is dead."""
    receiver, notice, now_ms = Receiver(), taken(), NOW
    for tries in range(1, 8):
        result = later(receiver, REFUSED, notice, now_ms)
        assert (result.tries, result.first_try_ms) == (tries, NOW)
        planned_ms = NOW + sum(DELAYS_MS[: tries + 1])
        now_ms += result.wait_ms
        assert abs(now_ms - planned_ms) <= JITTER * DELAYS_MS[tries] + 1
        notice = taken(*result[1:])
    assert receiver.result_of(notice, REFUSED, now_ms, now_ms) == "dead"
    assert 26 <= (now_ms - NOW) / 3_600_000 <= 29


def test_a_late_try_does_not_delay_those_after_it() -> None:
    """They count from the first; but none comes at once."""
    result = later(Receiver(), REFUSED, taken(2, NOW), NOW + 100_000_000)
    assert result == Later(5000, 3, NOW)


@pytest.mark.guarantee(90)
@pytest.mark.parametrize("tries", range(7))
@pytest.mark.parametrize("ahead_ms", [3_600_000, 400_000_000_000])
def test_a_first_try_by_a_clock_that_was_ahead_delays_none(tries: int, ahead_ms: int) -> None:
    """No notice waits longer than the step of the schedule."""
    result = later(Receiver(), REFUSED, taken(tries, NOW + ahead_ms), NOW)
    assert result.wait_ms <= (1 + JITTER) * DELAYS_MS[tries + 1]


def test_it_is_delivered() -> None:
    assert Receiver().result_of(taken(3, NOW), SUCCESS, NOW, NOW) == "delivered"


@pytest.mark.parametrize("status", [301, 307, 400, 404, 500, 503])
def test_anything_else_is_a_failure(status: int) -> None:
    assert later(Receiver(), Try(status), taken()).tries == 1


@pytest.mark.parametrize(
    ("tried", "pause_ms"),
    [
        (Try(429, retry_after_s=20.0), 20_000),
        (Try(503, retry_after_s=20.0), 20_000),
        (Try(503, retry_after_s=1e9), 3_600_000),
        (Try(503), 0),
        (Try(500, retry_after_s=20.0), 0),
    ],
)
def test_the_receiver_may_ask_to_wait(tried: Try, pause_ms: int) -> None:
    """All its notices wait, an hour at most."""
    receiver = Receiver()
    later(receiver, tried, taken())
    assert max(receiver.next_try_ms - NOW, 0) == pause_ms


def test_a_success_that_was_under_way_does_not_end_the_wait() -> None:
    receiver = Receiver()
    later(receiver, Try(429, retry_after_s=600.0), taken())
    receiver.result_of(taken(), SUCCESS, NOW, NOW)
    assert receiver.next_try_ms == NOW + 600_000


def test_a_fault_of_the_notice_is_no_outage() -> None:
    receiver = Receiver()
    for _ in range(9):
        assert later(receiver, Try(0, "no name", is_of_notice=True), taken()).tries == 1
    assert not receiver.is_down


def test_a_fault_of_the_notice_neither_ends_an_outage_nor_delays_its_end() -> None:
    receiver = Receiver()
    for _ in range(4):
        later(receiver, OUTAGE, taken())
    for status in (429, 503):
        assert later(receiver, Try(status, retry_after_s=600.0, is_of_notice=True), taken()).wait_ms == 600_000
    for _ in range(4):
        later(receiver, OUTAGE, taken())
    assert receiver.is_down
    probe_ms = int(receiver.next_try_ms)
    later(receiver, Try(500, is_of_notice=True), taken(), probe_ms)
    assert receiver.is_down
    assert receiver.next_try_ms == probe_ms


@pytest.mark.parametrize("status", [429, 503])
def test_a_pause_that_is_of_a_notice_delays_no_other(status: int) -> None:
    receiver = Receiver()
    busy = Try(status, retry_after_s=600.0, is_of_notice=True)
    assert later(receiver, busy, taken()).wait_ms == 600_000
    assert receiver.next_try_ms <= NOW


def test_after_eight_outages_it_is_down() -> None:
    """Probes use up no tries, and come at doubling pauses; the first success ends that."""
    receiver = Receiver()
    for _ in range(7):
        later(receiver, OUTAGE, taken())
        assert not receiver.is_down
    assert later(receiver, Try(429), taken(4, NOW)).tries == 5
    assert receiver.is_down
    now_ms, pauses = NOW, []
    for _ in range(7):
        pauses.append(receiver.next_try_ms - now_ms)
        now_ms += int(pauses[-1])
        assert later(receiver, OUTAGE, taken(7, NOW), now_ms) == Later(0, 7, NOW)
    assert pauses == [*PROBE_PAUSES_MS, 300_000, 300_000]
    assert receiver.result_of(taken(7, NOW), SUCCESS, now_ms, now_ms) == "delivered"
    assert not receiver.is_down
    assert receiver.next_try_ms <= now_ms
    for _ in range(8):
        later(receiver, OUTAGE, taken(), now_ms)
    assert receiver.next_try_ms == now_ms + PROBE_PAUSES_MS[0]


def test_tries_that_were_under_way_do_not_delay_the_first_probe() -> None:
    receiver = Receiver()
    for number in range(15):
        receiver.result_of(taken(), OUTAGE, NOW, NOW + number)
    assert receiver.next_try_ms == NOW + 7 + PROBE_PAUSES_MS[0]


def test_a_refusal_shows_that_it_is_up() -> None:
    receiver = Receiver()
    for _ in range(8):
        later(receiver, OUTAGE, taken())
    now_ms = int(receiver.next_try_ms)
    assert later(receiver, REFUSED, taken(1, NOW), now_ms).tries == 2
    assert not receiver.is_down
    for _ in range(8):
        later(receiver, OUTAGE, taken(), now_ms)
    assert receiver.next_try_ms == now_ms + PROBE_PAUSES_MS[0]


def test_one_that_is_gone_keeps_what_waits() -> None:
    assert Try(410).is_gone
    assert not Try(410, verdict="delivered").is_gone
    assert later(Receiver(), Try(410), taken(3, NOW)) == Later(0, 3, NOW)
