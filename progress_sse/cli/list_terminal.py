"""A list of sessions on a terminal, drawn by rich four times a second, as times advance between changes."""

from collections.abc import Iterator
from types import TracebackType
from typing import Final, Self

from rich.console import Console, ConsoleOptions, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from progress_sse.cli.display import Display
from progress_sse.cli.observation import Observation
from progress_sse.cli.observer import Connection
from progress_sse.cli.terminal import BADGES, REFRESHES_PER_S
from progress_sse.story.listed_session import listed_words
from progress_sse.story.percentage import percentage
from progress_sse.story.session_list import SessionList
from progress_sse.story.session_state import SessionState

COLOURS: Final = {
    "waiting": "bright_black",
    "running": "blue",
    "done": "green",
    "failed": "red",
    "cancelled": "bright_black",
    "lost": "red",
}
ORDER: Final = ("running", "waiting", "failed", "lost", "cancelled", "done")

BAR_WIDTH: Final = 12
OTHER_LINES: Final = 5
"""Lines of a screen that are not for sessions."""

COLUMNS: Final = {"State": 0, "Job": 0, "Bar": 80, "Done": 0, "Step": 60, "Started": 100, "Time": 50}
"""The columns of a list, and how wide a terminal must be to have each."""


class ListTerminal(Display):
    """Draws a list in place; its last state stays on the screen."""

    def __init__(self, console: Console | None = None) -> None:
        """Draw to stdout, unless a test has another `console`."""
        self._observation = Observation()
        self._list: SessionList | None = None
        self._live = Live(self, console=console, refresh_per_second=REFRESHES_PER_S)

    @property
    def can_draw(self) -> bool:
        """Whether the terminal can be drawn over."""
        return not self._live.console.is_dumb_terminal

    def show(self, state: SessionList) -> None:
        """Draw it the next time."""
        self._list = state

    def set_connection(self, connection: Connection, reason: str = "") -> None:
        """Draw it the next time."""
        self._observation.connection = connection

    def set_clock(self, ahead_s: float) -> None:
        """Let times follow the server's clock."""
        self._observation.set_clock(ahead_s)

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Draw a last time, and leave the terminal as it was."""
        self._live.stop()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        text, colour = BADGES[self._observation.connection]
        if self._list is None:
            yield Text(text, colour)
            return
        now_s, sessions = self._observation.now_s, self._list["sessions"]
        more = "+" if self._list["more"] else ""
        yield Text.assemble(
            f"{len(sessions)}{more} jobs", (f"  {_counts(sessions, now_s)}", "dim"), "  ", (text, colour)
        )
        room = max(3, options.size.height - OTHER_LINES)
        yield _table(sessions[:room], now_s, options.max_width)
        others = len(sessions[room:])
        if others or more:
            yield Text(f"and {others}{more} older ones" if others else "and older ones", "dim")


def _counts(sessions: list[SessionState], now_s: float) -> str:
    states = [listed_words(session, now_s).state for session in sessions]
    return ", ".join(f"{states.count(each)} {each}" for each in ORDER if each in states)


def _table(sessions: list[SessionState], now_s: float, width: int) -> Table:
    """Return a row for each session; of a narrow terminal the titles take what the other columns leave."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", expand=False)
    columns = [name for name, needed in COLUMNS.items() if width >= needed]
    for name in columns:
        # Rich takes room from columns that may wrap before it takes it from others.
        table.add_column("" if name == "Bar" else name, no_wrap=name != "Job", overflow="ellipsis")
    for session in sessions:
        cells = _cells(session, now_s)
        table.add_row(*(cells[name] for name in columns))
    return table


def _cells(session: SessionState, now_s: float) -> dict[str, RenderableType]:
    words = listed_words(session, now_s)
    colour = COLOURS[words.state]
    job = Text.assemble((words.title or words.session, "bold"), f"  {words.session}" if words.title else "")
    job.no_wrap = True
    return {
        "State": Text(words.state, colour),
        "Job": job,
        "Bar": ProgressBar(
            100, percentage({**session, "steps": []}), BAR_WIDTH, complete_style=colour, finished_style=colour
        ),
        "Done": words.percentage,
        "Step": words.step,
        "Started": words.started,
        "Time": Text(words.time, "dim"),
    }
