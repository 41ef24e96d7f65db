"""The descriptors of `progress-sse run`."""

from __future__ import annotations

import subprocess
import sys

import pytest

HELD_DESCRIPTORS = """
import os
from progress_sse.cli.run_command import Target, run

def held():
    return len(os.listdir("/proc/self/fd"))

before = held()
assert run(({command!r},), Target(None, None, None, None, None)) == {status}
assert held() == before, (before, held())
"""


@pytest.mark.parametrize(("command", "status"), [("true", 0), ("/nowhere/command", 127), ("/etc/passwd", 126)])
def test_no_descriptor_of_a_command_stays_open(command: str, status: int) -> None:
    """This holds whether it ran or could not be started."""
    code = HELD_DESCRIPTORS.format(command=command, status=status)
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stderr.count("Traceback")) == (0, 0), result.stderr
