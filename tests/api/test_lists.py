"""Lists of sessions over HTTP: what they show, and who may see which."""

import json
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from progress_sse import ProgressHub
from progress_sse.api.openapi.stream_models import StreamEvent
from progress_sse.auth.grants import Action, Grant
from progress_sse.settings import load_settings
from tests.api.conftest import Connect, issue_ticket
from tests.api.problems import assert_problem
from tests.api.test_authorize_callback import application_with
from tests.harness.tokens import CLOSED, PUBLISH_TOKEN, bearer, make_token


@pytest.mark.protocol("P-25.3")
async def test_an_entry_of_a_timed_session_has_its_time(client: httpx.AsyncClient) -> None:
    """As a poll shows it."""
    body = {"steps": [{"name": "Load", "estimated_ms": 5000}]}
    assert (await client.put("/api/progress/t", json=body)).status_code == 201
    await client.post("/api/progress/t/update", json={"action": "start", "step": 1})
    (entry,) = (await client.get("/api/progress?prefix=t")).json()["sessions"]
    assert entry["time"] == (await client.get("/api/progress/t")).json()["time"]
    assert entry["time"]["basis"] == "declared"


RIGHTS = [
    # What a token grants, the prefix that it asks for, and whether it may list that.
    ({"prefixes": ["alice-"], "actions": ["list"]}, "alice-", True),
    ({"prefixes": ["alice-"], "actions": ["list"]}, "alice-1", True),
    ({"prefixes": ["alice-"], "actions": ["list"]}, "alice", False),
    ({"prefixes": ["alice-"], "actions": ["list"]}, "bob-", False),
    ({"prefixes": ["alice-"], "actions": ["list"]}, "", False),
    ({"prefixes": ["bob-", "alice-"], "actions": ["list"]}, "alice-", True),
    ({"prefixes": [""], "actions": ["list"]}, "", True),
    ({"prefixes": [""], "actions": ["list"]}, "bob-", True),
    ({"prefixes": ["alice-"], "actions": ["read", "publish", "control"]}, "alice-", False),
    ({"sessions": ["alice-1"], "actions": ["list"]}, "alice-1", False),
    ({"actions": ["list"]}, "alice-", False),
]


@pytest.mark.guarantee("P")
@pytest.mark.protocol("P-25.2")
@pytest.mark.parametrize(("claims", "prefix", "is_allowed"), RIGHTS)
async def test_a_token_lists_what_its_prefixes_cover(
    connect: Connect, claims: dict[str, Any], prefix: str, is_allowed: bool
) -> None:
    """SE-02: as a page and as a stream; a label or a status makes no difference."""
    headers = bearer(make_token(**claims))
    assert Grant.model_validate(claims).allows_list(prefix) is is_allowed
    async with connect(**CLOSED) as client:
        for query in (f"prefix={prefix}", f"prefix={prefix}&label=user:alice&status=running"):
            page = await client.get(f"/api/progress?{query}", headers=headers)
            stream = await client.head(f"/api/events?{query}", headers=headers)
            assert (page.status_code, stream.status_code) == ((200, 200) if is_allowed else (403, 403))
        if not prefix:
            assert (await client.get("/api/progress", headers=headers)).status_code == (200 if is_allowed else 403)


@pytest.mark.protocol("P-25.2")
async def test_a_list_needs_a_token_where_tokens_are_needed(connect: Connect) -> None:
    """Even where everyone may read a session whose id it knows; a `publish_token` lists everything."""
    async with connect(publish_token=PUBLISH_TOKEN) as client:
        for target in ("/api/progress?prefix=a", "/api/events?prefix=a"):
            assert_problem(await client.get(target), 401, "unauthorized")
            assert (await client.head(target, headers=bearer(PUBLISH_TOKEN))).status_code == 200


async def test_a_ticket_opens_the_stream_of_a_list(connect: Connect) -> None:
    """Once, and of what its token covers."""
    token = make_token(prefixes=["alice-"], actions=["list"])
    async with connect(**CLOSED) as client:
        ticket = await issue_ticket(client, token)
        assert_problem(await client.get(f"/api/progress?prefix=alice-&ticket={ticket}"), 401, "unauthorized")
        assert (await client.head(f"/api/events?prefix=alice-&ticket={ticket}")).status_code == 200
        assert_problem(await client.get(f"/api/events?prefix=alice-&ticket={ticket}"), 401, "unauthorized")
        ticket = await issue_ticket(client, token)
        assert_problem(await client.get(f"/api/events?prefix=bob-&ticket={ticket}"), 403, "forbidden")


async def test_a_function_decides_by_the_prefix(client: httpx.AsyncClient) -> None:
    """It gets no session, as one that knows nothing of prefixes expects; the query has the prefix."""
    calls: list[tuple[Action, str | None]] = []

    def decide(request: Request, action: Action, session_id: str | None) -> bool:
        calls.append((action, session_id))
        return session_id is None and request.query_params.get("prefix", "").startswith("alice-")

    app, client = application_with(decide)
    async with app.router.lifespan_context(app), client:
        for path in ("/api/progress", "/api/events"):
            assert (await client.head(f"{path}?prefix=alice-")).status_code == 200
            assert_problem(await client.get(f"{path}?prefix=bob-"), 403, "forbidden")
            assert_problem(await client.get(f"{path}?prefix=alice-&prefix=bob-"), 422, "invalid-request")
    assert calls == [("list", None)] * 4


async def test_an_embedder_follows_a_list() -> None:
    """As a browser does, without a connection."""
    hub = ProgressHub(load_settings(store="memory://"))
    async with hub.lifespan():
        await hub.store.create_session("alice-1", 1)
        events = hub.subscribe_to_list(prefix="alice-", status=["pending", "stalled"])
        first = await anext(events)
        assert (first.event, first.event_id, first.data["more"]) == ("list", "", False)
        assert [each["session_id"] for each in first.data["sessions"]] == ["alice-1"]
        await hub.store.create_session("bob-1", 1)
        await hub.store.create_session("alice-2", 1, labels={"k": "v"})
        second = await anext(events)
        assert (second.event, second.data["session"]["session_id"]) == ("session", "alice-2")
        await hub.store.start_step("alice-1", 1)
        third = await anext(events)
        assert (third.event, third.event_id, third.data) == ("removed", "", {"session_id": "alice-1"})
        for each in (first, second, third):  # As they are described for those who read the stream.
            StreamEvent.model_validate({"event": each.event, "data": json.dumps(each.data)})
        await events.aclose()
        labelled = hub.subscribe_to_list(labels={"k": "v"}, status="pending")
        assert [each["session_id"] for each in (await anext(labelled)).data["sessions"]] == ["alice-2"]
    assert [event async for event in labelled] == []


async def test_lists_count_as_reads(connect: Connect) -> None:
    """So a tenant who may list cannot do so without a limit; a stream is told to come later."""
    async with connect(read_rate="2/hour") as client:
        assert [(await client.get("/api/progress?prefix=a")).status_code for _ in range(3)] == [200, 200, 429]
        assert (await client.get("/api/events?prefix=a")).text == "retry: 30000\n\n"
