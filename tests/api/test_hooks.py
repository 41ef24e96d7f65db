"""The endpoints of hooks: who may use them, what they show and what never, and how often."""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from hashlib import sha256
from hmac import digest
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import pytest

from progress_sse import ProgressService, create_app
from progress_sse.notices.notifier import COMMANDS_PER_MINUTE
from progress_sse.notices.sender import HookSender
from progress_sse.settings import load_settings
from progress_sse.store.outbox import Notice
from tests.api.conftest import PUBLISH_TOKEN, Connect, client_of, issue_ticket
from tests.api.problems import assert_problem
from tests.clock import ManualClock
from tests.harness.described import check_answer
from tests.harness.http1 import HOST
from tests.harness.metrics import parse_metrics
from tests.harness.tokens import KEY, bearer, make_token
from tests.notices.test_delivery import receiving

SECRET = f"whsec_{b64encode(b'k' * 24).decode()}"
ADMIN = make_token(prefixes=[""], actions=["admin"])
OTHERS = ["read", "publish", "list", "control"]
PATHS = [("GET", "/api/hooks"), ("POST", "/api/hooks/oncall/test"), ("POST", "/api/hooks/oncall/retry")]
SESSION = "/api/progress/s"

Serving: TypeAlias = Callable[..., AbstractAsyncContextManager[tuple[httpx.AsyncClient, ProgressService]]]


@asynccontextmanager
async def serving_hooks(
    folder: Path, port: int, **given: Any
) -> AsyncIterator[tuple[httpx.AsyncClient, ProgressService]]:
    """A server with the hook `oncall` at this port, its client, and its parts; the clock is in the hands of a test."""
    (folder / "hooks.toml").write_text(f"""
        [hooks.oncall]
        url = "http://{HOST}:{port}/canary-path?key=canary-query"
        secret = "{SECRET}"
        headers = {{ Authorization = "canary-header" }}
        on = ["started", "completed"]
        """)
    settings = load_settings(store="memory://", hooks=folder / "hooks.toml", **given)
    service = ProgressService(settings, clock=ManualClock())
    app = create_app(settings, service=service)
    async with app.router.lifespan_context(app), client_of(app, raise_app_exceptions=False) as client:
        client.event_hooks = {"response": [_check]}
        yield client, service


def senders_of(service: ProgressService) -> Mapping[str, HookSender]:
    assert service.notifier is not None
    return service.notifier.senders


async def _check(response: httpx.Response) -> None:
    """What is answered is described, and shows nothing of the address but its origin."""
    await response.aread()
    check_answer(response.request.method, response.request.url.path, response)
    assert not [each for each in ("canary", SECRET) if each in response.text]


@pytest.fixture
def serving(tmp_path: Path) -> Serving:
    return partial(serving_hooks, tmp_path)


async def hook_of(client: httpx.AsyncClient, **headers: str) -> dict[str, Any]:
    response = await client.get("/api/hooks", headers=headers)
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "no-store"
    [hook] = response.json()["hooks"]
    assert isinstance(hook, dict)
    return hook


async def wait_until(is_met: Callable[[], bool]) -> None:
    """Let the sender of the hook work until that is so."""
    until = asyncio.get_running_loop().time() + 30
    while not is_met():
        assert asyncio.get_running_loop().time() < until
        await asyncio.sleep(0)


