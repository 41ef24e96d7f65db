"""The commands `progress-sse hooks list`, `test`, `retry` and `secret`: for operators, from anywhere."""

import asyncio
import json
import secrets
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote

import click

from progress_sse._internal.http_library import httpx
from progress_sse.cli.client_commands import ClientCommand, server_of, server_options

if TYPE_CHECKING:
    from progress_sse.client.config import Address

SECRET_BYTES: Final = 32

ANSWER_S: Final = 20.0
"""Seconds that an answer may take: the server gives a receiver 15."""

HEAD: Final = ("HOOK", "STATE", "WAITING", "DEAD", "DELIVERED", "FAILED", "LAST SUCCESS", "ORIGIN")

Read = TypeVar("Read")


@click.group()
def hooks() -> None:
    """See, test and retry the hooks of a server, and make secrets for them.

    All but secret need a token with the action admin, where the server has tokens. The exit status is 0, 1 if the
    server does not answer so, 2 for a wrong use of a command, and 3 if the token does not allow it.
    """


@hooks.command("list", cls=ClientCommand)
@click.option("--json", "is_json", is_flag=True, help="Print each as a line of JSON, with its newest tries.")
@server_options
def list_hooks(*, is_json: bool, **server: str | None) -> None:
    """List the hooks, with what waits for them and what was delivered."""
    from progress_sse.cli.list_sessions import aligned

    lines = _answer(server_of(**server), "GET", "", lambda answer: [*_lines(answer["hooks"], is_json=is_json)])
    for line in lines if is_json else aligned([HEAD, *lines]):
        click.echo(line)


@hooks.command(cls=ClientCommand)
@click.argument("name")
@server_options
def test(name: str, **server: str | None) -> None:
    """Let the server send one request to the hook NAME, and print the answer.

    The exit status is 0 if the receiver answered with a status from 200 to 299, else 1.
    """
    from progress_sse.story.plain_text import one_line

    status, line, body = _answer(server_of(**server), "POST", f"/{quote(name, safe='')}/test", _result)
    click.echo(one_line(line))
    if body:
        click.echo(one_line(body))
    sys.exit(not 200 <= status < 300)


@hooks.command(cls=ClientCommand)
@click.argument("name")
@click.argument("notice_id", metavar="[ID]", required=False)
@server_options
def retry(name: str, notice_id: str | None, **server: str | None) -> None:
    """Send the dead notices of the hook NAME again: all, or the one with this ID."""
    body = {} if notice_id is None else {"id": notice_id}
    path = f"/{quote(name, safe='')}/retry"
    count = _answer(server_of(**server), "POST", path, lambda answer: int(answer["retried"]), body)
    click.echo(f"retried {count}")


@hooks.command()
def secret() -> None:
    """Print a fresh secret, for the file of hooks and for the receiver."""
    click.echo(f"whsec_{b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}")


def _answer(
    server: "Address", method: str, path: str, read: Callable[[Any], Read], body: dict[str, str] | None = None
) -> Read:
    """Return what a function makes of the server's answer, or end the command with the exit status of a refusal."""
    from progress_sse.cli.list_sessions import UNANSWERED
    from progress_sse.cli.responses import NotAllowedError, UnexpectedResponseError, read_json
    from progress_sse.cli.watch import NOT_ALLOWED

    try:
        response, content = asyncio.run(_asked(server, method, path, body or {}))
        return read_json(response, content, read)
    except (NotAllowedError, UnexpectedResponseError) as error:
        click.echo(f"progress-sse: {error}", err=True)
        sys.exit(NOT_ALLOWED if isinstance(error, NotAllowedError) else UNANSWERED)


async def _asked(server: "Address", method: str, path: str, body: dict[str, str]) -> tuple[httpx.Response, bytes]:
    from progress_sse.cli.responses import UnexpectedResponseError, client_of, request, words_of
    from progress_sse.story.plain_text import one_line

    async with client_of(server) as client:
        try:
            options = {} if method == "GET" else {"json": body}
            response, content = await request(client, method, f"/api/hooks{path}", timeout=ANSWER_S, **options)
        except httpx.HTTPError as error:
            raise UnexpectedResponseError(words_of(error)) from error
    if response.status_code in (httpx.codes.NOT_FOUND, httpx.codes.TOO_MANY_REQUESTS):
        try:
            raise UnexpectedResponseError(one_line(json.loads(content)["detail"]))
        except (ValueError, LookupError, TypeError, AttributeError):
            pass  # It is no problem of a progress server.
    return response, content


def _lines(listed: Any, *, is_json: bool) -> Iterator[Any]:
    from progress_sse.story.plain_text import one_line
    from progress_sse.story.times import moment

    for hook in listed:
        if is_json:
            yield json.dumps(hook, separators=(",", ":"))
        else:
            counts = [hook[key] for key in ("waiting", "dead", "delivered", "failed")]
            last = hook["last_success"]
            when = "" if last is None else moment(last, time.time())
            yield [one_line(str(each)) for each in (hook["name"], hook["state"], *counts, when, hook["origin"])]


def _result(answer: Any) -> tuple[int, str, str]:
    status = int(answer["status"]) if "status" in answer else 0
    return status, f"{status or answer['error']}, in {answer['duration_ms']} ms", answer["body"]
