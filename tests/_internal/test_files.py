"""Files that settings name: which are read, and that reading ends."""

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
    """A device without end, a pipe without a writer, a folder, a file that is too large, and none at all."""
    kind: str = request.param
    path = tmp_path / kind
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "large":
        path.write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    return path  # Joining an absolute path returns that path.


def test_a_file_is_read_up_to_the_limit(tmp_path: Path) -> None:
    """Also through a link, which is how orchestrators mount configuration."""
    path = tmp_path / "file"
    path.write_bytes(b"x" * MAX_FILE_BYTES)
    (tmp_path / "link").symlink_to(path)
    assert len(read_file(tmp_path / "link")) == MAX_FILE_BYTES


def test_a_path_without_a_usable_file_is_refused(unreadable: Path) -> None:
    """At once, and in one sentence: otherwise the server would never start, or fill the memory first."""
    with pytest.raises(ConfigurationError, match=f"The steps file {unreadable} cannot be used: (It |.*No such file)"):
        make_workflows(Settings(steps_file=unreadable))
    with pytest.raises(ConfigurationError, match="token_key is neither an RSA key"):
        SignedTokens(str(unreadable), "RS256")
