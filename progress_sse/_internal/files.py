"""Files that settings name."""

import stat
from pathlib import Path
from typing import Final

MAX_FILE_BYTES: Final = 4 * 2**20
"""Bytes that a file may have: far more than step definitions take, and few enough to parse at once."""


def read_file(path: Path) -> bytes:
    """Return the content of a file.

    Raises:
        OSError: It cannot be read.
        ValueError: It is not a regular file, so that its end may never come, or it is too large.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("It is not a regular file.")
    with path.open("rb") as file:
        content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise ValueError(f"It has more than {MAX_FILE_BYTES} bytes.")
    return content
