"""Files that settings name: what is read of them, and that reading ends."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from progress_sse._internal.files import MAX_FILE_BYTES, read_file
from progress_sse.auth.tokens import SignedTokens
from progress_sse.core.errors import ConfigurationError
from progress_sse.settings import Settings
from progress_sse.wiring import make_workflows


@pytest.fixture(params=["/dev/zero", "pipe", "folder", "large", "nothing"])
def unreadable(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """What never ends, what is never written, what is no file, what is far too large, and what is not there."""
    kind: str = request.param
    path = tmp_path / kind
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "large":
        path.write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    return path  # An absolute name stands for itself.


def test_a_file_is_read_up_to_the_limit(tmp_path: Path) -> None:
    """Also by way of a link, as orchestrators mount what they configure."""
    path = tmp_path / "file"
    path.write_bytes(b"x" * MAX_FILE_BYTES)
    (tmp_path / "link").symlink_to(path)
    assert len(read_file(tmp_path / "link")) == MAX_FILE_BYTES


def test_whatever_names_no_such_file_is_refused(unreadable: Path) -> None:
    """In a sentence, and at once: the server would never start, or take all memory first."""
    with pytest.raises(ConfigurationError, match=f"The steps file {unreadable} cannot be used: (It |.*No such file)"):
        make_workflows(Settings(steps_file=unreadable))
    with pytest.raises(ConfigurationError, match="token_key is neither an RSA key"):
        SignedTokens(str(unreadable), "RS256")
