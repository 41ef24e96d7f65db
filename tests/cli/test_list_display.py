"""Lists of sessions in a terminal, and as lines."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from progress_sse.cli.list_display import json_lines, table_lines
from progress_sse.cli.list_terminal import ListTerminal
from progress_sse.story.listed_session import listed_words
from tests.cli.listed import listed
from tests.cli.sessions import T0_S, at

HOUR_S = 3600
TIME = {"percentage": 40, "finish_at": {"p50": at(240), "p90": at(420)}, "basis": "history", "runs": 9}


@pytest.mark.parametrize(
    ("session", "words"),
    [
        (listed(), "running 33% | 2 of 3 | for 2 min"),
        (listed(time=TIME), "running 52% | 2 of 3 | usually 2–5 min left"),
        (
            listed(time={**TIME, "finish_at": {"p50": at(1), "p90": at(2)}}),
            "running 40% | 2 of 3 | taking longer than usual",
        ),
        (listed(status="pending", current_step=0, percentage=0), "waiting 0% |  | "),
        (listed(status="completed", percentage=100), "done 100% |  | took 1 min 30 s"),
        (listed(status="error", percentage=100), "failed 99% | 2 of 3 | after 1 min 30 s"),
        (listed(status="error", conclusion="cancelled"), "cancelled 33% | 2 of 3 | after 1 min 30 s"),
        (listed(status="error", conclusion="\x1b[2J"), "failed 33% | 2 of 3 | after 1 min 30 s"),
        (listed(total_steps=1), "running 33% |  | for 2 min"),
    ],
)
def test_a_session_is_told_in_words(session: dict[str, Any], words: str) -> None:
    """Two minutes after its creation."""
    said = listed_words(session, T0_S + 120)
    assert f"{said.state} {said.percentage} | {said.step} | {said.time}" == words


def test_a_table_is_aligned_by_what_a_terminal_shows() -> None:
    """Wide characters take two columns, and combining ones none; control characters are removed."""
    sessions = [listed("原稿", title="\x1b[31mred\r\nline"), listed("e\u0301-1", created_s=1, title="x")]
    head, wide, combined = table_lines(sessions, T0_S + HOUR_S)
    assert head.split() == ["SESSION", "STATE", "DONE", "STEP", "STARTED", "TIME", "TITLE"]
    assert wide.startswith("原稿     running  33%")
    assert combined.startswith("e\u0301-1      running  33%")
    assert wide.endswith("red line")


def test_programs_get_lines_of_json() -> None:
    """In ASCII, so that no terminal obeys it."""
    sessions = [listed("原稿", title="\x1b[31m")]
    lines = list(json_lines(sessions))
    assert [json.loads(line) for line in lines] == sessions
    assert all(line.isascii() and line.isprintable() for line in lines)


def drawn(
    sessions: list[dict[str, Any]] | None, *, more: bool = False, height: int = 30, width: int = 110
) -> list[str]:
    """The lines of a terminal that was shown these sessions."""
    file = io.StringIO()
    console = Console(file=file, width=width, height=height)
    terminal = ListTerminal(console)
    if sessions is not None:
        terminal.set_connection("live")
        terminal.show({"sessions": sessions, "more": more})
    console.print(terminal)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def now(seconds: float) -> str:
    """A time so many seconds ago."""
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()


def test_a_terminal_shows_the_list() -> None:
    """With its counts, and the connection."""
    assert drawn(None) == ["connecting"]
    running = listed("nightly", title="Import\x1b[2J", created_at=now(125), updated_at=now(5))
    first, head, row, other = drawn([running, listed("weekly", "completed")])
    assert first == "2 jobs  1 running, 1 done  live"
    assert head.split() == ["State", "Job", "Done", "Step", "Started", "Time"]
    assert row.startswith("running  Import  nightly")
    assert row.endswith("for 2 min 5 s")
    assert other.startswith("done     weekly")


@pytest.mark.parametrize(
    ("width", "columns", "row"),
    [
        (110, "State Job Done Step Started Time", "running 33% 2 of 3 for 2 min"),
        (80, "State Job Done Step Time", "running 33% 2 of 3 for 2 min"),
        (60, "State Job Done Step Time", "running 33% 2 of 3 for 2 min"),
        (50, "State Job Done Time", "running 33% for 2 min"),
        (30, "State Job Done", "running 33%"),
    ],
)
def test_a_long_title_leaves_room_for_what_matters_more(width: int, columns: str, row: str) -> None:
    """The narrower the terminal is, the fewer columns it has; none of those that it has is cut, but for the title."""
    session = listed("nightly", title="Import " * 30, created_at=now(125), updated_at=now(5))
    _, head, line = drawn([session], width=width)
    assert head.split() == columns.split()
    assert len(line) <= width
    words = line.split()
    assert [word for word in row.split() if word in words] == row.split()


def test_a_terminal_shows_as_many_as_it_has_room_for() -> None:
    """The newest; the others are counted."""
    lines = drawn([listed(str(number)) for number in range(20)], more=True, height=12)
    assert lines[0].startswith("20+ jobs")
    assert len(lines) < 12
    assert lines[-1] == "and 13+ older ones"
    assert drawn([listed()], more=True)[-1] == "and older ones"
