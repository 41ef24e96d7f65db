"""Room on the disk of a SQLite store: how far the database may grow so that it can always shrink again.

A removal, too, is written to the write-ahead log first. A checkpoint moves its pages to the database, which may need
space to grow, before it frees the log. So on a disk that the log has filled, neither can proceed. The space that both
need is kept free.
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
    """Pages by which the database may grow, and that may be filled, with its unused ones, in the next transaction.

    `usable` is negative if only removals may use the free space.
    """

    growth: int
    usable: int


def free_bytes(descriptor: int) -> int:
    """Return how many bytes a user may still write to the disk of an open file; plenty if the disk reports no size."""
    disk = os.fstatvfs(descriptor)
    return disk.f_bavail * disk.f_frsize if disk.f_blocks else PLENTY_BYTES


def room(free: int, page_bytes: int, pages: int, unused: int, moved_bytes: int) -> Room:
    """Return how much the next transaction may use while `free` bytes of the disk are free.

    The database has `pages`, with those in the log, of which `unused` have no content; `moved_bytes` are in its file.
    """
    most_reserved = _RESERVED_BYTES // page_bytes
    left = free // (page_bytes + _FRAME_BYTES) - (pages - moved_bytes // page_bytes)
    growth = max(0, (left - min(pages, most_reserved)) // 2)  # A new page is in the log first, and then in both.
    return Room(growth, growth + unused if left >= min(pages - unused, most_reserved) else -1)
