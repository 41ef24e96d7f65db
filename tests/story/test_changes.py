"""The changes of a session as lines."""

from typing import Any

import pytest

from progress_sse.story.session_state import SessionState
from tests.cli.sessions import ABSENT, PENDING, RUNNING, at, ended, leased, lines, lines_of_each, session, step


def dump(status: str, **more: Any) -> dict[str, Any]:
    return ended(status, 12.399, **more)


AT_3 = session("running", step("running", progress={"current": 3000, "total": 8000}, message="rows"))
AT_4 = session("running", step("running", progress={"current": 4, "total": None}))
FAILED = session("error", dump("error", error="disk\nfull", message="rows"))
AGAIN = session("running", step("running", started_at=at(60)))
DONE = session("completed", ended("success", 307))
STALLED = session("running", leased("stalled", -60 * 60 * 24))
END = ["Completed in 5 min 7 s · 1 step"]
FAILED_END = "Failed at step 1 after 12.3 s · 0 of 1 step done"


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([ABSENT], ["Waiting for the job to start"]),
        ([PENDING], []),
        ([ABSENT, RUNNING], [" 33%  1/1 Dump all: started"]),
        ([RUNNING, AT_3], [" 33%  1/1 Dump all: 3,000 / 8,000, rows"]),
        ([AT_3, AT_4], [" 33%  1/1 Dump all: 4"]),
        ([RUNNING, FAILED], ["  0%  1/1 Dump all: failed after 12.3 s, rows, disk full", FAILED_END]),
        ([FAILED, AGAIN], [" 33%  1/1 Dump all: started again"]),
        ([RUNNING, DONE], ["100%  1/1 Dump all: done after 5 min 7 s", *END]),
        ([DONE], ["100%  1/1 Dump all: done after 5 min 7 s", *END]),
        ([DONE, PENDING], ["The job begins afresh"]),
        (
            [FAILED, {**DONE, "total_steps": 2}],
            [
                "The job begins afresh",
                "100%  1/2 Dump all: done after 5 min 7 s",
                "Completed in 5 min 7 s · 1 of 2 steps done",
            ],
        ),
        ([DONE, ABSENT], ["This job was deleted"]),
        ([{**ABSENT, "gone": True}], ["This job was deleted"]),
        ([DONE, ABSENT, {**ABSENT, "percentage": 0}], ["This job was deleted"]),
    ],
)
def test_each_change_is_a_line(states: list[SessionState], expected: list[str]) -> None:
    """The line is plain text, whatever names and messages contain."""
    assert lines(*states) == expected


def counting(count: int, total: int | None, message: str = "") -> list[SessionState]:
    """A step that reports so often how far it is, and then ends."""
    counts = [{"progress": {"current": n, "total": total}, "message": message or f"row {n}"} for n in range(count)]
    return [RUNNING, *(session("running", step("running", **each)) for each in counts), DONE]


@pytest.mark.parametrize(
    ("states", "seconds", "most"),
    [
        (counting(2000, 2000, "rows"), 0.1, 20),
        (counting(2000, 2000, "rows"), 0.001, 2),
        (counting(600, None), 0.1, 45),
        (counting(6000, None), 0.1, 95),
        (counting(40, None), 10, 40),
        (counting(600, 10**6), 0.1, 45),
    ],
    ids=["each 5 %", "each second", "a minute", "ten minutes", "slow", "another message"],
)
def test_fast_progress_has_few_lines(states: list[SessionState], seconds: float, most: int) -> None:
    """At most one a second, with each 5 % of a known total, and ever fewer of a long step; its start and its end."""
    first, *counts, last = lines_of_each(seconds, *states)
    assert (first, last) == ([" 33%  1/1 Dump all: started"], ["100%  1/1 Dump all: done after 5 min 7 s", *END])
    written = [line for each in counts for line in each]
    assert most / 2 < len(written) <= most


def test_parts_that_fail_have_lines_at_once() -> None:
    """However many there are, and with them how far their step is."""
    listed = [{"part": f"shard-{n}", "status": "error", "error": "full"} for n in range(3)]

    def parts(failed: int, done: int) -> SessionState:
        counts = {"total": None, "running": 1, "success": done, "error": failed, "listed": listed[:failed]}
        return session("running", step("running", parts=counts))

    said = lines_of_each(0.01, parts(0, 0), parts(0, 1), parts(0, 2), parts(1, 2), parts(1, 3), parts(2, 3))
    assert [len(each) for each in said] == [1, 1, 0, 2, 0, 2]
    assert said[3] == [
        " 33%  1/1 Dump all: 2 of 4 done so far, 1 failed",
        " 33%  1/1 Dump all, shard-0: failed, full",
    ]