def answer_of(status: int, body: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


@pytest.mark.protocol("P-27.3")
async def test_a_hook_is_listed_with_its_tries(serving: Serving) -> None:
    """The newest first, those that failed with their reason; what waits is counted in the store."""
    async with receiving(answer_of(500)) as stub, serving(stub.port) as (client, service):
        before = await hook_of(client)
        assert before == {
            "name": "oncall",
            "origin": f"http://{HOST}:{stub.port}",
            "state": "up",
            "waiting": 0,
            "dead": 0,
            "delivered": 0,
            "failed": 0,
            "last_success": None,
            "tries": [],
        }
        sender = senders_of(service)["oncall"]
        await client.put(SESSION, json={"total_steps": 1})
        await client.post(f"{SESSION}/update", json={"action": "start", "step": 1})
        await wait_until(lambda: sender.results["failed"] == 1)
        await client.post(f"{SESSION}/update", json={"action": "complete", "step": 1})
        failed = await hook_of(client)
        assert (failed["waiting"], failed["failed"], failed["last_success"]) == (2, 1, None)
        [tried] = failed["tries"]
        assert tried == {"at": tried["at"], "id": tried["id"], "status": 500, "duration_ms": tried["duration_ms"]}
        stub.pieces = (answer_of(204),)
        clock = service.clock
        assert isinstance(clock, ManualClock)
        clock.advance(7)
        await wait_until(lambda: sender.results["delivered"] == 2)
        done = await hook_of(client)
        assert (done["waiting"], done["delivered"], done["failed"]) == (0, 2, 1)
        assert [each["status"] for each in done["tries"]] == [204, 204, 500]
        assert done["tries"][2]["id"] == done["tries"][1]["id"] != done["tries"][0]["id"]
        assert done["last_success"] == done["tries"][0]["at"] > tried["at"]


async def test_a_reload_keeps_what_was_counted(serving: Serving) -> None:
    """For the hook of the same name."""
    async with receiving(answer_of(204)) as stub, serving(stub.port) as (client, service):
        await client.put(SESSION, json={"total_steps": 1})
        await client.post(f"{SESSION}/update", json={"action": "start", "step": 1})
        await wait_until(lambda: senders_of(service)["oncall"].results["delivered"] == 1)
        before = await hook_of(client)
        await service.reload_hooks()
        assert await hook_of(client) == before


async def test_a_reload_cuts_off_no_test(serving: Serving) -> None:
    """The operator reads what the receiver said, and not that it failed."""
    async with receiving(0.5, answer_of(200, b"thanks")) as stub, serving(stub.port) as (client, service):
        testing = asyncio.create_task(client.post("/api/hooks/oncall/test", json={}))
        await wait_until(lambda: bool(stub.requests))
        await service.reload_hooks()
        assert (await testing).json()["body"] == "thanks"


async def test_what_waits_goes_to_the_address_of_the_file(serving: Serving, tmp_path: Path) -> None:
    """As it is at the try, and signed with its secret."""
    async with (
        receiving(answer_of(500)) as former,
        receiving(answer_of(204)) as stub,
        serving(former.port) as (client, service),
    ):
        await client.put(SESSION, json={"total_steps": 1})
        await client.post(f"{SESSION}/update", json={"action": "start", "step": 1})
        await wait_until(lambda: senders_of(service)["oncall"].results["failed"] == 1)
        path, secret = tmp_path / "hooks.toml", f"whsec_{b64encode(b'o' * 24).decode()}"
        text = path.read_text().replace(f":{former.port}/", f":{stub.port}/").replace(SECRET, secret)
        await asyncio.to_thread(path.write_text, text)
        await service.reload_hooks()
        clock = service.clock
        assert isinstance(clock, ManualClock)
        clock.advance(7)
        await wait_until(lambda: senders_of(service)["oncall"].results["delivered"] == 1)
    assert (len(former.requests), len(stub.requests)) == (1, 1)
    body = stub.requests[0].partition(b"\r\n\r\n")[2]
    assert body == former.requests[0].partition(b"\r\n\r\n")[2]
    assert "page" not in json.loads(body)["data"]  # Without `public_url`; the host of a request does not stand for it.
    signed = f"{stub.head['webhook-id']}.{stub.head['webhook-timestamp']}.".encode() + body
    assert stub.head["webhook-signature"] == f"v1,{b64encode(digest(b'o' * 24, signed, sha256)).decode()}"


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (answer_of(200, b"thanks"), {"status": 200, "body": "thanks"}),
        (answer_of(404, "é".encode() * 2000), {"status": 404, "body": "é" * 1024}),
        (answer_of(302, b"\xff"), {"status": 302, "body": "\ufffd"}),
        (b"", {"error": "RemoteProtocolError", "body": ""}),
    ],
)
async def test_a_test_sends_one_signed_request(serving: Serving, answer: bytes, shown: dict[str, Any]) -> None:
    """Of its own type, under an id of its own; it is no notice, and counts nowhere."""
    async with receiving(answer) as stub, serving(stub.port) as (client, _):
        before = await hook_of(client)
        for _ in range(2):
            response = await client.post("/api/hooks/oncall/test", json={})
            assert response.status_code == 200
            assert response.json() == shown | {"duration_ms": response.json()["duration_ms"]}
        assert await hook_of(client) == before
    one, two = [request.partition(b"\r\n\r\n") for request in stub.requests]
    body = json.loads(one[2])
    assert (list(body), body["type"]) == (["type", "timestamp", "data"], "session.test")
    assert stub.head["webhook-id"].startswith("msg_")
    assert stub.head["webhook-signature"].startswith("v1,")
    assert stub.head["webhook-id"].encode() not in two[0]


