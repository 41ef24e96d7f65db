"""Deleted data is gone, and a cache never gives one user's data to another."""

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from progress_sse.auth.cookies import COOKIE
from progress_sse.notices.web_push import PushKey, base64url
from tests.conftest import Serve
from tests.harness.faketime import WallClock
from tests.harness.nginx import NginxServer
from tests.harness.rawsse import RawStream
from tests.harness.redis import KINDS, RedisServer
from tests.harness.serving import Worker, events_path, eventually, session_path
from tests.harness.tokens import KEY, bearer, make_token
from tests.live.asgi_hosts import serve_only
from tests.live.notices.receiver import receiving, write_hooks
from tests.notices.test_web_push import Browser

SECRET = "correct-horse-battery-staple"
SESSION = f"{SECRET}-id"
GONE_S = 20
"""A generous deadline for a promise of two seconds, or of two clean-ups."""

probing = pytest.mark.parametrize(
    "factory", [pytest.param("tests.live.embedded:create_with_memory_probe", id="probe")], indirect=True
)
"""For a test that searches the memory of the server."""


# PR-03


async def store_secret(worker: Worker) -> None:
    """Create a session with the secret in each kind of text, in many sizes."""
    await worker.create(SESSION, steps=[{"name": f"{SECRET}-name"}, {"name": "second"}])
    for size in (1, 20, 100, 280):
        await worker.start(SESSION, 1)
        key = f"{SECRET}-key-{size}"
        answer = await worker.update(SESSION, key, action="complete", step=1, message=SECRET * size)
        assert answer.status_code == 200
        await worker.complete(SESSION, 1, success=False, error=SECRET * size)
        lines = [SECRET, {"text": SECRET * size, "level": "error"}]
        answer = await worker.update(SESSION, f"{SECRET}-lines-{size}", action="log", step=1, lines=lines)
        assert answer.status_code == 200


async def repeat_update(worker: Worker) -> None:
    """Repeat an update whose session is gone: its key still gets the first answer."""
    answer = await worker.update(SESSION, f"{SECRET}-key-1", action="complete", step=1, message=SECRET)
    assert answer.status_code == 200, answer.text
    assert (await worker.poll(SESSION))["status"] == "not_found"


async def delete(worker: Worker) -> None:
    await worker.delete(SESSION)


async def replace(worker: Worker) -> None:
    """Replace the session and delete the new one: nothing of the first one may be left."""
    await worker.create(SESSION, replace=True)
    await worker.delete(SESSION)


async def wait_for_clean_up(worker: Worker) -> None:
    while (await worker.poll(SESSION))["status"] != "not_found":  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(0.1)


removals = pytest.mark.parametrize(
    "remove", [delete, *(pytest.param(remove, marks=pytest.mark.full) for remove in (replace, wait_for_clean_up))]
)


def holding_files(folder: Path) -> set[str]:
    """The files of a server that contain the secret."""
    return {path.name for path in folder.iterdir() if SECRET.encode() in path.read_bytes()}


def holding_keys(redis: RedisServer, prefix: str) -> list[bytes]:
    """The keys of a store in Redis that contain the secret, or whose values do."""
    with redis.client() as client:
        dumps = {key: client.dump(key) for key in client.scan_iter(f"{prefix}:*")}
    return [key for key, dump in dumps.items() if isinstance(dump, bytes) and SECRET.encode() in key + dump]


@pytest.mark.guarantee(61)
@serve_only  # The store deletes, whichever host serves.
@removals
async def test_deleted_data_is_gone_from_the_database_and_its_log(
    serve: Serve, remove: Callable[[Worker], Awaitable[None]]
) -> None:
    """PR-03: some seconds later no file contains texts, names, keys or the id, while the server runs on."""
    ages = {"max_age_hours": 1 / 3600, "cleanup_interval_s": 0.5} if remove is wait_for_clean_up else {}
    server = serve(store="sqlite", **ages)
    async with Worker.at(server) as worker:
        others = [] if ages else [f"other-{n}" for n in range(20)]
        for other in others:
            await worker.run(other, 1, message="other " * 300)
        await store_secret(worker)
        for other in others:
            await worker.complete(other, 1, message="another " * 300)
        assert holding_files(server.folder) >= {"progress.db-wal"}
        await remove(worker)
        await eventually(lambda: not holding_files(server.folder), GONE_S)
        await repeat_update(worker)
        assert not holding_files(server.folder)
        for other in others:
            assert (await worker.poll(other))["steps"][0]["message"].startswith("another")


