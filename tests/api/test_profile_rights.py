"""Rights to profiles: who may create sessions with one, read what was learned, and forget it."""

from typing import Any

import httpx
import pytest
from starlette.requests import Request

from progress_sse import create_app
from progress_sse.auth.grants import Action
from progress_sse.settings import load_settings
from tests.api.conftest import Connect, client_of
from tests.api.problems import assert_problem
from tests.api.profile_runs import LEARNED, Runs, nightly
from tests.clock import ManualClock
from tests.harness.tokens import KEY, PUBLISH_TOKEN, bearer, make_token

NO_END = 4_000_000_000
"""The end of tokens, by a clock that stands in 2026."""


@pytest.mark.protocol("P-23.22")
async def test_creating_with_a_profile_needs_the_right_to_publish_to_it(closed: httpx.AsyncClient) -> None:
    """As if it were a session id; of another profile the refusal reveals nothing, and nothing is created."""
    worker = bearer(make_token(sessions=["new", "mine"], actions=["publish"]))
    for profile in ("a", "missing"):
        refused = await closed.put("/api/progress/new", json={"profile": profile}, headers=worker)
        assert_problem(refused, 403, "forbidden")
    assert (await closed.get("/api/progress/new", headers=bearer(PUBLISH_TOKEN))).json()["status"] == "not_found"
    created = await closed.put("/api/progress/new", json={"profile": "mine"}, headers=worker)
    assert created.status_code == 201
    anywhere = bearer(make_token(prefixes=[""], actions=["publish"]))
    created = await closed.post("/api/progress", json={"profile": "a"}, headers=anywhere)
    assert created.status_code == 201


@pytest.mark.protocol("P-23.23", "P-23.26")
async def test_a_workflow_is_a_profile_for_those_who_may_use_it(connect: Connect) -> None:
    """All others create their sessions as ever, and see the steps as ever."""
    clock = ManualClock()
    team = bearer(make_token(prefixes=["run-"], actions=["read", "publish"], exp=NO_END))
    own = bearer(make_token(prefixes=["run-", "default"], actions=["read", "publish"], exp=NO_END))
    async with connect(clock=clock, read="token", token_key=KEY, publish_token=PUBLISH_TOKEN) as client:
        workflow: dict[str, Any] = {"workflow": "default"}
        await Runs(client, clock, **team).run(*[1] * 7, count=5, **workflow)
        assert (await client.get("/api/steps?profile=default", headers=own)).json()["runs"] == 0
        plain = (await client.get("/api/steps?workflow=default", headers=own)).content
        for session_id in range(1, 6):
            await client.delete(f"/api/progress/run-{session_id}", headers=own)
        await Runs(client, clock, **own).run(*[1] * 7, count=5, **workflow)
        assert (await client.get("/api/steps?profile=default", headers=own)).json()["runs"] == 5
        assert "learned" in (await client.get("/api/steps?workflow=default", headers=own)).text
        for headers in ({}, team, bearer("no-token")):
            shown = await client.get("/api/steps?workflow=default", headers=headers)
            assert (shown.status_code, shown.content) == (200, plain)


@pytest.mark.protocol("P-23.34")
async def test_who_reads_a_session_reads_what_was_learned_of_its_steps(connect: Connect) -> None:
    """Without a right to its profile; but not those of another session, and not by the right to publish."""
    clock = ManualClock()
    worker = bearer(make_token(prefixes=["run-", "nightly"], actions=["read", "publish"], exp=NO_END))
    reader = bearer(make_token(sessions=["run-6"], exp=NO_END))
    blind = bearer(make_token(sessions=["run-6"], actions=["publish", "list", "control"], exp=NO_END))
    async with connect(clock=clock, read="token", token_key=KEY, publish_token=PUBLISH_TOKEN) as client:
        await Runs(client, clock, **worker).run(60, count=6, **nightly("Import"))
        assert (await client.get(LEARNED, headers=reader)).status_code == 403
        shown = await client.get("/api/progress/run-6/steps", headers=reader)
        assert [each["learned"]["runs"] for each in shown.json()["steps"]] == [6]
        for session_id, token in (("run-5", reader), ("run-6", blind)):
            refused = await client.get(f"/api/progress/{session_id}/steps", headers=token)
            assert_problem(refused, 403, "forbidden")


