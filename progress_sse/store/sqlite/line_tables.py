"""The tables of the log lines of sessions."""

from typing import Final

TABLES: Final = (
    # A session has a row here from its first line on; `keys` are those of `store.log_lines.with_key`.
    """
    CREATE TABLE line_rings (
        life INTEGER PRIMARY KEY REFERENCES sessions ON DELETE CASCADE,
        last INTEGER NOT NULL,
        lines_kept INTEGER NOT NULL,
        bytes_kept INTEGER NOT NULL,
        keys TEXT NOT NULL
    )
    """,
    # Stored in the order of arrival, as the table `log`.
    """
    CREATE TABLE lines (
        life INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
        n INTEGER NOT NULL,
        data BLOB NOT NULL,
        checksum INTEGER NOT NULL,
        PRIMARY KEY (life, n)
    )
    """,
)

TABLE_NAMES: Final = frozenset({"line_rings", "lines"})
