"""Lists of sessions: their pages, and how they are printed."""

import itertools
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from progress_sse.cli import responses
from progress_sse.cli.list_sessions import list_sessions, listed_sessions, listed_words, table_lines
from progress_sse.cli.responses import UnexpectedResponseError
from progress_sse.client.config import Address
from progress_sse.client.http import client_options
from tests.cli.sessions import T0_S, at

HOUR_S = 3600
QUERY = (("prefix", "n"), ("label", "team:a b"), ("status", "lost"), ("status", "stalled"))
SERVER = Address("http://h", None)
JSON = {"Content-Type": "application/json"}


def listed(session_id: str = "nightly", status: str = "running", created_s: float = 0, **more: Any) -> dict[str, Any]:
    """A session of three steps, created so many seconds after `T0`, and changed a minute and a half later."""
    return {
        "session_id": session_id,
        "current_step": 2,
        "total_steps": 3,
        "status": status,
        "percentage": 33,
        "estimated_remaining_ms": 0,
        "created_at": at(created_s),
        "updated_at": at(created_s + 90),
        **more,
    }


@pytest.mark.parametrize(
    ("session", "words"),
    [
        (listed(), "running 33% | 2 of 3 | "),
        (listed(status="completed", percentage=100), "completed 100% |  | "),
        (listed(status="error", conclusion="\x1b[2J"), "failed 33% | 2 of 3 | "),
        (listed(total_steps=1), "running 33% |  | "),
        (listed(open_ended=True), "running  | 3 so far | "),
        (listed(open_ended=True, status="error"), "failed  | 2 of 3 | "),
        (listed(idle_since=at(60)), "running 33% | 1 of 3 done | nothing runs now"),
        (listed(idle_since=at(60), total_steps=101), "running 33% |  | nothing runs now"),
    ],
)
def test_a_session_is_described_in_words(session: dict[str, Any], words: str) -> None:
    """Two minutes after its creation; tests/corpus/words.json has the rest."""
    row = listed_words(session, T0_S + 120)
    assert f"{row.state} {row.percentage} | {row.step} | {row.time}" == words


def test_a_table_is_aligned_by_what_a_terminal_shows() -> None:
    """Wide characters take two columns, and combining ones none; control characters are removed."""
    sessions = [listed("原稿", title="\x1b[31mred\r\nline"), listed("e\u0301-1", created_s=1, title="x")]
    head, wide, combined = table_lines(sessions, T0_S + HOUR_S)
    assert head.split() == ["SESSION", "STATE", "DONE", "STEP", "CREATED", "TIME", "TITLE"]
    assert wide.startswith("原稿     running  33%")
    assert combined.startswith("e\u0301-1      running  33%")
    assert wide.endswith("red line")


def serve(monkeypatch: pytest.MonkeyPatch, *contents: Any) -> list[str | None]:
    """Serve these pages in turn, and return the cursors that are asked for."""
    left = list(contents)
    cursors: list[str | None] = []

    async def chunks(content: Any) -> AsyncIterator[bytes]:
        for each in content if isinstance(content, itertools.repeat) else [json.dumps(content).encode()]:
            yield each

    def answer(request: httpx.Request) -> httpx.Response:
        asked = request.url.params.multi_items()
        assert [pair for pair in asked if pair[0] not in ("limit", "after")] == list(QUERY)
        cursors.append(request.url.params.get("after"))
        return httpx.Response(200, headers=JSON, content=chunks(left.pop(0)))

    transport = httpx.MockTransport(answer)
    monkeypatch.setattr(responses, "client_options", lambda each: {**client_options(each), "transport": transport})
    return cursors


async def pages(monkeypatch: pytest.MonkeyPatch, *contents: Any) -> list[Any]:
    """List the sessions of a server that gives these pages in turn."""
    serve(monkeypatch, *contents)
    return [session async for session in listed_sessions(SERVER, QUERY)]


def test_programs_get_all_pages_as_lines_of_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each page leads to the next. The lines are in ASCII, so that no terminal obeys them."""
    sessions = [listed("原稿", title="\x1b[31m"), listed("a")]
    cursors = serve(monkeypatch, {"sessions": sessions[:1], "next": "c/1"}, {"sessions": sessions[1:], "next": None})
    assert list_sessions(QUERY, SERVER, is_json=True) == 0
    assert cursors == [None, "c/1"]
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line) for line in lines] == sessions
    assert all(line.isascii() and line.isprintable() for line in lines)


@pytest.mark.parametrize(
    "content",
    [
        {"sessions": [], "next": 1},
        {"sessions": []},
        {"sessions": 1, "next": None},
        [],
        {"sessions": [{}], "next": None},
        {"sessions": [{**listed(), "created_at": "yesterday"}], "next": None},
        {"sessions": [{**listed(), "status": "\x1b[31m"}], "next": None},
        {"sessions": [{**listed(), "liveness": {"state": "stalled"}}], "next": None},
    ],
)
async def test_pages_of_another_server_are_refused(monkeypatch: pytest.MonkeyPatch, content: Any) -> None:
    """Nothing that is not a list gets to a terminal."""
    with pytest.raises(UnexpectedResponseError, match="not that of a progress server"):
        await pages(monkeypatch, content)


async def test_an_answer_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server at the URL may send for ever."""
    monkeypatch.setattr(responses, "MAX_EVENT_BYTES", 1000)
    with pytest.raises(UnexpectedResponseError, match="does not end"):
        await pages(monkeypatch, itertools.repeat(b" " * 100, 100))