@pytest.mark.protocol("P-23.26", "P-23.28")
@pytest.mark.parametrize(
    ("claims", "may_read", "may_forget"),
    [
        ({"sessions": ["nightly"]}, True, False),
        ({"sessions": ["nightly"], "actions": ["publish"]}, False, False),
        ({"prefixes": ["night"], "actions": ["read", "publish", "list", "control"]}, True, False),
        ({"prefixes": [""], "actions": ["list", "control"]}, False, False),
        ({"prefixes": [""], "actions": ["publish"]}, False, True),
    ],
)
async def test_a_profile_is_read_and_forgotten_by_those_with_the_right(
    closed: httpx.AsyncClient, claims: dict[str, Any], may_read: bool, may_forget: bool
) -> None:
    """To read needs the right to that profile, to forget the right to publish to all sessions."""
    headers = bearer(make_token(**claims))
    read = await closed.get(LEARNED, headers=headers)
    assert read.status_code == (200 if may_read else 403)
    forgotten = await closed.delete("/api/steps/nightly/learned", headers=headers)
    assert forgotten.status_code == (204 if may_forget else 403)


async def test_a_function_is_asked_about_profiles() -> None:
    """With the profile as if it were a session, and without a session where something is forgotten."""
    calls: list[tuple[str, Action, str | None]] = []

    def decide(request: Request, action: Action, session_id: str | None) -> bool:
        calls.append((request.method, action, session_id))
        return session_id != "default"

    app = create_app(load_settings(store="memory://"), authorize=decide)
    async with app.router.lifespan_context(app), client_of(app) as client:
        assert (await client.put("/api/progress/a", json={"profile": "p"})).status_code == 201
        assert (await client.put("/api/progress/b", json={"workflow": "default"})).status_code == 201
        assert (await client.get("/api/steps?workflow=default")).status_code == 200
        assert (await client.delete("/api/steps/p/learned")).status_code == 204
    assert calls == [
        ("PUT", "publish", "a"),
        ("PUT", "publish", "p"),
        ("PUT", "publish", "b"),
        ("PUT", "publish", "default"),
        ("GET", "read", "default"),
        ("DELETE", "publish", None),
    ]


async def test_a_function_that_knows_sessions_alone_refuses_no_workflow() -> None:
    """It fails for the name of one: the session is created, and the steps are shown, as ever."""
    sessions = {"a": True}
    app = create_app(load_settings(store="memory://"), authorize=lambda _, __, session_id: sessions[str(session_id)])
    async with app.router.lifespan_context(app), client_of(app) as client:
        assert (await client.put("/api/progress/a", json={"workflow": "default"})).status_code == 201
        assert (await client.get("/api/steps?workflow=default")).status_code == 200


async def test_a_right_that_is_lacking_refuses_nothing(connect: Connect) -> None:
    """Not by a rate either: workers and pages go on as before there was any learning."""
    async with connect(
        publish_rate="6/hour", read_rate="3/hour", read="token", token_key=KEY, publish_token=PUBLISH_TOKEN
    ) as client:
        for name in ("left", "right"):
            worker = bearer(make_token(prefixes=[name], actions=["publish"]))
            for number in range(5):
                path = f"/api/progress/{name}-{number}"
                assert (await client.put(path, json={"workflow": "default"}, headers=worker)).status_code == 201
        for _ in range(5):
            assert (await client.get("/api/steps?workflow=default")).status_code == 200


async def test_what_a_request_never_asked_for_uses_up_no_rate() -> None:
    """Of a caller known by its address alone: each creation counts once, and reading what is asked not at all."""
    app = create_app(
        load_settings(store="memory://", publish_rate="3/hour"),
        authorize=lambda _, action, session_id: session_id != "default" and (action, session_id) != ("control", "b"),
    )
    async with app.router.lifespan_context(app), client_of(app) as client:
        creation = {"workflow": "default", "accepts": ["cancel"]}
        statuses = [(await client.put(f"/api/progress/{name}", json=creation)).status_code for name in "abcd"]
        assert statuses == [201, 201, 201, 429]
        for _ in range(5):
            assert (await client.get("/api/progress/b/requests")).headers["allow"] == "GET, HEAD"
        asked = [await client.post("/api/progress/a/requests", json={"kind": "cancel"}) for _ in range(4)]
        assert 429 not in [each.status_code for each in asked[:3]]
        assert asked[3].status_code == 429
