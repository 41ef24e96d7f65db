"""Room on the disk of a SQLite store: how far the database may grow so that it can always shrink again.

A change goes to the write-ahead log first, also one that deletes. A checkpoint moves the log's pages to the database,
which needs room for those by which the database has grown, before it gives the log's room back. So on a disk that the
log has filled neither can go on: what a removal, and the checkpoint after a transaction, need is kept free.
"""

import os
from typing import Final, NamedTuple

PLENTY_BYTES: Final = 256 * 1024 * 1024
"""Free room that no single transaction and no checkpoint can use up."""

_RESERVED_BYTES: Final = 64 * 1024 * 1024
"""What is kept free at most for a transaction that changes each page of a large database."""

_FRAME_BYTES: Final = 24 + 8
"""What a page takes besides its content, in the log (`-wal`) and in its index (`-shm`)."""


class Room(NamedTuple):
    """What the next transaction may use of a disk that is nearly full.

    Attributes:
        growth: Pages by which the database may grow.
        usable: Pages that may be filled, those without content counted in; negative where nothing but removals may use
            what is free.
    """

    growth: int
    usable: int


def free_bytes(descriptor: int) -> int:
    """Return how much a user may still write to the disk of an open file; one that does not tell has plenty."""
    disk = os.fstatvfs(descriptor)
    return disk.f_bavail * disk.f_frsize if disk.f_blocks else PLENTY_BYTES


def room(free: int, page_bytes: int, pages: int, unused: int, moved_bytes: int) -> Room:
    """Return what the next transaction may use.

    Args:
        free: Bytes that are free on the disk.
        page_bytes: The size of a page.
        pages: How many the database has, the log counted in.
        unused: How many of these have no content.
        moved_bytes: The size of the database's file, which some of the pages have yet to reach.
    """
    most_reserved = _RESERVED_BYTES // page_bytes
    left = free // (page_bytes + _FRAME_BYTES) - (pages - moved_bytes // page_bytes)
    growth = max(0, (left - min(pages, most_reserved)) // 2)  # A new page is in the log first, and then in both.
    return Room(growth, growth + unused if left >= min(pages - unused, most_reserved) else -1)
