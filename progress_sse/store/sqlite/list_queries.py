"""The statements that read lists of sessions, at a cost that grows with what they find.

The sessions of a list are looked for in the smallest set that has them all: those of a label, of a state, of a prefix,
or all sessions. All but those of a prefix are read in the order of the list, until there are enough.
"""

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any, Final, NamedTuple

from progress_sse.core.model import Position
from progress_sse.core.session_filter import SessionFilter, end_of_prefix
from progress_sse.store.health import UNREADABLE, DamageLog
from progress_sse.store.seals import checked_position, header, unsealed
from progress_sse.store.sqlite.schema import label_text
from progress_sse.store.types import PageCursor, SessionSummary

_COLUMNS: Final = ", ".join(
    f"sessions.{name}"
    for name in ("session_id", "state", "created_at", "updated_at", "listed", "n", "current_step", "epoch")
)
"""As `_readable` takes them."""

MAX_COUNTED: Final = 10_000
"""Rows up to which the size of a set is counted; the larger ones count as equal."""

_AFTER_ALL: Final = PageCursor("~", "")
"""It sorts after every time stamp."""


class _Rows(NamedTuple):
    """Rows of a table or index, in the order of a list.

    Attributes:
        table: The table or index.
        columns: The prefix of the columns that the order is by.
        condition: What the rows have in common.
        values: The values in the condition.
        size: How many they are, up to `MAX_COUNTED`.
    """

    table: str
    columns: str
    condition: str
    values: tuple[str, ...]
    size: int


def list_summaries(
    connection: sqlite3.Connection, damage: DamageLog, wanted: SessionFilter, limit: int, after: PageCursor | None
) -> Sequence[SessionSummary]:
    """Return a page of a list, without damaged sessions; see `Lists.list_summaries`."""
    pages = [_in_state(connection, damage, wanted, state, limit, after) for state in wanted.states or (None,)]
    return sorted(chain.from_iterable(pages), key=attrgetter("order"), reverse=True)[:limit]


def _in_state(
    connection: sqlite3.Connection,
    damage: DamageLog,
    wanted: SessionFilter,
    state: str | None,
    limit: int,
    after: PageCursor | None,
) -> Sequence[SessionSummary]:
    """Return the first sessions of a list that are in a state (`None`: in any)."""
    conditions, values = _conditions(wanted, state)
    end = after or _AFTER_ALL
    rows = min(_sets(connection, wanted, state), key=lambda rows: rows.size)
    order = f"{rows.columns}.created_at", f"{rows.columns}.session_id"
    if wanted.prefix:
        with_prefix = _counted(connection, "sessions", "sessions", *_with_prefix(wanted.prefix, "sessions.session_id"))
        if with_prefix.size**2 <= limit * rows.size:
            # The plus signs keep SQLite from another index, which it would read to the end.
            rows = with_prefix
            order = "+sessions.created_at", "+sessions.session_id"
    statement = (
        f"SELECT {_COLUMNS} FROM {rows.table} WHERE {rows.condition}"  # noqa: S608  # of constants of this module
        f" AND ({', '.join(order)}) < (?, ?){conditions} ORDER BY {order[0]} DESC, {order[1]} DESC LIMIT ?"
    )
    page = _page(connection, damage, statement, (*rows.values, end.created_at, end.session_id, *values), limit)
    return [summary for summary, _ in page]


def _conditions(wanted: SessionFilter, state: str | None) -> tuple[str, list[str]]:
    """Return what each session of a list has to meet, as SQL, and its values."""
    conditions = ""
    values: list[str] = []
    if wanted.prefix:
        condition, bounds = _with_prefix(wanted.prefix, "+sessions.session_id")
        conditions += f" AND {condition}"
        values += bounds
    if state is not None:
        conditions += " AND +sessions.state = ?"
        values.append(state)
    for label in wanted.labels:
        conditions += (
            " AND EXISTS (SELECT 1 FROM labels AS other WHERE other.label = ?"
            " AND other.created_at = sessions.created_at AND other.session_id = sessions.session_id)"
        )
        values.append(label_text(label))
    return conditions, values


def _sets(connection: sqlite3.Connection, wanted: SessionFilter, state: str | None) -> Sequence[_Rows]:
    """Return the sets in which all sessions of a list are, in its order."""
    sets = [_Rows("sessions INDEXED BY sessions_by_creation", "sessions", "true", (), MAX_COUNTED + 1)]
    if state is not None:
        table = "sessions INDEXED BY sessions_by_state"
        sets.append(_counted(connection, table, "sessions", "sessions.state = ?", (state,)))
    for label in wanted.labels:
        rows = _counted(connection, "labels", "labels", "labels.label = ?", (label_text(label),))
        sets.append(rows._replace(table="labels CROSS JOIN sessions USING (life)"))
    return sets


def _with_prefix(prefix: str, column: str) -> tuple[str, tuple[str, ...]]:
    end = end_of_prefix(prefix)
    return (f"{column} >= ?", (prefix,)) if end is None else (f"{column} >= ? AND {column} < ?", (prefix, end))


def _counted(
    connection: sqlite3.Connection, table: str, columns: str, condition: str, values: tuple[str, ...]
) -> _Rows:
    (size,) = connection.execute(
        f"SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {condition} LIMIT {MAX_COUNTED})",  # noqa: S608  # likewise
        values,
    ).fetchone()
    return _Rows(table, columns, condition, values, size)


def list_created_before(
    connection: sqlite3.Connection, damage: DamageLog, created_before: str, limit: int, after: PageCursor | None
) -> Sequence[tuple[SessionSummary, Position]]:
    """Return a page of the sessions created before the time stamp, oldest first, each with its position."""
    behind = (after.created_at, after.session_id) if after else ("", "")
    statement = (
        f"SELECT {_COLUMNS} FROM sessions"  # noqa: S608  # likewise
        " WHERE (created_at, session_id) > (?, ?) AND created_at < ? ORDER BY created_at, session_id LIMIT ?"
    )
    return _page(connection, damage, statement, (*behind, created_before), limit)


def load_summaries(
    connection: sqlite3.Connection, damage: DamageLog, session_ids: Collection[str]
) -> Mapping[str, SessionSummary]:
    """Return those of the sessions that there are and that are not damaged."""
    marks = ", ".join("?" * len(session_ids))
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM sessions WHERE session_id IN ({marks})",  # noqa: S608  # likewise
        tuple(session_ids),
    )
    return {summary.session_id: summary for summary, _ in _readable(rows, damage)}


def _page(
    connection: sqlite3.Connection, damage: DamageLog, statement: str, values: Sequence[str], limit: int
) -> list[tuple[SessionSummary, Position]]:
    """Return so many sessions that are not damaged; `statement` takes how many rows to read behind its `values`."""
    most = limit
    while True:
        rows = connection.execute(statement, (*values, most)).fetchall()
        found = _readable(rows, damage)
        if len(found) >= limit or len(rows) < most:
            return found[:limit]
        most *= 2


def _readable(rows: Iterable[tuple[Any, ...]], damage: DamageLog) -> list[tuple[SessionSummary, Position]]:
    """Return the sessions that are not damaged, each with its position."""
    found = []
    for session_id, state, created_at, updated_at, listed, n, current_step, epoch in rows:
        try:
            data = unsealed(listed, session_id, header(n, state, current_step, created_at, updated_at))
            summary = SessionSummary(session_id, state, created_at, updated_at, data)
            found.append((summary, checked_position(epoch, n)))
        except UNREADABLE as error:
            damage.record(session_id, error)
    return found
