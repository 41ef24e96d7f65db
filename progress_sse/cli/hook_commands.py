"""The commands `progress-sse hooks list`, `test`, `retry` and `secret`: for operators, from anywhere."""

import json
import secrets
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final
from urllib.parse import quote

import click

from progress_sse._internal.http_library import httpx
from progress_sse.cli import responses
from progress_sse.cli.client_commands import ClientCommand, server_of, server_options
from progress_sse.cli.list_sessions import UNANSWERED, aligned
from progress_sse.cli.responses import NotAllowedError, Read, UnexpectedResponseError
from progress_sse.cli.watch import NOT_ALLOWED
from progress_sse.story.plain_text import one_line
from progress_sse.story.times import moment

ANSWER_S: Final = 20.0
"""Seconds that an answer may take: the server gives a receiver 15."""

HEAD: Final = ("HOOK", "STATE", "WAITING", "DEAD", "DELIVERED", "FAILED", "LAST SUCCESS", "ORIGIN")


@click.group()
def hooks() -> None:
    """See, test and retry the hooks of a server, and make secrets for them.

    Where the server has tokens, all commands but secret need one with the action admin. The exit status is 0 on
    success, and 1 if the server does not answer as expected. It is 2 if a command is used wrongly, and 3 if the token
    does not allow it.
    """


@hooks.command("list", cls=ClientCommand)
@click.option("--json", "is_json", is_flag=True, help="Print each hook as a line of JSON, with its newest tries.")
@server_options
def list_hooks(*, is_json: bool, **server: str | None) -> None:
    """List the hooks, and for each how many notices wait and how many were delivered."""
    for line in _answer(server, "GET", "", _json_lines if is_json else _table_lines):
        click.echo(line)


@hooks.command(cls=ClientCommand)
@click.argument("name")
@server_options
def test(name: str, **server: str | None) -> None:
    """Let the server send one request to the hook NAME, and print the answer.

    The exit status is 0 if the receiver answered with a status from 200 to 299, and 1 otherwise.
    """
    status, lines = _answer(server, "POST", f"/{quote(name, safe='')}/test", _tested, {})
    for line in filter(None, lines):
        click.echo(one_line(line))
    sys.exit(not 200 <= status < 300)


@hooks.command(cls=ClientCommand)
@click.argument("name")
@click.argument("notice_id", metavar="[ID]", required=False)
@server_options
def retry(name: str, notice_id: str | None, **server: str | None) -> None:
    """Send the dead notices of the hook NAME again: all of them, or the one with this ID."""
    path = f"/{quote(name, safe='')}/retry"
    body = {} if notice_id is None else {"id": notice_id}
    click.echo(f"retried {_answer(server, 'POST', path, lambda answer: int(answer['retried']), body)}")


@hooks.command()
def secret() -> None:
    """Print a fresh secret, for the file of hooks and for the receiver."""
    click.echo(f"whsec_{b64encode(secrets.token_bytes(32)).decode()}")


def _answer(
    server: Mapping[str, str | None], method: str, path: str, read: Callable[[Any], Read], body: Any = None
) -> Read:
    """Return what a function makes of the server's answer, or end the command with the exit status of a refusal."""
    try:
        response, content = responses.run(_request(server, method, f"/api/hooks{path}", body))
        if response.status_code in (httpx.codes.NOT_FOUND, httpx.codes.TOO_MANY_REQUESTS):
            with suppress(ValueError, LookupError, TypeError, AttributeError):  # It is no problem of ours.
                raise UnexpectedResponseError(one_line(json.loads(content)["detail"]))
        return responses.read_json(response, content, read)
    except (httpx.HTTPError, NotAllowedError, UnexpectedResponseError) as error:
        click.echo(f"progress-sse: {responses.words_of(error)}", err=True)
        sys.exit(NOT_ALLOWED if isinstance(error, NotAllowedError) else UNANSWERED)


async def _request(server: Mapping[str, str | None], method: str, path: str, body: Any) -> tuple[httpx.Response, bytes]:
    async with responses.client_of(server_of(**server)) as client:
        return await responses.get(client, path, method=method, timeout=ANSWER_S, json=body)


def _json_lines(answer: Any) -> Sequence[str]:
    return [json.dumps(hook, separators=(",", ":")) for hook in answer["hooks"]]


def _table_lines(answer: Any) -> Sequence[str]:
    rows: list[Sequence[str]] = [HEAD]
    for hook in answer["hooks"]:
        when = "" if hook["last_success"] is None else moment(hook["last_success"], time.time())
        keys = ("name", "state", "waiting", "dead", "delivered", "failed")
        rows.append([*(one_line(str(hook[key])) for key in keys), when, one_line(hook["origin"])])
    return [*aligned(rows)]


def _tested(answer: Any) -> tuple[int, Sequence[str]]:
    """Return the status of a receiver, 0 if none came, and the lines to print."""
    status = int(answer["status"]) if "status" in answer else 0
    return status, (f"{status or answer['error']}, in {answer['duration_ms']} ms", str(answer["body"]))
