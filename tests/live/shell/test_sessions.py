"""`progress-sse create` and `finish`, and what all reports of the shell share: real processes against a real server."""

import pytest

from tests.harness.http1 import HOST, free_port
from tests.harness.serving import Server
from tests.live.shell.commands import TOKEN, finish, poll, start


def command(server: Server, *arguments: str, **more: str) -> tuple[int, str, str]:
    status, out, err = finish(start(*arguments, url=server.url, **more))
    return status, out.decode(), err.decode()


def test_a_session_is_created(server: Server) -> None:
    """Its link is printed; an existing session is replaced."""
    link = (0, f"{server.url}/s/made%20here\n", "")
    assert command(server, "create", "made here", "--open-ended") == link
    said = ["--title", "Nightly", "--label", "customer=acme", "--label", "odd=a=b", "--link", "Logs=/logs?id=1"]
    assert command(server, "create", "made here", "--steps", "Download, Parse,Save", *said) == link
    session = poll(server, "made here")
    assert [step["name"] for step in session["steps"]] == ["Download", "Parse", "Save"]
    assert (session["title"], session["labels"]) == ("Nightly", {"customer": "acme", "odd": "a=b"})
    assert session["links"] == [{"label": "Logs", "url": "/logs?id=1"}]
    assert command(server, "create", "default", "--workflow", "default")[0] == 0
    assert poll(server, "default")["total_steps"] == 7


def test_a_session_is_finished(server: Server) -> None:
    """An open-ended one ends by that alone; a failure has its text."""
    assert command(server, "create", "open", "--open-ended")[0] == 0
    assert command(server, "step", "open", "Parse", "start")[0] == 0
    assert command(server, "finish", "open", "--error", "no space", "--link", "Log=/log") == (0, "", "")
    session = poll(server, "open")
    assert (session["status"], session["error"], session["steps"][0]["error"]) == ("error", "no space", "no space")
    assert session["links"] == [{"label": "Log", "url": "/log"}]
    assert command(server, "step", "open", "Parse", "start")[0] == 0
    assert command(server, "finish", "open") == (0, "", "")
    assert poll(server, "open")["status"] == "completed"


STEP = "step", "off", "1", "start"
FULL = pytest.mark.full


@pytest.mark.parametrize(
    ("arguments", "token", "reason"),
    [
        ("create refused --workflow unknown", TOKEN, "its creation was refused: 422 There is no such workflow."),
        ("finish absent", TOKEN, "finish of the session was refused: 404 There is no such session."),
        pytest.param("step absent 1 complete", TOKEN, "complete of step 1 was refused: 404 ", marks=FULL),
        pytest.param("step refused 8 start --create", TOKEN, "start of step 8 was refused: 422 ", marks=FULL),
        ("step refused 1 start --create", "wrong", "start of step 1 was refused: 403 "),
    ],
)
def test_a_refusal_says_why(server: Server, arguments: str, token: str, reason: str) -> None:
    """One sentence gives the reason, and the exit status shows the failure to scripts."""
    status, out, err = command(server, *arguments.split(), PROGRESS_SSE_TOKEN=token)
    assert (status, out) == (1, "")
    assert err.startswith(f"progress-sse: lost a report on '{arguments.split()[1]}' at {server.url}: ")
    assert reason in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [STEP, *(pytest.param((each, "off"), marks=FULL) for each in ("create", "finish"))]
)
def test_disabled_reporting_succeeds(arguments: tuple[str, ...]) -> None:
    """A script with `set -e` continues where there is no server."""
    assert finish(start(*arguments, url=None, PROGRESS_SSE_DISABLED="1")) == (0, b"", b"")


@pytest.mark.full
@pytest.mark.parametrize("arguments", [("create", "off"), ("finish", "off"), STEP])
def test_a_report_without_a_server_fails(arguments: tuple[str, ...]) -> None:
    """One sentence names the problem."""
    status, out, err = finish(start(*arguments, url=f"http://{HOST}:{free_port()}"))
    assert (status, out) == (1, b"")
    assert err.endswith(b"progress-sse: the process ends before all reports on 'off' were sent\n")
