"""`progress-sse list`: a real process against a real server."""

import json
import re
from pathlib import Path

import httpx
import pytest

from tests.harness.serving import Server, session_path
from tests.harness.tokens import CLOSED, make_token
from tests.live.shell.commands import TOKEN, finish, start


def list_sessions(server: Server, *arguments: str, **more: str) -> tuple[int, str, str]:
    status, out, err = finish(start("list", *arguments, url=server.url, **more))
    return status, out.decode(), err.decode()


def create(server: Server, session_id: str, token: str = TOKEN, **body: object) -> None:
    with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {token}"}) as client:
        assert client.put(session_path(session_id), json={"total_steps": 2, **body}).status_code == 201
        update = {"action": "start", "step": 1}
        assert client.post(session_path(session_id, "update"), json=update).status_code == 200


def test_sessions_are_printed_as_a_table(server: Server) -> None:
    """Newest first, those that match alone."""
    for number, team in enumerate(["web", "ops", "web"]):
        create(server, f"table-{number}", labels={"team": team}, title=f"Job {number}")
    status, out, err = list_sessions(server, "--prefix", "table-", "--label", "team:web", "--status", "running")
    assert (status, err) == (0, "")
    head, *rows = out.splitlines()
    assert head.startswith("SESSION")
    assert [re.split(r" {2,}", row)[:: len(re.split(r" {2,}", row)) - 1] for row in rows] == [
        ["table-2", "Job 2"],
        ["table-0", "Job 0"],
    ]
    assert list_sessions(server, "--prefix", "table-", "--status", "error")[1].splitlines() == [
        "SESSION  STATE  DONE  STEP  CREATED  TIME  TITLE"
    ]


def test_programs_get_json(server: Server) -> None:
    """Each line is a session as the server lists it."""
    create(server, "json-1", title="原稿")
    status, out, err = list_sessions(server, "--prefix", "json-", "--json")
    assert (status, err) == (0, "")
    [line] = out.splitlines()
    listed = httpx.get(f"{server.url}/api/progress?prefix=json-", headers={"Authorization": f"Bearer {TOKEN}"}).json()
    assert [json.loads(line)] == listed["sessions"]


@pytest.mark.full
def test_the_exit_status_tells_what_is_wrong(tmp_path: Path) -> None:
    """No answer, and no permission: each with a sentence, and without a traceback."""
    absent = finish(start("list", url="http://127.0.0.1:9"))
    assert absent[:2] == (1, b"")
    assert re.fullmatch(rb"progress-sse: no answer from http://127\.0\.0\.1:9: .+\n", absent[2])
    with Server(tmp_path, **CLOSED) as closed:
        token = make_token(prefixes=["alice-"], actions=["list"])
        assert list_sessions(closed, "--prefix", "alice-", PROGRESS_SSE_TOKEN=token)[0] == 0
        status, out, err = list_sessions(closed, PROGRESS_SSE_TOKEN=token)
        assert (status, out, err) == (3, "", "progress-sse: The token does not allow this.\n")
