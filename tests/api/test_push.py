"""The endpoints of push: who may subscribe, to what, and what is refused."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from progress_sse import ProgressService, create_app
from progress_sse.core.commands import Subscribe
from progress_sse.core.errors import StoreUnavailableError
from progress_sse.core.subscriptions import Subscription
from progress_sse.notices import push
from progress_sse.notices.web_push import PushKey, base64url
from progress_sse.settings import load_settings
from progress_sse.store.types import Record
from tests.api.conftest import PUBLISH_TOKEN, client_of, issue_ticket
from tests.api.problems import assert_problem
from tests.harness.described import check_answer
from tests.harness.tokens import CLOSED, bearer, make_token
from tests.notices.test_push import ENDPOINT
from tests.notices.test_web_push import Browser

BROWSER = Browser.new()
BODY: dict[str, Any] = {
    "endpoint": ENDPOINT,
    "keys": {"p256dh": BROWSER.p256dh, "auth": base64url(BROWSER.auth)},
    "language": "ja",
}
PATH = "/api/progress/s/push"


async def connect(folder: Path, **given: Any) -> AsyncIterator[tuple[httpx.AsyncClient, ProgressService]]:
    (folder / "key.pem").write_bytes(PushKey.generate())
    own = {"push": True, "push_contact": "mailto:ops@example.org", "push_key_file": folder / "key.pem"}
    settings = load_settings(store="memory://", **{**own, **given})
    service = ProgressService(settings)
    app = create_app(settings, service=service)
    async with app.router.lifespan_context(app), client_of(app) as client:
        client.event_hooks = {"response": [_check]}
        yield client, service


async def _check(response: httpx.Response) -> None:
    await response.aread()
    check_answer(response.request.method, response.request.url.path, response)
    assert "secret" not in response.text


@pytest.fixture
async def serving(tmp_path: Path) -> AsyncIterator[tuple[httpx.AsyncClient, ProgressService]]:
    """A server that is open, and its session of one step."""
    async for client, service in connect(tmp_path):
        await service.store.create_session("s", total_steps=1)
        yield client, service


@pytest.fixture
def client(serving: tuple[httpx.AsyncClient, ProgressService]) -> httpx.AsyncClient:
    return serving[0]


async def test_a_browser_subscribes_and_ends_that(serving: tuple[httpx.AsyncClient, ProgressService]) -> None:
    """The same again has the same id; no other answer shows it."""
    client, service = serving
    await service.store.start_step("s", 1)
    assert len((await client.get("/api/push")).json()["key"]) == 87
    first = await client.put(PATH, json=BODY)
    again = await client.put(PATH, json=BODY)
    assert (first.status_code, first.json()) == (200, again.json())
    found = f"{PATH}/{first.json()['id']}"
    assert (await client.get(found)).status_code == 204
    for path in ("/api/progress/s", "/api/progress", "/api/progress/s/requests"):
        assert "push" not in (await client.get(path)).text
    assert (await client.delete(found)).status_code == 204
    assert (await client.delete(found)).status_code == 204
    assert_problem(await client.get(found), 404, "session-not-found")


@pytest.mark.parametrize(
    "change",
    [
        {"endpoint": "https://example.org/"},
        {"endpoint": "http://fcm.googleapis.com/"},
        {"endpoint": "https://.fcm.googleapis.com/x"},
        {"endpoint": "https://fcm.googleapis.com:8443/x"},
        {"endpoint": ENDPOINT + "x" * 2048},
        {"endpoint": None},
        {"keys": {}},
        {"keys": BODY["keys"] | {"p256dh": "AAAA"}},
        {"keys": BODY["keys"] | {"p256dh": base64url(b"\4" + b"\1" * 64)}},
        {"keys": BODY["keys"] | {"auth": base64url(b"x" * 15)}},
        {"language": "x" * 36},
        {"language": "ja\0"},
        {"language": "<script> x"},
        {"language": "ja_JP"},
        {"keys": BODY["keys"] | {"p256dh": f"!{BROWSER.p256dh[:-1]}"}},
    ],
)
async def test_what_is_no_subscription(client: httpx.AsyncClient, change: dict[str, Any]) -> None:
    assert_problem(await client.put(PATH, json=BODY | change), 422, "invalid-request")


async def test_what_is_refused(serving: tuple[httpx.AsyncClient, ProgressService]) -> None:
    """A session that is missing or over, and the sixth browser of one reader."""
    client, service = serving
    assert_problem(await client.put("/api/progress/missing/push", json=BODY), 404, "session-not-found")
    for number in range(5):
        assert (await client.put(PATH, json=BODY | {"endpoint": f"{ENDPOINT}{number}"})).status_code == 200
    assert_problem(await client.put(PATH, json=BODY), 409, "too-many-subscriptions")
    await service.store.finish_session("s")
    assert_problem(await client.put(PATH, json=BODY), 409, "request-out-of-time")


async def test_a_server_takes_so_many(
    serving: tuple[httpx.AsyncClient, ProgressService], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that ended make room, also with their session."""
    monkeypatch.setattr(push, "MAX_SUBSCRIPTIONS", 3)
    client, service = serving
    await service.store.create_session("t", total_steps=1)
    paths = [PATH, "/api/progress/t/push"]
    ids = []
    for path, endpoint in zip([*paths, PATH], (ENDPOINT, ENDPOINT, f"{ENDPOINT}2"), strict=True):
        answer = await client.put(path, json=BODY | {"endpoint": endpoint})
        ids.append(answer.json()["id"])
    one_more = BODY | {"endpoint": f"{ENDPOINT}3"}
    for _ in range(2):
        assert_problem(await client.put(PATH, json=one_more), 507, "store-full")
    await client.delete(f"{PATH}/{ids[0]}")
    assert (await client.put(PATH, json=one_more)).status_code == 200
    assert_problem(await client.put(paths[1], json=one_more), 507, "store-full")
    await service.store.delete_session("s")
    assert service.notifier is not None
    assert service.notifier.push is not None
    assert "s" not in service.notifier.push._subscribed  # noqa: SLF001 - its id leaves the memory at once
    assert (await client.put(paths[1], json=one_more)).status_code == 200


