"""The output and actions of `progress-sse serve` on start."""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from tests.conftest import Serve
from tests.harness.serving import Worker, eventually
from tests.harness.tokens import CLOSED, KEY, make_token
from tests.live.asgi_hosts import serve_only

pytestmark = serve_only

TOKEN = "hush-hush"


SIGNED = make_token(sessions=["demo"], actions=["read", "publish"])
"""A token that allows what the printed commands do."""

METHODS = ("PUT", "POST")
"""Those of the printed commands, in their order."""


@pytest.mark.parametrize(
    ("settings", "token", "publishers", "readers"),
    [
        ({}, "", "any client that reaches this address", "any client that knows a session's id"),
        (
            {"publish_token": TOKEN},
            TOKEN,
            "any client with a publish_token",
            "any client that knows a session's id",
        ),
        (
            {"read": "token", "token_key": KEY},
            SIGNED,
            "any client with a signed token that allows it",
            "any client with a token for the session",
        ),
        (
            {"publish_token": TOKEN, "token_key": KEY},
            SIGNED,
            "any client with a publish_token or a signed token that allows it",
            "any client that knows a session's id",
        ),
    ],
    ids=["open", "publish_token", "read=token", "token_key"],
)
async def test_the_printed_commands_work(
    serve: Serve, settings: dict[str, str], token: str, publishers: str, readers: str
) -> None:
    """They name the steps of the job. The greeting names address, store and permissions, and never prints a token."""
    server = serve(store="sqlite", **settings)
    await eventually(lambda: "curl" in server.log(), 10)
    greeting = server.log()
    assert f"{server.url}/" in greeting
    assert server.store in greeting
    assert f"  publish  {publishers}\n  read     {readers}\n" in greeting
    assert TOKEN not in greeting
    assert KEY not in greeting
    created, started = [await output_of(f"curl -X {each}", greeting, PROGRESS_SSE_TOKEN=token) for each in METHODS]
    assert '"status":"pending"' in created
    assert started == '{"success":true,"session_id":"demo"}'
    async with Worker.at(server, token) as worker:
        shown = await worker.poll("demo")
    assert [(step["name"], step["status"]) for step in shown["steps"]] == [
        ("Download", "running"),
        ("Convert", "pending"),
        ("Upload", "pending"),
    ]


async def test_the_link_of_the_printed_command_shows_a_session(serve: Serve) -> None:
    """Where readers need a token, the page alone would show nothing."""
    server = serve(**CLOSED)
    await eventually(lambda: "curl" in server.log(), 10)
    link = await output_of("progress-sse token", server.log(), PROGRESS_SSE_TOKEN_KEY=KEY)
    address, _, token = link.partition("#token=")
    assert address == f"{server.url}/s/demo"
    async with Worker.at(server, token.strip()) as worker:
        assert (await worker.poll("demo"))["status"] == "not_found"


async def output_of(program: str, greeting: str, **variables: str) -> str:
    """The output of the line of the greeting with this program, in a shell with these variables."""
    command = re.search(rf"^ *({program} .*)$", greeting, re.MULTILINE)
    assert command is not None
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = await asyncio.create_subprocess_shell(
        command[1],
        env={**os.environ, "PATH": path, **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    output, _ = await process.communicate()
    return output.decode()


async def test_the_descriptor_limit_is_raised_to_the_maximum(serve: Serve) -> None:
    """The server allows as many streams as the machine does, whatever the soft limit of the shell."""
    start = f"ulimit -Sn 256; exec {sys.executable} -m progress_sse serve --store memory:// --port {{port}}"
    server = serve(command=["sh", "-c", start])
    limits = await asyncio.to_thread(Path(f"/proc/{server.pid}/limits").read_text)
    match = re.search(r"^Max open files +(\d+) +(\d+)", limits, re.MULTILINE)
    assert match is not None
    assert match[1] == match[2] != "256"