@pytest.mark.guarantee(62)
@serve_only  # As above.
@pytest.mark.parametrize("kind", KINDS)
@removals
async def test_deleted_data_is_gone_from_redis(
    serve: Serve, redis_servers: dict[str, RedisServer], kind: str, remove: Callable[[Worker], Awaitable[None]]
) -> None:
    """PR-03: no key or value of Redis contains a text, a name, a key or the id."""
    ages = {"max_age_hours": 1 / 3600, "cleanup_interval_s": 0.5} if remove is wait_for_clean_up else {}
    server = serve(store=redis_servers[kind].url, redis_prefix=f"privacy-{remove.__name__}", **ages)
    async with Worker.at(server) as worker:
        await store_secret(worker)
        prefix = f"privacy-{remove.__name__}"
        assert holding_keys(redis_servers[kind], prefix)
        await remove(worker)
        assert holding_keys(redis_servers[kind], prefix) == []
        await repeat_update(worker)
        assert holding_keys(redis_servers[kind], prefix) == []
    assert SECRET not in server.log()


@pytest.mark.guarantee(61, 62)
@serve_only  # As above.
@pytest.mark.parametrize("store", ["sqlite", "redis"])
@pytest.mark.parametrize("goes", ["delivered", pytest.param("too old", marks=pytest.mark.full)])
async def test_deleted_data_is_gone_with_the_last_notice(
    serve: Serve, redis_servers: dict[str, RedisServer], tmp_path: Path, store: str, goes: str
) -> None:
    """A notice keeps title, labels, links, error and id until it is delivered, or a week old; then none is left."""
    folder, clock, redis = tmp_path / "store", WallClock(tmp_path), redis_servers["redis"]
    folder.mkdir()
    url = f"sqlite:///{folder}/progress.db" if store == "sqlite" else redis.url

    def is_held() -> bool:
        return bool(holding_files(folder) if store == "sqlite" else holding_keys(redis, str(tmp_path)))

    async with receiving() as receiver:
        receiver.status = 500
        hooks = write_hooks(tmp_path / "hooks.toml", a=receiver.hook())
        command = [sys.executable, "-m", "progress_sse", "serve", "--port", "{port}", "--hooks", str(hooks)]
        command += ["--store", url, "--redis-prefix", str(tmp_path)]
        server = serve(command=clock.command(*command) if goes == "too old" else command)
        texts = {f"{SECRET}-{kind}" for kind in ("title", "label", "link", "error", "id")}
        async with Worker.at(server) as worker:
            labels, links = {"team": f"{SECRET}-label"}, [{"label": "x", "url": f"http://{SECRET}-link/"}]
            await worker.create(SESSION, total_steps=1, title=f"{SECRET}-title", labels=labels, links=links)
            await worker.start(SESSION, 1)
            await worker.complete(SESSION, 1, success=False, error=f"{SECRET}-error")
            await eventually(lambda: len(receiver.received) == 1, GONE_S)
            assert not [text for text in texts if text.encode() not in receiver.received[0].body]
            await worker.delete(SESSION)
        assert is_held()
        if goes == "too old":
            await asyncio.to_thread(server.end)
            clock.shift(timedelta(days=7, minutes=1))
            await asyncio.to_thread(server.start)
        else:
            receiver.status = 204
        await eventually(lambda: not is_held(), GONE_S)
        assert len(receiver.received) == (1 if goes == "too old" else 2)
    assert SECRET not in server.log()


@pytest.mark.full
@pytest.mark.guarantee(63)
@probing
@pytest.mark.parametrize("store", ["redis", "memory://", "sqlite"])
async def test_deleted_data_is_gone_from_the_memory_of_every_server(
    serve: Serve, redis_servers: dict[str, RedisServer], tmp_path: Path, store: str
) -> None:
    """PR-03: no object of a process, in a cache or a queue, contains a text, a name, a key or the id."""
    url = redis_servers["redis"].url if store == "redis" else store
    key = tmp_path / "key.pem"
    key.write_bytes(PushKey.generate())
    push = {"push": True, "push_contact": "mailto:ops@example.org", "push_key_file": key, "push_hosts": "localhost:1"}
    servers = [
        serve(store=url, redis_prefix="privacy-memory", cleanup_interval_s=0.5, **push)
        for _ in range(1 + (store == "redis"))
    ]
    async with Worker.at(servers[0]) as worker, Worker.at(servers[-1]) as other:
        async with await RawStream.open(servers[0].port, events_path(SESSION)) as stream:
            await stream.next_event()
            await store_secret(worker)
            browser = Browser.new()
            keys = {"p256dh": browser.p256dh, "auth": base64url(browser.auth)}
            body = {"endpoint": "https://localhost:1/x", "keys": keys}
            assert (await other.client.put(session_path(SESSION, "push"), json=body)).status_code == 200
            assert await held(worker) > 0
            async with asyncio.timeout(GONE_S):
                while not await held(other):  # The clean-up may come between the poll and this.
                    await other.poll(SESSION)
            await worker.delete(SESSION)
            await stream.wait_until(lambda s: s.events[-1].json().get("status") == "not_found")
        async with asyncio.timeout(GONE_S):
            for each in (worker, other):
                while await held(each):  # noqa: ASYNC110 - as above
                    await asyncio.sleep(0.1)
    assert all(SECRET not in server.log() for server in servers)


async def held(worker: Worker) -> int:
    """The number of objects in a server that contain the secret."""
    count: int = (await worker.client.get(f"/held/{SECRET[::-1]}")).json()
    return count


