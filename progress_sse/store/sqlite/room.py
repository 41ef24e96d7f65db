"""Room on the disk of a SQLite store: how far the database may grow so that it can always shrink again.

Every change is written to the write-ahead log first, even a removal. A checkpoint moves the pages of the log to the
database, and needs space for those by which the database grows, before it frees the log. So on a disk that the log has
filled, neither can proceed. The space that a removal, and the checkpoint after a transaction, need is kept free.
"""

import os
from typing import Final, NamedTuple

PLENTY_BYTES: Final = 256 * 1024 * 1024
"""Free space that no single transaction and no checkpoint can use up."""

_RESERVED_BYTES: Final = 64 * 1024 * 1024
"""Bytes that are kept free at most, for a transaction that changes each page of a large database."""

_FRAME_BYTES: Final = 24 + 8
"""Bytes that a page takes besides its content, in the log (`-wal`) and in its index (`-shm`)."""


class Room(NamedTuple):
    """How much of a nearly full disk the next transaction may use.

    Attributes:
        growth: Pages by which the database may grow.
        usable: Pages that may be filled, including unused ones of the database; negative if only removals may use the
            free space.
    """

    growth: int
    usable: int


def free_bytes(descriptor: int) -> int:
    """Return how many bytes a user may still write to the disk of an open file; plenty if the disk reports no size."""
    disk = os.fstatvfs(descriptor)
    return disk.f_bavail * disk.f_frsize if disk.f_blocks else PLENTY_BYTES


def room(free: int, page_bytes: int, pages: int, unused: int, moved_bytes: int) -> Room:
    """Return how much the next transaction may use.

    Args:
        free: Bytes that are free on the disk.
        page_bytes: The size of a page.
        pages: How many pages the database has, including those in the log.
        unused: How many of these have no content.
        moved_bytes: The size of the database's file, to which some of the pages have yet to be moved.
    """
    most_reserved = _RESERVED_BYTES // page_bytes
    left = free // (page_bytes + _FRAME_BYTES) - (pages - moved_bytes // page_bytes)
    growth = max(0, (left - min(pages, most_reserved)) // 2)  # A new page is in the log first, and then in both.
    return Room(growth, growth + unused if left >= min(pages - unused, most_reserved) else -1)
