"""`progress-sse watch`: a real process against a real server, with a terminal or without."""

import contextlib
import json
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from progress_sse.story.plain_text import plain
from tests.harness.presence import present
from tests.harness.serving import Server, session_path
from tests.harness.tokens import CLOSED
from tests.live.shell.commands import COMMAND, TOKEN, WAIT_S, environment, finish, poll, start


def watch(server: Server, *arguments: str, **more: str) -> tuple[int, str, str]:
    """Watch a session until its end, and return the exit status and the output."""
    status, out, err = finish(start("watch", *arguments, url=server.url, **more))
    return status, out.decode(), err.decode()


def report(server: Server, session_id: str, *updates: dict[str, Any]) -> None:
    with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        steps = [{"name": "Dump\x1b[2J"}, {"name": "原稿生成"}]
        assert client.put(session_path(session_id), json={"steps": steps}).status_code == 201
        for update in updates:
            assert client.post(session_path(session_id, "update"), json=update).status_code == 200


FAILURE = [
    {"action": "start", "step": 1},
    {"action": "complete", "step": 1},
    {"action": "start", "step": 2},
    {"action": "complete", "step": 2, "success": False, "error": "disk\nfull"},
]
SUCCESS = [*FAILURE, {"action": "start", "step": 2}, {"action": "complete", "step": 2, "message": "8,000 rows"}]


def test_the_exit_status_of_watching_tells_the_outcome(server: Server) -> None:
    """The exit status is 0 for completed and 1 for failed; with `--output quiet` there is no output."""
    report(server, "good", *SUCCESS)
    report(server, "bad", *FAILURE)
    assert watch(server, "good", "--output", "quiet") == (0, "", "")
    assert watch(server, "bad", "--output", "quiet") == (1, "", "")


def test_watching_tolerates_every_character(server: Server) -> None:
    """Characters that stdout cannot encode, and a missing stdout, are tolerated; control characters are removed."""
    report(server, "rare", {"action": "start", "step": 1}, {**FAILURE[3], "step": 1, "error": "\u009b31m原"})
    out = watch(server, "rare", "--output", "plain", PYTHONIOENCODING="iso-8859-5")[1]
    assert out.startswith("  0%")
    assert out.endswith("31m\\u539f\nFailed at step 1 \\xb7 0 of 2 steps done\n")
    assert watch(server, "rare", "--output", "json")[1].isascii()
    closed = subprocess.run(
        ["sh", "-c", '"$@" >&-', "sh", *COMMAND, "watch", "rare"], env=environment(server.url), check=False
    )
    assert closed.returncode == 1


def test_watching_prints_a_line_for_each_change(server: Server) -> None:
    """Without a terminal each change is a line, from the session's beginning to its failure."""
    process = start("watch", "lines", url=server.url)
    assert present(process.stdout).readline() == b"Waiting for the job to start\n"
    report(server, "lines", *FAILURE)
    status, out, err = finish(process)
    assert (status, err) == (1, b"")
    assert re.fullmatch(
        r"  0%  1/2 Dump: started\n"
        r" 50%  1/2 Dump: done after 0\.\d s\n"
        r" 50%  2/2 原稿生成: started\n"
        r" 50%  2/2 原稿生成: failed after 0\.\d s, disk full\n"
        r"Failed at step 2( after .+ s)? · 1 of 2 steps done\n",
        out.decode(),
    )


def test_watching_tells_the_story_of_a_session(server: Server) -> None:
    """From its title, over steps that are planned and skipped, to how it ended, with its links; then its deletion."""
    process = start("watch", "story", url=server.url)
    assert process.stdout is not None
    assert process.stdout.readline() == b"Waiting for the job to start\n"
    links = [{"label": "Log\x1b[2J", "url": "/log"}]
    with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {TOKEN}"}) as client:

        def update(**body: Any) -> None:
            assert client.post(session_path("story", "update"), json=body).status_code == 200

        new = {"open_ended": True, "title": "Holiday\x1b[2J photos"}
        assert client.put(session_path("story"), json=new).status_code == 201
        assert process.stdout.readline() == b"Holiday photos\n"
        assert client.delete(session_path("story")).status_code == 204
        assert process.stdout.readline() == b"This job was deleted\n"
        assert client.put(session_path("story"), json=new).status_code == 201
        update(action="plan", steps=[{"name": "Find"}, {"name": "Resize"}])
        update(action="start", step=1)
        update(action="skip", step=2, message="none")
        update(action="finish", success=False, error="no\x1b[2J space", conclusion="cancelled", links=links)
    status, out, err = finish(process)
    assert (status, err) == (1, b"")
    assert re.fullmatch(
        r"Holiday photos\n2 steps so far\n1 Find: started\n2 Resize: skipped, none\n"
        r"1 Find: cancelled after 0\.\d s, no space\n"
        r"Cancelled at step 1( after .+ s)? · 1 of 2 steps done · 1 skipped\nLog: http://.+/log\n",
        out.decode(),
    )