async def test_a_damaged_session_hinders_no_other(
    serving: tuple[httpx.AsyncClient, ProgressService], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that have subscribers are counted again and again."""
    client, service = serving
    await service.store.create_session("t", total_steps=1)
    assert (await client.put(PATH, json=BODY)).status_code == 200
    load = service.store.load

    async def load_others(session_id: str) -> Record | None:
        if session_id == "s":
            raise StoreUnavailableError
        return await load(session_id)

    monkeypatch.setattr(service.store, "load", load_others)
    assert (await client.put("/api/progress/t/push", json=BODY)).status_code == 200


async def test_a_session_has_so_many(tmp_path: Path) -> None:
    """Twenty, of four readers."""
    async for client, service in connect(tmp_path, **CLOSED):
        await service.store.create_session("s", total_steps=1)
        for number in range(21):
            reader = bearer(make_token(sessions=["s"], sub=f"reader {number // 5}"))
            answer = await client.put(PATH, json=BODY | {"endpoint": f"{ENDPOINT}{number}"}, headers=reader)
            assert (answer.status_code == 200) == (number < 20)
        assert_problem(answer, 409, "too-many-subscriptions")


async def test_it_ends_with_the_right_to_read(serving: tuple[httpx.AsyncClient, ProgressService]) -> None:
    client, service = serving
    past = service.clock.now().timestamp() - 1
    expired = Subscription("id", ENDPOINT, BROWSER.p256dh, "", expires_at=past)
    await service.store.apply("s", Subscribe(expired._replace(expires_at=past + 60)))
    assert (await client.get(f"{PATH}/id")).status_code == 204
    await service.store.apply("s", Subscribe(expired))
    assert_problem(await client.get(f"{PATH}/id"), 404, "session-not-found")


async def test_other_pages_cannot_subscribe_a_reader(tmp_path: Path) -> None:
    """The reader's cookie counts on pages of this server alone."""
    token = make_token(sessions=["s"])
    async for client, service in connect(tmp_path, **CLOSED):
        await service.store.create_session("s", total_steps=1)
        for site, status in (("cross-site", 403), ("same-origin", 200)):
            headers = {"Cookie": f"progress_sse={token}", "Sec-Fetch-Site": site}
            assert (await client.put(PATH, json=BODY, headers=headers)).status_code == status
        record = await service.store.load("s")
        assert record is not None
        [subscription] = record.session.details.subscriptions
        path = f"{PATH}/{subscription.id}"
        for site, status in (("cross-site", 403), ("same-origin", 204)):
            headers = {"Cookie": f"progress_sse={token}", "Sec-Fetch-Site": site}
            assert (await client.delete(path, headers=headers)).status_code == status


async def test_no_answer_has_an_endpoint(serving: tuple[httpx.AsyncClient, ProgressService]) -> None:
    """Nor have metrics, nor streams."""
    client, service = serving
    await client.put(PATH, json=BODY)
    await service.store.finish_session("s")
    shown = [(await client.get(path)).text for path in ("/metrics", "/api/progress?label=a:b", "/api/progress/s")]
    events = await client.get("/api/progress/s/events")
    for text in (*shown, events.text):
        assert text
        assert not [each for each in ("fcm.googleapis.com/", BROWSER.p256dh, base64url(BROWSER.auth)) if each in text]


async def test_where_push_is_off(tmp_path: Path) -> None:
    async for client, _ in connect(tmp_path, push=False):
        for method, path in (("GET", "/api/push"), ("PUT", PATH), ("GET", f"{PATH}/x"), ("DELETE", f"{PATH}/x")):
            assert_problem(await client.request(method, path, json=BODY), 404, "not-found")


async def test_who_may_subscribe(tmp_path: Path) -> None:
    """Who may read, for as long; by a token or a cookie, and not by a ticket."""
    reader = make_token(sessions=["s"], actions=["read"])
    async for client, service in connect(tmp_path, **CLOSED):
        await service.store.create_session("s", total_steps=1)
        assert_problem(await client.put(PATH, json=BODY), 401, "unauthorized")
        assert_problem(await client.put(PATH, json=BODY, headers=bearer(make_token(sessions=["t"]))), 403, "forbidden")
        ticket = await issue_ticket(client, PUBLISH_TOKEN)
        assert_problem(await client.put(PATH, json=BODY, params={"ticket": ticket}), 401, "unauthorized")
        elsewhere = bearer(make_token(sessions=["t"]))
        for method in ("GET", "DELETE"):
            assert_problem(await client.request(method, f"{PATH}/x", params={"ticket": ticket}), 401, "unauthorized")
            assert_problem(await client.request(method, f"{PATH}/x", headers=elsewhere), 403, "forbidden")
        assert (await client.put(PATH, json=BODY, headers=bearer(reader))).status_code == 200
        link = {"Cookie": f"progress_sse_link={reader}", "Sec-Fetch-Site": "same-origin"}
        other = BODY | {"endpoint": f"{ENDPOINT}2"}
        assert (await client.put(PATH, json=other, params={"link": "1"}, headers=link)).status_code == 200
        record = await service.store.load("s")
        assert record is not None
        subscriptions = record.session.details.subscriptions
        assert [each.by_link for each in subscriptions] == [False, True]
        assert all(each.expires_at for each in subscriptions)
