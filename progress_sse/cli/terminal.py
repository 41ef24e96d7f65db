"""A session on a terminal, drawn by rich four times a second, as times advance between changes."""

from collections.abc import Iterator, Sequence
from typing import Final, Self

from rich.console import Console, ConsoleOptions, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from progress_sse.cli.display import POLL_S, Display
from progress_sse.core.log_lines import LogLine
from progress_sse.story.headline import absence, conclusion, failures, headline, links, status_line, title
from progress_sse.story.observed_session import ObservedSession, retry_sentence, shown_percentage
from progress_sse.story.plain_text import log_texts, one_line
from progress_sse.story.session_state import SessionState, has_ended
from progress_sse.story.step_words import all_failed_parts, attempt, counted, expectation, over_limit, spent, state_of
from progress_sse.story.steps import Step, is_idle
from progress_sse.story.time_left import has_percentage
from progress_sse.story.worker_words import LifeSign, request_sentence

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
"""The states that also get a word, since their icon alone does not show them."""

STEP_BAR_WIDTH: Final = 20


def step_rows(state: SessionState, now_s: float, room: int) -> RenderableType:
    """Return a row for each step; if the screen is too small, for the steps around the current one."""
    first = max(0, min(state["current_step"] - room // 2, len(state["steps"]) - room))
    grid = Table.grid(padding=(0, 1))
    for column in ("icon", "number", "name", "time"):
        # Rich takes room from columns that may wrap before it takes it from others, and the icon shows the state.
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
    shown = spent(step, now_s)
    warning = over_limit(step, now_s)
    return Text(f"{shown}, {warning}", "yellow") if warning else Text(shown)


def _inside(step: Step, word: str) -> RenderableType:
    """Return the state in a word where it needs one, and how far the step is."""
    grid = Table.grid(padding=(0, 1))
    cells: list[RenderableType] = [Text(word, SPOKEN_STYLES[word])] if word in SPOKEN_STYLES else []
    progress = step.get("progress", {"current": 0, "total": None})
    if progress["total"]:
        cells.append(ProgressBar(progress["total"], progress["current"], STEP_BAR_WIDTH, complete_style="blue"))
    cells += [Text(each) for each in (attempt(step), counted(step)) if each]
    if expectation(step):
        cells.append(Text(expectation(step), "dim"))
    grid.add_row(*cells)
    return grid


REFRESHES_PER_S: Final = 4

COLOURS: Final = {"completed": "green", "error": "red", "cancelled": "bright_black"}
BADGES: Final = {
    None: ("connecting", "yellow"),
    "live": ("live", "green"),
    "polling": (f"asking every {POLL_S:g} s", "yellow"),
    "reconnecting": ("reconnecting", "yellow"),
}
SIGNS: Final = {"stalled": ("⚠", "bold yellow"), "silent": ("⚠", "bold yellow"), "quiet": ("♡", "dim")}

BAR_WIDTH: Final = 40
OTHER_LINES: Final = 8
"""Lines of a screen that are not for steps."""

MAX_FAILED_PARTS: Final = 5


class Terminal(Display):
    """Draws the session's state in place; the last state stays on the screen."""

    def __init__(self, session_id: str, server_url: str, console: Console | None = None) -> None:
        """Draw to stdout, unless a test has another `console`; links are those of the server."""
        super().__init__()
        self._session_id = session_id
        self._server_url = server_url
        self._live = Live(self, console=console, refresh_per_second=REFRESHES_PER_S)

    @property
    def can_draw(self) -> bool:
        """Whether the terminal can be drawn over."""
        return not self._live.console.is_dumb_terminal

    def show_lines(self, lines: Sequence[LogLine], missed: int) -> None:
        """Print them above the drawing, so that they stay."""
        for text in log_texts(lines, missed):
            self._live.console.print(Text(text), soft_wrap=True)

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Draw a last time, and leave the terminal as it was."""
        self._live.stop()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        session = self.session
        sign = self.life_sign
        yield from self._head(session)
        if session is None:
            return
        state = session.state
        now_s = self.now_s
        is_deleted = session.is_deleted
        first = headline(state, now_s, is_deleted=is_deleted)
        more = status_line(state, now_s, is_deleted=is_deleted).removeprefix(first)
        yield Text.assemble((first, f"bold {_colour(state)}"), (more, "dim"))
        if state["status"] == "not_found":
            yield Text(absence(is_deleted=is_deleted), "dim")
            return
        is_in_doubt = is_idle(state, now_s) or (sign is not None and sign.kind != "quiet")
        yield from _overall(session, now_s, is_in_doubt=is_in_doubt)
        failed = [Text(f"   {line}", "red") for line in all_failed_parts(state, MAX_FAILED_PARTS)]
        asked = [Text(request_sentence(state), "bold")] if request_sentence(state) else []
        room = options.size.height - OTHER_LINES - len(failed) - len(asked)
        yield step_rows(state, now_s, max(3, room))
        yield from failed
        yield from _note(session, sign)
        yield from asked
        if has_ended(state):
            yield from _end(state, self._server_url)

    def _head(self, session: ObservedSession | None) -> Iterator[Text]:
        if session and title(session.state):
            yield Text(title(session.state), "bold")
        text, colour = ("", "") if session and has_ended(session.state) else BADGES[self.connection]
        yield Text.assemble((one_line(self._session_id), ""), "  ", (text, colour))


def _colour(state: SessionState) -> str:
    is_cancelled = conclusion(state) == "cancelled"
    return COLOURS.get("cancelled" if is_cancelled else state["status"], "blue")


def _overall(session: ObservedSession, now_s: float, *, is_in_doubt: bool) -> Iterator[RenderableType]:
    """Yield the overall bar, if there is one; it does not look alive where the worker may be dead, or runs no step."""
    colour = "yellow" if is_in_doubt else _colour(session.state)
    grid = Table.grid(padding=(0, 1))
    if has_percentage(session.state):
        percentage = shown_percentage(session, now_s)
        bar = ProgressBar(100, percentage, BAR_WIDTH, complete_style=colour, finished_style=colour)
        grid.add_row(bar, Text(f"{percentage}%", colour))
        yield grid
    elif session.state["status"] == "running" and not is_in_doubt:
        grid.add_row(ProgressBar(None, width=BAR_WIDTH, pulse_style=colour))
        yield grid


def _note(session: ObservedSession, sign: LifeSign | None) -> Iterator[Text]:
    """Yield the sentence about the worker, or about a step that is tried again."""
    if sign:
        mark, style = SIGNS[sign.kind]
        yield Text(f"{mark} {sign.text}", style)
    elif session.retried:
        yield Text(f"↺ {retry_sentence(session)}", "dim")


def _end(state: SessionState, server_url: str) -> Iterator[Text]:
    colour = _colour(state)
    for failure in failures(state):
        first, *rest = failure.lines()
        yield Text(f"\n{first}", f"bold {colour}")
        yield from (Text(line, colour) for line in rest)
    found = links(state, server_url)
    if found:
        yield Text("\n" + "\n".join(found), overflow="fold")