@pytest.mark.parametrize(("body", "retried"), [({}, 3), ({"id": None}, 3), ({"id": "msg_1"}, 1), ({"id": "msg_9"}, 0)])
async def test_dead_notices_are_retried(serving: Serving, body: dict[str, Any], retried: int) -> None:
    """All of them, or one; they are sent at once."""
    async with receiving(answer_of(204)) as stub, serving(stub.port) as (client, service):
        await bury(service, 3)
        assert (await hook_of(client))["dead"] == 3
        response = await client.post("/api/hooks/oncall/retry", json=body)
        assert (response.status_code, response.json()) == (200, {"retried": retried})
        await wait_until(lambda: senders_of(service)["oncall"].results["delivered"] == retried)
        after = await hook_of(client)
        assert (after["waiting"], after["dead"]) == (0, 3 - retried)


async def bury(service: ProgressService, count: int) -> None:
    """Let the hook have so many dead notices, `msg_0` and on."""
    outbox: Any = service.store.backend.outbox
    now_ms = senders_of(service)["oncall"].now_ms
    outbox.on_commit(Notice(f"msg_{number}", "oncall", f"{number}", now_ms, b"{}") for number in range(count))
    for taken in await outbox.take("oncall", now_ms, count):
        await outbox.settle(taken, "dead", now_ms)


@pytest.mark.protocol("P-27.5")
async def test_ten_commands_a_minute(serving: Serving) -> None:
    """Of all hooks together, tests and retries alike; refused ones do not count, and lists have no such bound."""
    async with receiving(answer_of(204)) as stub, serving(stub.port) as (client, service):
        clock = service.clock
        assert isinstance(clock, ManualClock)
        for number in range(COMMANDS_PER_MINUTE):
            assert_problem(await client.post("/api/hooks/other/test", json={}), 404, "hook-not-found")
            assert_problem(await client.post(PATHS[1][1], json=[]), 422, "invalid-request")
            assert (await client.post(PATHS[1 + number % 2][1], json={})).status_code == 200
        clock.advance(20)
        for method, path in PATHS[1:]:
            response = await client.request(method, path, json={})
            assert_problem(response, 429, "rate-exceeded")
            assert response.headers["retry-after"] == "40"
        await hook_of(client)
        clock.advance(40)
        assert (await client.post(PATHS[1][1], json={})).status_code == 200
        assert len(stub.requests) == COMMANDS_PER_MINUTE // 2 + 1


