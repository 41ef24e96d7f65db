"""The steps of a session on a terminal, a row each."""

from typing import Final

from rich.console import RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from progress_sse.story.plain_text import one_line
from progress_sse.story.session_state import SessionState
from progress_sse.story.step_words import attempt, counted, expectation, over_limit, spent, state_of
from progress_sse.story.steps import Step

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
SPOKEN_STYLES: Final = {"stalled": "bold yellow", "skipped": "dim", "cancelled": "dim", "lost": "bold red"}
"""The states that are also said in a word, since their icon alone does not tell them."""

STEP_BAR_WIDTH: Final = 20


def step_rows(state: SessionState, now_s: float, room: int) -> RenderableType:
    """Return a row for each step; if the screen is too small, for the steps around the current one."""
    first = max(0, min(state["current_step"] - room // 2, len(state["steps"]) - room))
    grid = Table.grid(padding=(0, 1))
    for column in ("icon", "number", "name", "time"):
        # Rich takes room from columns that may wrap before it takes it from others, and the icon says the state.
        grid.add_column(justify="right" if column in ("number", "time") else "left", no_wrap=column != "name")
    for step in state["steps"][first : first + room]:
        word = state_of(step)
        grid.add_row(
            ICONS[word],
            str(step["step"]),
            Text(one_line(step["name"]), STYLES.get(word, ""), overflow="ellipsis", no_wrap=True),
            _elapsed(step, now_s),
            _inside(step, word),
            Text(one_line(step.get("message", "")), "dim", overflow="ellipsis", no_wrap=True),
        )
    return grid


def _elapsed(step: Step, now_s: float) -> Text:
    shown, warning = spent(step, now_s), over_limit(step, now_s)
    return Text(f"{shown}, {warning}", "yellow") if warning else Text(shown)


def _inside(step: Step, word: str) -> RenderableType:
    """Return the state in a word where it needs one, and how far the step is."""
    grid = Table.grid(padding=(0, 1))
    cells: list[RenderableType] = [Text(word, SPOKEN_STYLES[word])] if word in SPOKEN_STYLES else []
    progress = step.get("progress", {"current": 0, "total": None})
    if progress["total"]:
        cells.append(ProgressBar(progress["total"], progress["current"], STEP_BAR_WIDTH, complete_style="blue"))
    cells += [Text(said) for said in (attempt(step), counted(step)) if said]
    if expectation(step):
        cells.append(Text(expectation(step), "dim"))
    grid.add_row(*cells)
    return grid
