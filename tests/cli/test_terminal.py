"""A session on a terminal."""

import io
import re
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal

import pytest
from rich.console import Console

from progress_sse.cli.display import Connection
from progress_sse.cli.terminal import Terminal
from progress_sse.core.log_lines import LogLine
from progress_sse.story.session_state import SessionState
from progress_sse.story.time_left import UsualTimes
from tests.cli.sessions import ABSENT, SERVER, ended, leased, session
from tests.cli.sessions import step as step_at


def step(status: str, **more: Any) -> dict[str, Any]:
    """A step that was started 70 seconds ago."""
    ago = datetime.now(UTC) - timedelta(seconds=70)
    return step_at(status, **({} if status == "pending" else {"started_at": ago.isoformat()}), **more)


def drawn(
    *states: SessionState,
    usual: UsualTimes = MappingProxyType({}),
    width: int = 100,
    height: int = 30,
    later_s: float = 0,
    connection: Connection = "live",
    colours: Literal["standard"] | None = None,
) -> str:
    """The content of a terminal so many seconds after it was shown these states."""
    file = io.StringIO()
    console = Console(file=file, width=width, height=height, color_system=colours)
    terminal = Terminal("nightly", SERVER, console)
    for state in states:
        terminal.set_connection(connection)
        terminal.show(state)
    terminal.set_usual_times(usual)
    terminal.set_clock(later_s)
    console.print(terminal)
    return file.getvalue()


def test_a_terminal_shows_the_wait_for_the_server_and_the_job() -> None:
    """It waits for the server first, then for the job, and after a deletion for the next run."""
    assert drawn() == "nightly  connecting\n"
    question = "No job has reported here yet; is the id right?"
    assert drawn(ABSENT) == f"nightly  live\nWaiting for the job to start\n{question}\n"
    for states in ((session("running", step("running")), ABSENT), ({**ABSENT, "gone": True},)):
        deleted = drawn(*states)
        assert deleted == "nightly  live\nThis job was deleted\nIf it is started again, it is shown here.\n"


def test_a_terminal_shows_the_title_at_its_top() -> None:
    """Without what would act on the terminal."""
    titled = session("running", step("running"), title="Holiday\x1b[2J\nphotos")
    line = "Step 1 of 1: Dump all · running for 1 min 10 s · 0 of 1 step done"
    assert drawn(titled).startswith(f"Holiday photos\nnightly  live\n{line}\n")
    assert drawn({**titled, "title": "\x1b[2J"}).startswith("nightly  live\n")


def test_a_terminal_shows_the_progress_of_a_step() -> None:
    """There is a bar if the total is known."""
    running = session("running", step("running", progress={"current": 3120, "total": 8000}, message="rows"))
    assert re.search(r"1 min 10 s ━━━━━━━╸ +3,120 / 8,000 rows\n", drawn(running))
    running = session("running", step("running", progress={"current": 3120, "total": None}))
    assert re.search(r"1 min 10 s 3,120 *\n", drawn(running))


@pytest.mark.protocol("P-3.13")
def test_a_terminal_does_not_look_done_before_it_is() -> None:
    """Nor does it after a failure: failed steps are not done."""
    assert "╸ 99%\n" in drawn(session("running", step("running"), percentage=100))
    failed = drawn(session("error", step("error", error="disk\nfull\x1b[2J"), percentage=100))
    assert "Failed at step 1 · 0 of 1 step done\n" in failed
    assert " 0%\n" in failed
    assert failed.endswith("\nStep 1, Dump all, failed:\n  disk\n  full\n")
    completed = drawn(session("completed", ended("success", 240), percentage=100))
    assert completed.startswith("nightly  \nCompleted in 4 min · 1 step\n")
    assert "━ 100%\n" in completed


