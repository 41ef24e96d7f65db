"""The follower of lists, at servers that behave and at others."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Iterable
from typing import Any

import httpx
import pytest

from progress_sse.cli import follower as following
from progress_sse.cli import list_pages
from progress_sse.cli.list_follower import ListFollower, follow_list
from progress_sse.cli.list_pages import listed_sessions
from progress_sse.cli.responses import NotAllowedError, UnexpectedResponseError
from progress_sse.client.config import Address
from progress_sse.client.http import client_options
from progress_sse.core.errors import ConfigurationError
from progress_sse.story.session_list import MAX_SESSIONS, with_session
from tests.cli.listed import listed
from tests.cli.responders import WAIT_S, Recorder, event, failing, polled, streaming

QUERY = (("prefix", "n"), ("label", "team:a b"), ("status", "running"))
FIRST = {"sessions": [listed("b", created_s=2), listed("a", created_s=1)], "more": False}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten all pauses."""
    for name in ("FIRST_PAUSE_S", "LONGEST_PAUSE_S", "POLL_S", "TICK_S"):
        monkeypatch.setattr(following, name, 0.001)
    monkeypatch.setattr(following, "FAILURES_BEFORE_POLLS", 1)


async def followed(stream: bytes, *polls: Callable[[], httpx.Response]) -> Recorder:
    """Follow until the server refuses; the stream has this content, then polls get these responses, and then 403."""
    streams, left = [streaming(stream)], list(polls)

    def answer(request: httpx.Request) -> httpx.Response:
        assert [pair for pair in request.url.params.multi_items() if pair[0] != "heartbeat"] == list(QUERY)
        if request.url.path == "/api/events":
            return streams.pop(0) if streams else failing(500)
        assert request.url.path == "/api/progress"
        return left.pop(0)() if left else failing(403)

    recorder = Recorder()
    async with httpx.AsyncClient(
        transport=httpx.MockTransport(answer), **client_options(Address("http://h", None))
    ) as client:
        with pytest.raises(NotAllowedError):
            await asyncio.wait_for(ListFollower(client, QUERY, recorder).run(), WAIT_S)
    return recorder


def ids(state: Any) -> str:
    """The ids of a list."""
    return "".join(session["session_id"] for session in state["sessions"])


async def test_events_change_the_list() -> None:
    """Sessions come, change and go; they stay in the order of their creation."""
    changed = {**listed("a", created_s=1), "percentage": 66}
    stream = event("list", FIRST)
    stream += event("session", {"session": listed("c", created_s=1.5)}) + event("session", {"session": changed})
    stream += event("removed", {"session_id": "b"}) + event("removed", {"session_id": "unknown"})
    stream += event("later", {}) + event("list", {"sessions": [], "more": True})
    recorder = await followed(stream)
    assert [ids(state) for state in recorder.states] == ["ba", "bca", "bca", "ca", ""]
    assert recorder.states[2]["sessions"][2] == changed
    assert recorder.states[-1]["more"] is True


async def test_polls_replace_a_stream_that_fails() -> None:
    """A page of the list is a list."""
    page = {"sessions": FIRST["sessions"], "next": "cursor"}
    recorder = await followed(b"", lambda: failing(503), lambda: polled(page), lambda: polled({**page, "next": None}))
    assert [(ids(state), state["more"]) for state in recorder.states] == [("ba", True), ("ba", False)]
    assert "polling" in recorder.connections


@pytest.mark.parametrize(
    "content",
    [
        event("session", {"session": listed()}),
        event("list", {"sessions": [], "more": 1}),
        event("list", {"sessions": [{**listed(), "created_at": "yesterday"}], "more": False}),
        event("list", {"sessions": [{**listed(), "status": "\x1b[31m"}], "more": False}),
        event("list", {"sessions": [{**listed(), "labels": {"a": 1}}], "more": False}),
        event("list", []),
        event("list", FIRST) + event("session", {"session": {}}),
        event("list", FIRST) + event("session", []),
        event("list", FIRST) + event("removed", {"session_id": 1}),
        event("list", FIRST, "é"),
    ],
)
async def test_an_invalid_stream_is_abandoned(content: bytes) -> None:
    """Nothing that is not a list gets to a terminal."""
    recorder = await followed(content, lambda: polled([]), lambda: polled({"sessions": 1, "next": None}))
    assert [state for state in recorder.states if state != FIRST] == []
    assert "the stream is not that of a progress server" in recorder.reasons
    assert "the answer is not that of a progress server" in recorder.reasons


def test_a_list_has_an_end() -> None:
    """A terminal does not show more."""
    sessions = [listed(str(number), created_s=MAX_SESSIONS - number) for number in range(MAX_SESSIONS)]
    longer = with_session({"sessions": sessions, "more": False}, listed("new", created_s=MAX_SESSIONS + 1))
    assert (len(longer["sessions"]), longer["sessions"][0]["session_id"], longer["more"]) == (MAX_SESSIONS, "new", True)


def answered(chunks: Iterable[bytes]) -> httpx.Response:
    """An answer in JSON that comes in these pieces."""
    return httpx.Response(200, headers={"Content-Type": "application/json"}, content=iter(chunks))


def pages(monkeypatch: pytest.MonkeyPatch, *contents: Any) -> list[Any]:
    """List the sessions of a server that gives these pages in turn."""
    left = list(contents)
    cursors: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        cursors.append(request.url.params.get("after"))
        content = left.pop(0)
        return content if isinstance(content, httpx.Response) else answered([json.dumps(content).encode()])

    transport = httpx.MockTransport(answer)
    monkeypatch.setattr(list_pages, "client_options", lambda each: {**client_options(each), "transport": transport})
    return [*listed_sessions(Address("http://h", None), QUERY), cursors]


def test_all_pages_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each page leads to the next."""
    first, second = {"sessions": [listed("b")], "next": "c/1"}, {"sessions": [listed("a")], "next": None}
    assert pages(monkeypatch, first, second) == [listed("b"), listed("a"), [None, "c/1"]]


@pytest.mark.parametrize(
    "content", [{"sessions": [], "next": 1}, {"sessions": []}, [], {"sessions": [{}], "next": None}]
)
def test_pages_of_another_server_are_refused(monkeypatch: pytest.MonkeyPatch, content: Any) -> None:
    """They have another shape."""
    with pytest.raises(UnexpectedResponseError, match="not that of a progress server"):
        pages(monkeypatch, content)


def test_an_answer_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server at the URL may send for ever."""
    monkeypatch.setattr(list_pages, "MAX_EVENT_BYTES", 1000)
    answer = httpx.Response(
        200, headers={"Content-Type": "application/json"}, content=itertools.repeat(b" " * 100, 100)
    )
    with pytest.raises(UnexpectedResponseError, match="does not end"):
        pages(monkeypatch, answer)


def test_a_url_that_cannot_be_used_is_said_at_once() -> None:
    """As for a session."""
    with pytest.raises(ConfigurationError):
        asyncio.run(follow_list(Address("http://h/\x01", None), QUERY, Recorder()))
    with pytest.raises(ConfigurationError):
        list(listed_sessions(Address("http://h/\x01", None), QUERY))
