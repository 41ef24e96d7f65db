"""The README's commands, in their order, in a checkout in an empty folder, with all that they would install."""

import sys
from pathlib import Path

import pytest

from tests.outside.installed import read_readme

pytestmark = [pytest.mark.full, pytest.mark.timeout(300)]


def test_each_command_of_the_readme_works(tmp_path: Path) -> None:
    """`make test-outside` runs the same with the installation, on a machine without any of it."""
    printed = read_readme(Path(sys.executable).parents[1], tmp_path)
    for command in ("make run", "make demo", "uvicorn app:app", "python job.py", "progress-sse run", "-X PUT --json"):
        assert command in printed