def test_a_job_that_may_get_more_steps_has_a_bar_without_a_number() -> None:
    """It moves, and goes once the job has failed, or runs no step."""
    seen = [
        drawn(session(status, each, open_ended=True)).splitlines()[2]
        for status, each in (("running", step("running")), ("error", step("error")), ("running", ended("success", 9)))
    ]
    assert [line.startswith("━━") for line in seen] == [True, False, False]
    assert "%" not in "".join(seen)


def test_each_state_of_a_step_has_a_mark_of_its_own() -> None:
    """Those that are easily mistaken have a word, too. A skipped step took no time."""
    steps = [step("pending"), step("running"), leased("stalled", 0), ended("success", 1), ended("error", 2)]
    steps += [ended("success", 0, conclusion="skipped"), ended("error", 3, conclusion="cancelled")]
    steps += [ended("error", 4, conclusion="lost")]
    rows = drawn(session("running", *steps)).splitlines()[3:11]
    found = [re.sub(r"\d+ d.* 2 min", "…", re.sub(" +", " ", row.strip())) for row in rows]
    assert found == [
        *("⏳ 1 Dump all", "🔄 2 Dump all 1 min 10 s", "❗ 3 Dump all … stalled", "✅ 4 Dump all 1.0 s"),
        *("❌ 5 Dump all 2.0 s", "⏩ 6 Dump all skipped", "🚫 7 Dump all 3.0 s cancelled", "❓ 8 Dump all 4.0 s lost"),
    ]


def test_a_terminal_marks_what_it_says_of_the_worker_and_of_the_limit() -> None:
    """By the server's clock, and only while it is connected."""
    running = session("running", step("running"))
    late = drawn(running, later_s=60)
    assert "🔄 1 Dump all 2 min 10 s, over its limit of 2 min" in late
    assert "⚠ no update for 2 min 10 s\n" in late
    assert "no update" not in drawn(running, later_s=60, connection="reconnecting")
    live = {"state": "live", "since": step("running")["started_at"]}
    alive = session("running", step("running", liveness=live))
    assert "♡ worker alive, nothing new for 5 min\n" in drawn(alive, later_s=240)
    assert re.search(r"⚠ no sign of life since .*\d\d:\d\d\n", drawn(session("running", leased("stalled"))))


def test_the_bar_of_a_session_that_moves_has_a_colour_of_its_own() -> None:
    """One whose worker may be dead must not look alive, nor one that was cancelled like a failure."""
    failed, lost = ended("error", 1), ended("error", 1, conclusion="lost")
    for state, seconds, colour in [
        (session("running", step("running")), 0, 34),
        (session("running", step("running")), 60, 33),
        (session("running", leased("stalled")), 0, 33),
        (session("running", leased("live", progress={"current": 1, "total": None})), 240, 34),
        (session("error", ended("success", 1), failed), 0, 31),
        (session("error", ended("success", 1), lost), 0, 31),
        (session("error", ended("success", 1), failed, conclusion="cancelled"), 0, 90),
        (session("completed", ended("success", 1)), 0, 32),
    ]:
        assert f"\n\x1b[{colour}m━━" in drawn(state, later_s=seconds, colours="standard")


def test_a_skipped_step_is_struck_out() -> None:
    """Its name is, as it was not done."""
    skipped = session("running", ended("success", 0, conclusion="skipped"))
    assert "\x1b[2;9mDump all" in drawn(skipped, colours="standard")


def test_a_terminal_says_that_a_step_is_tried_again() -> None:
    """And why the bar went back."""
    done = session("running", ended("success", 1), step("pending"), percentage=50)
    again = session("running", step("running"), step("pending"), percentage=0)
    assert "↺ Step 1 is being tried again, so the bar went back\n" in drawn(done, again)