# PR-04

CACHING = """
    proxy_cache_path cache keys_zone=shared:1m;
    server {{
        listen 80;
        add_header X-Cache $upstream_cache_status always;
        location / {{
            proxy_pass http://127.0.0.1:{port};
            proxy_cache shared;
            proxy_cache_valid any 10m;
            {directives}
        }}
    }}
"""
CAREFUL = ""
CARELESS = "proxy_ignore_headers Cache-Control Expires Set-Cookie;"
"""As in many a recipe: nginx then stores every response, and tells requests apart only by `Vary`."""

READERS = {"mine": "alice", "yours": "bob"}


@pytest.mark.guarantee(44)
@serve_only  # The headers are the application's, whichever host serves.
@pytest.mark.parametrize(
    ("directives", "by"),
    [
        pytest.param(CAREFUL, "header", id="careful"),
        pytest.param(CARELESS, "cookie", id="careless, by cookie"),
        pytest.param(CAREFUL, "cookie", id="careful, by cookie"),
        pytest.param(CARELESS, "header", id="careless"),
    ],
)
@pytest.mark.full
async def test_a_shared_cache_never_shows_one_users_data_to_another(
    serve: Serve, tmp_path: Path, directives: str, by: str
) -> None:
    """PR-04: nginx with a cache never gives one user's poll, 304, list or stream to another."""
    server = serve(store="memory://", read="token", token_key=KEY, publish_token="operator")
    tokens = {user: make_token(sub=user, sessions=[session]) for session, user in READERS.items()}

    def asking(token: str, **more: str) -> dict[str, str]:
        who = bearer(token) if by == "header" or token == "operator" else {"cookie": f"{COOKIE}={token}"}
        return {**who, **more}

    async with Worker.at(server, "operator") as worker:
        for session_id in READERS:
            await worker.run(session_id, 1, message=SECRET)
    with NginxServer(tmp_path / "nginx", CACHING.format(port=server.port, directives=directives)) as nginx:
        async with httpx.AsyncClient(base_url=nginx.url, timeout=10) as client:
            for _ in range(2):
                for mine, user in READERS.items():
                    own = await client.get(session_path(mine), headers=asking(tokens[user]))
                    assert (own.status_code, SECRET in own.text) == (200, True)
                    tag = own.headers["etag"]
                    again = await client.get(session_path(mine), headers=asking(tokens[user], **{"if-none-match": tag}))
                    assert again.status_code in (200, 304)  # A cache may request the whole response.
                    listed = await client.get("/api/progress", headers=asking("operator"))
                    assert [each["session_id"] for each in listed.json()["sessions"]] == list(reversed(READERS))
                    for other in set(READERS.values()) - {user}:
                        for path in (session_path(mine), events_path(mine), "/api/progress"):
                            for conditions in ({}, {"if-none-match": tag}, {"if-none-match": "*"}):
                                answer = await client.get(path, headers=asking(tokens[other], **conditions))
                                assert (answer.status_code, SECRET in answer.text) == (403, False), path
                                answer = await client.get(path, headers=conditions)
                                assert (answer.status_code, SECRET in answer.text) == (401, False), path
                    if directives == CAREFUL:
                        assert {own.headers["x-cache"], again.headers["x-cache"], listed.headers["x-cache"]} == {"MISS"}


@pytest.mark.protocol("P-2.11")
@serve_only  # As above.
async def test_every_response_says_which_caches_may_store_it(serve: Serve) -> None:
    """PR-04: shared caches may store no response about a session, and each response varies with the user."""
    server = serve(store="memory://")
    async with Worker.at(server) as worker:
        answers = [await worker.client.put(session_path("s"), json={"total_steps": 1})]
        answers.append(await worker.update("s", action="start", step=1))
        answers.append(await worker.poll_raw("s"))
        answers.append(await worker.poll_raw("s", **{"if-none-match": answers[-1].headers["etag"]}))
        answers.append(await worker.update("s", action="complete", step=1))
        answers += [await worker.client.get(path) for path in ("/api/progress", "/api/steps", events_path("s"))]
        last = re.findall("^id: (.*)$", answers[-1].text, re.MULTILINE)[-1]
        answers.append(await worker.client.get(events_path("s"), headers={"last-event-id": last}))
        answers += [await worker.client.get(path) for path in ("/readyz", "/livez", "/api/nowhere")]
        answers.append(await worker.client.delete(session_path("s")))
        answers.append(await worker.poll_raw("s"))
        answers.append(await worker.client.delete(session_path("s")))
    statuses = [answer.status_code for answer in answers]
    assert statuses == [201, 200, 200, 304, 200, 200, 200, 200, 204, 200, 200, 404, 204, 200, 404]
    for answer in answers:
        assert answer.headers["cache-control"] in ("no-store", "private, no-cache"), answer.request
        assert {"Authorization", "Cookie"} <= set(answer.headers["vary"].split(", ")), answer.request
