"""The commands for hooks: what they send, what they print, and how they end."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from progress_sse.cli import responses
from progress_sse.cli.main import main
from progress_sse.client.config import Address
from progress_sse.client.http import client_options
from progress_sse.notices.hooks_file import secret_of
from tests.conftest import Serve
from tests.harness.http1 import HOST
from tests.notices.test_delivery import receiving

HOOK = {
    "name": "oncall",
    "origin": "https://example.org",
    "state": "up",
    "waiting": 1,
    "dead": 2,
    "delivered": 3,
    "failed": 4,
    "last_success": None,
    "tries": [],
}
TESTED = {"status": 204, "duration_ms": 7, "body": ""}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["hooks", *arguments])


def serve_answers(monkeypatch: pytest.MonkeyPatch, answer: httpx.Response | Exception) -> list[httpx.Request]:
    """Let the server answer like this; return the requests that it gets."""
    requests: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client_of(address: Address) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(respond), **client_options(address))

    monkeypatch.setattr(responses, "client_of", client_of)
    monkeypatch.setenv("PROGRESS_SSE_URL", "http://h/jobs")
    monkeypatch.setenv("PROGRESS_SSE_TOKEN", "t")
    return requests


def answering(content: Any, status: int = 200, media_type: str = "application/json") -> httpx.Response:
    async def chunks() -> Any:
        yield json.dumps(content).encode()

    return httpx.Response(status, headers={"Content-Type": media_type}, content=chunks())


@pytest.mark.parametrize(
    ("arguments", "answer", "sent", "printed", "status"),
    [
        (["list"], {"hooks": []}, "GET /api/hooks", "HOOK  STATE  WAITING  DEAD  DELIVERED  FAILED  LAST SUCCESS", 0),
        (["list"], {"hooks": [HOOK]}, "GET /api/hooks", "oncall  up     1        2     3          4", 0),
        (["list"], {"hooks": [{**HOOK, "name": "\x1b[31mred\n"}]}, "GET /api/hooks", "\nred   up", 0),
        (["list", "--json"], {"hooks": [HOOK]}, "GET /api/hooks", json.dumps(HOOK, separators=(",", ":")) + "\n", 0),
        (["test", "oncall"], TESTED, "POST /api/hooks/oncall/test {}", "204, in 7 ms\n", 0),
        (["test", "oncall"], {**TESTED, "body": "ok\x1b[31m\n!"}, "POST /api/hooks/oncall/test {}", "ms\nok !\n", 0),
        (["test", "a/b"], {**TESTED, "status": 302}, "POST /api/hooks/a%2Fb/test {}", "302, in 7 ms\n", 1),
        (
            ["test", "oncall"],
            {"error": "no\x1b[31m answer", "duration_ms": 1, "body": ""},
            "POST /api/hooks/oncall/test {}",
            "no answer, in 1 ms\n",
            1,
        ),
        (["retry", "oncall"], {"retried": 2}, "POST /api/hooks/oncall/retry {}", "retried 2\n", 0),
        (
            ["retry", "oncall", "msg_1"],
            {"retried": 0},
            'POST /api/hooks/oncall/retry {"id":"msg_1"}',
            "retried 0\n",
            0,
        ),
    ],
)
def test_a_command_sends_a_request_and_prints_the_answer(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], answer: Any, sent: str, printed: str, status: int
) -> None:
    """With the token of the environment, below the path of the server; no text acts on a terminal."""
    requests = serve_answers(monkeypatch, answering(answer))
    result = run(*arguments)
    [request] = requests
    path = request.url.raw_path.decode().removeprefix("/jobs")
    assert f"{request.method} {path} {request.content.decode()}".strip() == sent
    assert request.headers["authorization"] == "Bearer t"
    assert printed in result.stdout
    assert "\x1b" not in result.stdout
    assert result.exit_code == status


PROBLEM = {"detail": "There is no such hook."}


@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"], ["test", "a"], ["retry", "a"]])
@pytest.mark.parametrize(
    ("answer", "sentence", "status"),
    [
        ((PROBLEM, 404, "application/problem+json"), "There is no such hook.", 1),
        (({"detail": "a\x1b[31mb"}, 429, "application/problem+json"), "ab", 1),
        (([], 404, "text/html"), "the server answers 404", 1),
        (({}, 200, "text/html"), "the answer is not that of a progress server", 1),
        ((1, 200, "application/json"), "the answer is not that of a progress server", 1),
        (({}, 401, "application/problem+json"), "The token is not valid for this server.", 3),
        (({}, 403, "application/problem+json"), "The token does not allow this.", 3),
        (httpx.ConnectError("away"), "no answer from http://h: away", 1),
    ],
)
def test_a_refusal_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], answer: Any, sentence: str, status: int
) -> None:
    """And an exit status."""
    serve_answers(monkeypatch, answer if isinstance(answer, Exception) else answering(*answer))
    result = run(*arguments)
    assert (result.output, result.exit_code) == (f"progress-sse: {sentence}\n", status)


@pytest.mark.parametrize("arguments", [["test"], ["retry"], ["list", "more"], ["list", "--url", "ftp://h"], ["list"]])
def test_a_wrong_use_is_refused(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


def test_a_secret_is_one_of_32_bytes_and_always_new() -> None:
    """As the file of hooks takes it."""
    one, two = run("secret").output, run("secret").output
    assert one != two
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=\n", one)
    assert len(secret_of(one.strip())) == 32


async def test_an_operator_sees_tests_and_retries_a_hook(serve: Serve, tmp_path: Path) -> None:
    """On a server: its file has the secret that the command made."""
    path = tmp_path / "hooks.toml"

    async def command(*arguments: str) -> tuple[int, str]:
        result = await asyncio.to_thread(run, *arguments, "--url", server.url)
        return result.exit_code, result.stdout

    async with receiving(b"HTTP/1.1 204 No Content\r\n\r\n") as stub:
        url = f"http://{HOST}:{stub.port}/in"
        made = await asyncio.to_thread(run, "secret")
        path.write_text(f'[hooks.oncall]\nurl = "{url}"\nsecret = "{made.output.strip()}"\n')
        server = serve(hooks=path)
        status, shown = await command("test", "oncall")
        assert (status, shown.partition(",")[0], len(stub.requests)) == (0, "204", 1)
        status, listed = await command("list", "--json")
        assert (status, json.loads(listed)["origin"]) == (0, url.removesuffix("/in"))
        assert await command("retry", "oncall") == (0, "retried 0\n")
        assert (await command("test", "other"))[0] == 1