@pytest.mark.protocol("P-27.1")
@pytest.mark.parametrize(
    ("token", "status"),
    [
        (PUBLISH_TOKEN, 200),
        (ADMIN, 200),
        (make_token(prefixes=["s"], actions=["admin"]), 403),
        (make_token(sessions=["s", "oncall"], actions=["admin"]), 403),
        (make_token(prefixes=[""], actions=OTHERS), 403),
    ],
)
async def test_who_may_use_hooks(serving: Serving, token: str, status: int) -> None:
    """A right to all sessions is needed, and no other action implies it; nor does it imply another."""
    keys: Any = {"publish_token": PUBLISH_TOKEN, "token_key": KEY, "read": "token"}
    async with receiving(answer_of(204)) as stub, serving(stub.port, **keys) as (client, _):
        for method, path in PATHS:
            response = await client.request(method, path, json={}, headers=bearer(token))
            assert response.status_code == status
            assert_problem(await client.request(method, path, json={}), 401, "unauthorized")
        for path in ("/api/progress", SESSION, "/metrics"):
            assert_problem(await client.get(path, headers=bearer(ADMIN)), 403, "forbidden")


@pytest.mark.protocol("P-27.2")
async def test_the_right_comes_in_a_header_alone(serving: Serving) -> None:
    """No cookie of a visitor or of a link bears it, and no ticket, whatever their token allows."""
    everything = make_token(prefixes=[""], actions=["admin", *OTHERS])
    same_origin = {"sec-fetch-site": "same-origin"}
    async with serving(1, publish_token=PUBLISH_TOKEN, token_key=KEY) as (client, _):
        for method, path in PATHS:
            for name in ("progress_sse", "progress_sse_link", "__Secure-progress_sse_link"):
                for query in ("", "?link=1"):
                    headers = {"cookie": f"{name}={everything}", **same_origin}
                    response = await client.request(method, path + query, json={}, headers=headers)
                    assert_problem(response, 401, "unauthorized")
            ticket = await issue_ticket(client, everything)
            response = await client.request(method, f"{path}?ticket={ticket}", json={})
            assert_problem(response, 401, "unauthorized")


@pytest.mark.parametrize(
    ("given", "status"), [({}, 200), ({"publish_token": PUBLISH_TOKEN}, 401), ({"token_key": KEY}, 401)]
)
async def test_it_is_open_where_publishing_is(connect: Connect, given: dict[str, str], status: int) -> None:
    """Without tokens; that reading is open does not matter."""
    async with connect(**given) as client:
        assert (await client.get("/api/hooks")).status_code == status


async def test_a_page_of_another_origin_sends_no_test(serving: Serving) -> None:
    """Where no token is needed: what it may send without leave is no JSON."""
    async with receiving(answer_of(204)) as stub, serving(stub.port) as (client, _):
        for method, path in PATHS[1:]:
            for media_type in ("text/plain", "application/x-www-form-urlencoded"):
                headers = {"content-type": media_type, "origin": "https://elsewhere.example"}
                response = await client.request(method, path, content=b"{}", headers=headers)
                assert_problem(response, 415, "unsupported-media-type")
        assert stub.requests == []


async def test_the_metrics_of_a_hook(serving: Serving) -> None:
    """Each result from 0 on, what waits, and whether it is up."""
    async with receiving(answer_of(500)) as stub, serving(stub.port) as (client, service):
        sender = senders_of(service)["oncall"]
        names = [
            f'hook_notices_total{{hook="oncall",result="{each}"}}' for each in ("delivered", "failed", "dead", "lost")
        ]
        names += ['hook_waiting{hook="oncall"}', 'hook_up{hook="oncall"}']

        async def shown() -> list[float]:
            found = parse_metrics((await client.get("/metrics")).text)
            return [found[f"progress_sse_{name}"] for name in names]

        assert await shown() == [0, 0, 0, 0, 0, 1]
        await client.put(SESSION, json={"total_steps": 1})
        await client.post(f"{SESSION}/update", json={"action": "start", "step": 1})
        await wait_until(lambda: sender.results["failed"] == 1)
        sender.results["dead"] += 1
        service.store.backend.outbox.lost["oncall"] += 2
        sender.is_off = True
        assert await shown() == [0, 1, 1, 2, 1, 0]


async def test_a_server_without_hooks_has_no_metrics_of_them(client: httpx.AsyncClient) -> None:
    assert "hook" not in (await client.get("/metrics")).text
