"""A session on a terminal, drawn by rich four times a second, as times advance between changes."""

import time
from collections.abc import Iterator
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self

from rich.console import Console, ConsoleOptions, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from progress_sse.cli.display import Display
from progress_sse.cli.follower import POLL_S, Connection
from progress_sse.cli.plain_text import plain
from progress_sse.cli.session_state import SessionState, counted, duration, is_over, one_line

REFRESHES_PER_S: Final = 4

SILENCE_S: Final = 30
"""Seconds without an update after which the display says so: the worker may be dead."""

ICONS: Final = {"pending": "⏳", "running": "🔄", "success": "✅", "error": "❌"}
COLOURS: Final = {"running": "blue", "completed": "green", "error": "red"}
BADGES: Final = {
    "": ("connecting", "yellow"),
    "live": ("live", "green"),
    "polling": (f"asking every {POLL_S:g} s", "yellow"),
}

BAR_WIDTH: Final = 40
STEP_BAR_WIDTH: Final = 20
OTHER_LINES: Final = 6
"""Lines of a screen that are not for steps."""

MAX_ERROR_LINES: Final = 20


class Terminal(Display):
    """Draws the session's state in place; the last state stays on the screen."""

    def __init__(self, session_id: str, console: Console | None = None) -> None:
        """Draw to stdout, unless a test has another `console`."""
        self._session_id = session_id
        self._state: SessionState | None = None
        self._connection: Connection | str = ""
        self._ahead_s = 0.0
        self._updated_s = 0.0
        self._live = Live(self, console=console, refresh_per_second=REFRESHES_PER_S)

    @property
    def can_draw(self) -> bool:
        """Whether the terminal can be drawn over."""
        return not self._live.console.is_dumb_terminal

    def show(self, state: SessionState) -> None:
        """Draw it the next time."""
        self._updated_s = self._now_s() if self._state else _last_transition_s(state) or self._now_s()
        self._state = state

    def set_connection(self, connection: Connection, reason: str = "") -> None:
        """Draw it the next time."""
        self._connection = connection

    def set_clock(self, ahead_s: float) -> None:
        """Let times follow the server's clock."""
        self._ahead_s = ahead_s

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Draw a last time, and leave the terminal as it was."""
        self._live.stop()

    def _now_s(self) -> float:
        """Return the server's time."""
        return time.time() + self._ahead_s

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        state, now_s = self._state, self._now_s()
        yield self._headline(state)
        if state is None or state["status"] == "not_found":
            yield Text("waiting for the job to start", "dim")
            return
        yield _overall(state)
        yield _steps(state, now_s, max(3, options.size.height - OTHER_LINES))
        if state["status"] == "error":
            yield from _failures(state)
        elif state["status"] == "running" and now_s - self._updated_s >= SILENCE_S:
            yield Text(f"no update for {duration((now_s - self._updated_s) * 1000)}", "yellow")

    def _headline(self, state: SessionState | None) -> Text:
        text, colour = ("", "") if state and is_over(state) else BADGES[self._connection]
        return Text.assemble((one_line(self._session_id), "bold"), "  ", (text, colour))


def _overall(state: SessionState) -> RenderableType:
    """Return the overall bar; failed steps count, and it looks done only once the session is completed."""
    status = state["status"]
    percentage = min(state["percentage"], 99) if status == "running" else state["percentage"]
    colour = COLOURS.get(status, "blue")
    grid = Table.grid(padding=(0, 1))
    bar = ProgressBar(100, percentage, BAR_WIDTH, complete_style=colour, finished_style=colour)
    grid.add_row(bar, Text(f"{percentage}%", colour), Text(status, colour))
    return grid


def _steps(state: SessionState, now_s: float, room: int) -> RenderableType:
    """Return a line for each step; if the screen is too small, for the steps around the current one."""
    first = max(0, min(state["current_step"] - room // 2, len(state["steps"]) - room))
    grid = Table.grid(padding=(0, 1))
    for column in ("icon", "number", "name", "time"):
        grid.add_column(justify="right" if column in ("number", "time") else "left", no_wrap=True)
    for step in state["steps"][first : first + room]:
        grid.add_row(
            ICONS[step["status"]],
            str(step["step"]),
            Text(one_line(step["name"]), "" if step["status"] != "pending" else "dim"),
            _elapsed(step, now_s),
            _inside(step),
            Text(one_line(step.get("message", "")), "dim", overflow="ellipsis", no_wrap=True),
        )
    return grid


def _elapsed(step: dict[str, Any], now_s: float) -> Text:
    if step["status"] != "running":
        return Text(duration(step["elapsed_ms"]) if step["status"] != "pending" else "")
    elapsed_ms = max(0.0, now_s - _time_s(step["started_at"])) * 1000
    # Tenths would only flicker.
    shown = duration(elapsed_ms) if elapsed_ms >= 60_000 else f"{int(elapsed_ms / 1000)}s"
    limit_ms = step["timeout_ms"]
    if limit_ms is not None and elapsed_ms > limit_ms:
        return Text(f"{shown}, over its limit of {duration(limit_ms)}", "yellow")
    return Text(shown)


def _inside(step: dict[str, Any]) -> RenderableType:
    if not counted(step):
        return ""
    current, total = step["progress"]["current"], step["progress"]["total"]
    if not total:
        return Text(counted(step))
    grid = Table.grid(padding=(0, 1))
    grid.add_row(ProgressBar(total, current, STEP_BAR_WIDTH, complete_style="blue"), Text(counted(step)))
    return grid


def _failures(state: SessionState) -> Iterator[RenderableType]:
    for step in state["steps"]:
        if step["status"] == "error":
            yield Text(f"\nfailed at step {step['step']}, {one_line(step['name'])}:", "bold red")
            for line in plain(step["error"]).split("\n")[-MAX_ERROR_LINES:]:
                yield Text(f"  {line}", "red")


def _time_s(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()


def _last_transition_s(state: SessionState) -> float:
    times = (step.get(key) for step in state["steps"] for key in ("started_at", "completed_at"))
    return max((_time_s(each) for each in times if each), default=0.0)
