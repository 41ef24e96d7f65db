"""Real programs below `progress-sse run --progress auto` at a terminal: each moves its session at a real server."""

import json

import pytest

from tests.harness.presence import present
from tests.harness.serving import Server
from tests.harness.terminal import Terminal
from tests.live.shell.commands import COMMAND, environment, finish, poll, start
from tests.programs.commands import PROGRAMS, Program
from tests.programs.record import prepared

pytestmark = pytest.mark.full

FEW = {"apt-get-install", "aria2c", "dd", "git-clone", "git-rebase"}
"""Programs that may draw only twice here, or end before the client, which sends ten values a second, has sent three."""


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_a_program_moves_its_session(server: Server, program: Program) -> None:
    """A reader gets at least three values, which never fall, and the end."""
    reader = start("watch", program.name, "--output", "json", url=server.url)
    assert b"not_found" in present(reader.stdout).readline()
    run = [*COMMAND, "run", "--session", program.name, "--progress", "auto", "--", "sh", "-c", program.command]
    with prepared(program) as (folder, its_environment), Terminal() as terminal:
        status, shown = terminal.run(run, {**environment(server.url), **its_environment}, cwd=folder)
    assert status == 0, shown
    assert b"progress-sse: found " in shown
    states = [json.loads(line) for line in finish(reader)[1].splitlines()]
    steps = [state["steps"][0] for state in states if state.get("steps")]
    values = [step["progress"] for step in steps if "progress" in step]
    shares = [each["current"] / (each["total"] or 1) for each in values]
    assert shares == sorted(shares)
    assert len(set(shares)) >= (1 if program.name in FEW else 3), shares
    assert poll(server, program.name)["status"] == "completed"