def test_each_end_of_a_step_has_a_word() -> None:
    """What was skipped took no time."""
    skipped = ended("success", 0, conclusion="skipped", message="no photos")
    cancelled = dump("error", conclusion="cancelled", error="enough")
    lost = dump("error", conclusion="lost", error="no sign of life for 30 s")
    assert lines(RUNNING, session("running", skipped)) == [" 33%  1/1 Dump all: skipped, no photos"]
    assert lines(RUNNING, session("error", cancelled))[0] == "  0%  1/1 Dump all: cancelled after 12.3 s, enough"
    assert (
        lines(RUNNING, session("error", lost))[0] == "  0%  1/1 Dump all: lost after 12.3 s, no sign of life for 30 s"
    )
    assert lines(RUNNING, session("error", dump("error", conclusion="new")))[0].endswith("failed after 12.3 s")


def test_a_worker_that_stalls_and_comes_back_is_a_line() -> None:
    """The moment of its last sign has the day if that was long ago."""
    alive, progress = session("running", leased("live")), {"current": 4, "total": 8}
    [stalled] = lines(alive, STALLED)
    assert stalled.startswith(" 33%  1/1 Dump all: no sign of life since Nov 24, ")
    assert lines(STALLED, alive) == [" 33%  1/1 Dump all: alive again"]
    assert lines(STALLED, session("running", leased("live", progress=progress)))[0].endswith(": alive again, 4 / 8")
    assert lines(STALLED)[0].startswith(" 33%  1/1 Dump all: started, no sign of life since Nov 24, ")
    lost = session("error", dump("error", conclusion="lost"))
    assert lines(lost, alive) == [" 33%  1/1 Dump all: alive again"]
    said = [session("running", leased("live", since=since, progress=progress, message="rows")) for since in (0, 5)]
    assert lines(*said) == [], "a sign of life is no change"


def test_a_title_is_a_line_once_and_when_it_changes() -> None:
    """Without its control characters; one that has nothing else is none."""
    titled = {**RUNNING, "title": "Holiday\x1b]0;x\x07 \x9b31mphotos\r\n"}
    assert lines(titled)[0] == "Holiday 31mphotos "
    assert lines(titled, {**titled, "percentage": 34}) == []
    assert lines(titled, {**RUNNING, "title": "Summer"}) == ["Summer"]
    assert lines({**RUNNING, "title": "\x1b[2J"})[0].startswith(" 33%")


def test_the_end_of_a_session_has_its_own_error_and_links() -> None:
    """An error that a step has shown is not repeated."""
    links = [{"label": "Log\x1b[2J", "url": "/log"}]
    failed = session("error", dump("success"), error="no\nspace\x1b[2J", conclusion="cancelled", links=links)
    more = "after 12.3 s · 1 of 1 step done"
    ends = [f"Cancelled {more}", "The job was cancelled: no space", "Log: https://h.example/log"]
    assert lines(RUNNING, failed)[1:] == ends
    shown = session("error", dump("error", error="no space"), error="no space")
    assert lines(RUNNING, shown)[1:] == [FAILED_END]
    assert lines(RUNNING, session("error", dump("success")))[1:] == [f"Failed {more}"]


def test_an_open_ended_session_has_no_last_step() -> None:
    """Steps that it plans are counted; the one that is started has a line anyway. A line has no percentage."""
    one = session("running", dump("success"), open_ended=True)
    assert lines(one) == ["1 Dump all: done after 12.3 s"]
    two = session("running", dump("success"), step("running"), open_ended=True)
    assert lines(one, two) == ["2 Dump all: started"]
    planned = session("running", dump("success"), step("pending"), step("pending"), open_ended=True)
    assert lines(one, planned) == ["3 steps so far"]


def test_the_end_is_a_line_once_it_is_known_and_with_each_start() -> None:
    """And not with each report: a log of a long job must not fill with it."""
    finish_at = {"p50": at(300), "p90": at(420)}
    time = {"percentage": 5, "finish_at": finish_at, "basis": "history", "runs": 6}
    first, second = step("running"), step("running", started_at=at(2))
    one = session("running", first, step("pending"), time=time)
    assert lines(RUNNING, session("running", first, time=time))[-1] == " 33%  usually 5–7 min left"
    assert lines(one) == ["  5%  1/2 Dump all: started", "  5%  usually 5–7 min left"]
    assert lines(one, {**one, "title": "Dump"}) == ["Dump"]
    two = session("running", dump("success"), second, time=time)
    assert lines(one, two)[-2:] == ["  5%  2/2 Dump all: started", "  5%  usually 5–7 min left"]
    assert lines(DONE, one)[-1] == "  5%  usually 5–7 min left"