def test_watching_tells_that_a_worker_stalls_and_is_lost(server: Server) -> None:
    """By what the server makes of a worker that promised signs of life, and was killed. A lost session is an error."""
    leased = {"attempt_id": "a", "lease_ms": 1000, "lost_after_ms": 2000}
    process = start("watch", "lost", url=server.url)
    assert present(process.stdout).readline() == b"Waiting for the job to start\n"
    report(server, "lost", {"action": "start", "step": 1, **leased})
    status, out, err = finish(process)
    assert (status, err) == (1, b"")
    assert re.fullmatch(
        r"  0%  1/2 Dump: started\n  0%  1/2 Dump: no sign of life since \d\d:\d\d\n"
        r"  0%  1/2 Dump: lost after \d+\.\d s, .+\nLost at step 1 after \d+\.\d s · 0 of 2 steps done\n",
        out.decode(),
    )


def test_watching_prints_json_for_programs(server: Server) -> None:
    """Each line is one object, equal to a polling response."""
    process = start("watch", "json", "--output", "json", url=server.url)
    assert json.loads(present(process.stdout).readline())["status"] == "not_found"
    report(server, "json", *FAILURE)
    shown = [json.loads(line) for line in finish(process)[1].splitlines()]
    assert [held["status"] for held in shown] == ["pending", "running", "running", "running", "error"]
    assert shown[-1] == poll(server, "json")


def test_watching_ends_cleanly_on_a_signal(server: Server) -> None:
    """On Ctrl-C and SIGTERM there is no traceback, and the exit status is the one that shells expect."""
    for number, expected in [(signal.SIGINT, 130), (signal.SIGTERM, 143)]:
        process = start("watch", "absent", url=server.url)
        assert present(process.stdout).readline() == b"Waiting for the job to start\n"
        process.send_signal(number)
        assert finish(process) == (expected, b"", b"")


def test_watching_without_permission_has_an_exit_status_of_its_own(tmp_path: Path) -> None:
    """One sentence names the missing token."""
    with Server(tmp_path, **CLOSED) as closed:
        status, out, err = watch(closed, "s", PROGRESS_SSE_TOKEN="")
        assert (status, out) == (3, "")
        assert err == "progress-sse: The server wants a token for this: see --token.\n"


def watch_on_a_terminal(server: Server, session_id: str, kind: str, *updates: dict[str, Any]) -> str:
    """Watch a session on a terminal of some kind from before its beginning; return the final screen."""
    terminal, slave = os.openpty()
    process = subprocess.Popen(
        [*COMMAND, "watch", session_id],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment(server.url, TERM=kind, COLUMNS="100", LINES="30"),
    )
    os.close(slave)
    seen = b""
    while b"Waiting for the job to start" not in seen:
        seen += os.read(terminal, 4096)
    report(server, session_id, *updates)
    with contextlib.suppress(OSError):  # The other side has closed it.
        while piece := os.read(terminal, 4096):
            seen += piece
    os.close(terminal)
    assert process.wait(WAIT_S) == 1
    return seen.decode()


def test_watching_on_a_terminal_is_live(server: Server) -> None:
    """The bar, the steps and the failure are drawn, and the cursor is visible again afterwards."""
    seen = watch_on_a_terminal(server, "drawn", "xterm-256color", *FAILURE)
    last = plain(seen[seen.rindex("drawn") :])
    assert re.search(r"✅ 1 Dump +\d\.\d s", last)
    assert re.search(r"❌ 2 原稿生成 +\d\.\d s", last)
    assert "Step 2, 原稿生成, failed:\n  disk\n  full" in last
    assert seen.rstrip().endswith("\x1b[?25h")


def test_watching_on_a_terminal_that_cannot_be_drawn_on_prints_lines(server: Server) -> None:
    """A shell inside an editor is such a terminal."""
    seen = watch_on_a_terminal(server, "dumb", "dumb", *FAILURE)
    assert "\x1b" not in seen
    assert " 50%  2/2 原稿生成: started\r\n" in seen


@pytest.mark.full
def test_watching_shows_the_log(server: Server) -> None:
    """Among the changes, in plain text or as JSON; without `--log` there is none."""
    lines = ["first", {"text": "\x1b[31mhot\x1b[0m", "level": "warning"}]
    report(server, "logged", SUCCESS[0], {"action": "log", "step": 1, "lines": lines}, *SUCCESS[1:])
    status, out, _ = watch(server, "logged", "--output", "plain", "--log")
    assert status == 0
    assert [line[20:] for line in out.splitlines() if "[1] " in line] == ["[1] first", "[1] WARNING hot"]
    out = watch(server, "logged", "--output", "json", "--log")[1]
    told = [json.loads(line)["log"] for line in out.splitlines() if '"log":{' in line]
    assert [line["text"] for line in told] == ["first", "\x1b[31mhot\x1b[0m"]
    assert "first" not in watch(server, "logged", "--output", "plain")[1]
