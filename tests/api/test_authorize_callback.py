"""A function of the application in place of all tokens."""

from typing import Any

import pytest
from starlette.requests import Request

from progress_sse import create_app
from progress_sse.auth.authorizer import Authorize
from progress_sse.auth.grants import Action
from progress_sse.settings import load_settings
from tests.api.conftest import client_of
from tests.api.problems import assert_problem

Call = tuple[str, Action, str | None]


def application_with(authorize: Authorize) -> Any:
    app = create_app(load_settings(store="memory://", read="token"), authorize=authorize)
    return app, client_of(app, raise_app_exceptions=False)


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_function_replaces_all_tokens(is_async: bool) -> None:
    """It gets the action and the session, needs no key, and its decision is final."""
    calls: list[Call] = []

    def decide(request: Request, action: Action, session_id: str | None) -> bool:
        calls.append((request.method, action, session_id))
        return request.headers.get("x-user") == "alice" and session_id in ("a", "b", None)

    async def decide_later(request: Request, action: Action, session_id: str | None) -> bool:
        return decide(request, action, session_id)

    app, client = application_with(decide_later if is_async else decide)
    alice = {"x-user": "alice"}
    async with app.router.lifespan_context(app), client:
        assert (await client.put("/api/progress/a", json={}, headers=alice)).status_code == 201
        assert (await client.get("/api/progress/a", headers=alice)).status_code == 200
        for path in ("/api/progress", "/metrics", "/api/hooks"):
            assert (await client.get(path, headers=alice)).status_code == 200
        asked = await client.post("/api/progress/a/requests", json={"kind": "cancel"}, headers=alice)
        assert asked.status_code == 409
        assert (await client.head("/api/events?session_id=a&session_id=b", headers=alice)).status_code == 200
        assert calls == [
            ("PUT", "publish", "a"),
            ("GET", "read", "a"),
            ("GET", "list", None),
            ("GET", "list", None),
            ("GET", "admin", None),
            ("POST", "control", "a"),
            ("HEAD", "read", "a"),
            ("HEAD", "read", "b"),
        ]
        refused = await client.get("/api/events?session_id=a&session_id=c", headers=alice)
        assert_problem(refused, 403, "forbidden")
        assert_problem(await client.get("/api/progress/a"), 403, "forbidden")
        assert_problem(await client.post("/api/progress/a/requests"), 403, "forbidden")
        assert_problem(await client.delete("/api/progress/a"), 403, "forbidden")
        for path in ("/api/tickets", "/api/cookie"):
            assert_problem(await client.post(path, headers=alice), 404, "not-found")


async def test_a_function_that_fails_allows_nothing() -> None:
    """500, without the text of its exception."""

    def fail(_request: Request, _action: Action, _session_id: str | None) -> bool:
        raise LookupError("canary")

    app, client = application_with(fail)
    async with app.router.lifespan_context(app), client:
        assert_problem(await client.get("/api/progress/a"), 500, "internal-error")


async def test_a_function_is_not_open_access(caplog: pytest.LogCaptureFixture) -> None:
    """Even if it allows every request."""
    app, client = application_with(lambda *_: True)
    async with app.router.lifespan_context(app), client:
        client.base_url = "http://192.0.2.1"
        assert (await client.get("/api/progress/a")).status_code == 200
    assert not caplog.records
