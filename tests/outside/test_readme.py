"""The README's commands, in their order, in a checkout in an empty folder, with all that they would install."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.http1 import free_port
from tests.outside.__main__ import copy_checkout

pytestmark = [pytest.mark.full, pytest.mark.timeout(300)]


def test_each_command_of_the_readme_works(tmp_path: Path) -> None:
    """`make test-outside` runs the same with the installation, on a machine without any of it."""
    copy_checkout(tmp_path)
    for copy in tmp_path.rglob("*"):  # Older than the installation, so that make does not repeat it.
        os.utime(copy, (0, 0))
    environment = Path(sys.executable).parents[1]
    for name in (".venv", "env"):
        (tmp_path / name).symlink_to(environment)
    read = [sys.executable, "tests/outside/readme.py", "--installed", f"8000={free_port()}", f"8001={free_port()}"]
    ran = subprocess.run(read, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
    for command in ("make run", "make demo", "uvicorn app:app", "python job.py", "progress-sse run", "-X PUT --json"):
        assert command in ran.stdout
