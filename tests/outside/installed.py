"""Follows the README with a package that is installed: ``python -m tests.outside.installed ENVIRONMENT FOLDER``."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.harness.http1 import free_port
from tests.outside.__main__ import copy_checkout


def read_readme(environment: Path, folder: Path) -> str:
    """Run the README's commands in a new folder, with what the environment has; return what they print."""
    copy_checkout(folder)
    shutil.rmtree(folder / "progress_sse")  # Else programs would import it from there.
    for copy in folder.rglob("*"):  # Older than the installation, so that make does not repeat it.
        os.utime(copy, (0, 0))
    for name in (".venv", "env"):
        (folder / name).symlink_to(environment)
    read = [sys.executable, "tests/outside/readme.py", "--installed", f"8000={free_port()}", f"8001={free_port()}"]
    ran = subprocess.run(read, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
    return ran.stdout


if __name__ == "__main__":
    read_readme(*map(Path, sys.argv[1:]))
