"""The steps of a session on a terminal, a row each."""

from typing import Final

from rich.console import RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from progress_sse.cli.plain_text import one_line
from progress_sse.cli.session_state import SessionState
from progress_sse.cli.story.step_words import counted, state_of
from progress_sse.cli.story.steps import Step, elapsed_s
from progress_sse.cli.story.times import clock

ICONS: Final = {
    "waiting": "⏳",
    "running": "🔄",
    "stalled": "❗",
    "done": "✅",
    "skipped": "⏩",
    "failed": "❌",
    "cancelled": "🚫",
    "lost": "❓",
}
STYLES: Final = {"waiting": "dim", "skipped": "dim strike"}
SPOKEN: Final = {"stalled": "bold yellow", "skipped": "dim", "cancelled": "dim", "lost": "bold red"}
"""The states that are also said in a word, since their icon alone does not tell them."""

STEP_BAR_WIDTH: Final = 20


def step_rows(state: SessionState, now_s: float, room: int) -> RenderableType:
    """Return a row for each step; if the screen is too small, for the steps around the current one."""
    first = max(0, min(state["current_step"] - room // 2, len(state["steps"]) - room))
    grid = Table.grid(padding=(0, 1))
    for column in ("icon", "number", "name", "time"):
        grid.add_column(justify="right" if column in ("number", "time") else "left", no_wrap=True)
    for step in state["steps"][first : first + room]:
        word = state_of(step)
        grid.add_row(
            ICONS[word],
            str(step["step"]),
            Text(one_line(step["name"]), STYLES.get(word, "")),
            _elapsed(step, now_s),
            _inside(step, word),
            Text(one_line(step.get("message", "")), "dim", overflow="ellipsis", no_wrap=True),
        )
    return grid


def _elapsed(step: Step, now_s: float) -> Text:
    if step["status"] != "running":
        has_taken = step["status"] != "pending" and step.get("conclusion") != "skipped"
        return Text(clock(step["elapsed_ms"]) if has_taken else "")
    elapsed_ms = elapsed_s(step, now_s) * 1000
    # Tenths would only flicker.
    shown = clock(elapsed_ms) if elapsed_ms >= 60_000 else f"{int(elapsed_ms / 1000)}s"
    limit_ms = step["timeout_ms"]
    if limit_ms is not None and elapsed_ms > limit_ms:
        return Text(f"{shown}, over its limit of {clock(limit_ms)}", "yellow")
    return Text(shown)


def _inside(step: Step, word: str) -> RenderableType:
    """Return the state in a word where it needs one, and how far the step is."""
    grid = Table.grid(padding=(0, 1))
    cells: list[RenderableType] = [Text(word, SPOKEN[word])] if word in SPOKEN else []
    progress = step.get("progress", {"current": 0, "total": None})
    if progress["total"]:
        cells.append(ProgressBar(progress["total"], progress["current"], STEP_BAR_WIDTH, complete_style="blue"))
    if counted(step):
        cells.append(Text(counted(step)))
    grid.add_row(*cells)
    return grid