def test_a_terminal_shows_the_sessions_own_error_and_its_links_at_the_end() -> None:
    """A long URL is whole, and a link that no page may offer is left out."""
    url = "https://a.example/" + "x" * 90
    links = [{"label": "Log\x1b]8;;evil\x07", "url": url}, {"label": "Evil", "url": "javascript:x"}]
    state = session("error", ended("success", 1), error="no\n\x1b[2Jspace", conclusion="cancelled", links=links)
    shown = drawn(state)
    assert shown.startswith("nightly  \nCancelled after 1.0 s · 1 of 1 step done\n")
    assert "\nThe job was cancelled:\n  no\n  space\n\nLog: \n" in shown
    assert shown.replace("\n", "").endswith(url)
    without_error = drawn(session("error", ended("success", 1), conclusion="lost"))
    assert without_error.endswith("\nThe job was lost\n")


def test_a_small_terminal_shows_the_steps_around_the_current_one() -> None:
    """The other steps are left out."""
    steps = [step("success")] * 50 + [step("running")] + [step("pending")] * 49
    shown = drawn(session("running", *steps, current_step=51), height=18)
    assert [line.split()[1] for line in shown.splitlines()[3:13]] == [str(n) for n in range(47, 57)]
    assert len(shown.splitlines()) == 13


def test_a_terminal_shows_requests_and_parts() -> None:
    """The failed parts are named, and a request is said below."""
    failed = {"part": "shard-3", "status": "error", "error": "disk full", "elapsed_ms": 1}
    parts = {"total": 50, "running": 1, "success": 37, "error": 1, "listed": [failed]}
    request = {"id": "r1", "kind": "cancel", "step": None, "state": "seen", "asked_at": "2026-01-01T00:00:00+00:00"}
    progress = {"current": 38, "total": 50}
    shown = drawn(session("running", step("running", parts=parts, progress=progress), requests=[request]))
    assert "37 of 50 done, 1 failed" in shown
    assert "   Dump all, shard-3: failed, disk full\n" in shown
    assert shown.endswith("The worker is stopping\n")


def test_a_terminal_says_when_a_job_ends_and_moves_its_bar_by_time() -> None:
    """What a step usually takes is said beside it, or else what it was declared to take."""
    end = (datetime.now(UTC) + timedelta(seconds=280)).isoformat()
    time = {"percentage": 20, "finish_at": {"p50": end, "p90": end}, "basis": "declared", "runs": 0}
    running = session("running", step("running", estimated_ms=90_000), time=time)
    assert "running for 1 min 10 s · about 5 min left · 0 of 1 step done\n" in drawn(running)
    assert " 36%\n" in drawn(running)
    assert "1 min 10 s expected 1 min 30 s" in drawn(running)
    assert "1 min 10 s usually 1 min 15 s" in drawn(running, usual={running["steps"][0]["name"]: 75_000})
    assert " · taking longer than expected · 0 of 1 step done\n" in drawn(running, later_s=310)


def test_a_narrow_terminal_shows_the_state_of_each_step() -> None:
    """Long names and messages share what the rest leaves."""
    long = step("running", name="archive of " + "日本語" * 30, message="copying " + "x" * 60, estimated_ms=200_000)
    assert "🔄 1 archive" in drawn(session("running", long), width=60)
    assert "copying" in drawn(session("running", long), width=60)
    assert "🔄 1 a" in drawn(session("running", long), width=40)


def test_lines_of_the_log_stay_above_what_is_drawn() -> None:
    """They are printed once, whole and without what acts on a terminal; the drawing goes on below them."""
    file = io.StringIO()
    console = Console(file=file, width=40, height=30, force_terminal=True, color_system=None)
    lines = [LogLine("2026-11-25T10:00:00+00:00", 2, "error", "\x1b[2Jno room [bold]left[/] " + "x" * 60)]
    with Terminal("nightly", SERVER, console) as terminal:
        terminal.show_lines(lines, 7)
        terminal.show(ABSENT)
    written = file.getvalue()
    assert written.count("no room") == 1
    assert "\x1b[2J" not in written
    assert f"[2] ERROR no room [bold]left[/] {'x' * 60}\n" in written
    assert written.index("… 7 lines not kept") < written.index("no room") < written.rindex("Waiting for the job")
