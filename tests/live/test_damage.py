"""Stores that are damaged, foreign, of another version or in use: the server says so, and never starts a new one."""

import asyncio
import contextlib
import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from redis import Redis

from tests.conftest import Serve
from tests.harness.rawsse import RawStream
from tests.harness.redis import Kind, RedisServer
from tests.harness.serving import Server, Worker, events_path, session_path
from tests.live.asgi_hosts import serve_only

pytestmark = serve_only  # The store is damaged, whichever host serves.

PAGE_BYTES = 4096
SECRET = "what the victim says "

CORRUPTED = [f"corrupted-{n}" for n in range(40)]


def execute(database: Path, statement: str) -> None:
    """Change a database as another program would."""
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute(statement)


def make_garbage(database: Path) -> None:
    database.write_bytes(os.urandom(40_000))


@pytest.mark.guarantee(13)
@pytest.mark.full
async def test_a_store_that_cannot_be_used_is_refused(serve: Serve) -> None:
    """FT-16: one sentence, exit code 1, and the file stays as it is; an empty store never takes its place."""
    server = serve(store="sqlite")
    async with Worker.at(server) as worker:
        for session_id in CORRUPTED:
            await worker.start(session_id, 1)
    await asyncio.to_thread(server.terminate)
    server.log_path.unlink()
    make_garbage(server.database)
    before = server.database.read_bytes()
    with pytest.raises(RuntimeError, match=r"exit code 1"):
        await asyncio.to_thread(server.start)
    sentence = "cannot be used: file is not a database"
    assert re.fullmatch(rf"Error: The store {re.escape(str(server.database))} {sentence}[^\n]*\.\n", server.log())
    assert before == server.database.read_bytes()


@pytest.mark.full
@pytest.mark.guarantee(16)
async def test_a_second_process_is_refused_and_the_first_goes_on(serve: Serve) -> None:
    """FT-16: the second process is refused with a reason, and the first is not affected."""
    first = serve(store="sqlite")
    with pytest.raises(RuntimeError, match=r"exit code 1\):\nError: The store .* is in use by another process"):
        await asyncio.to_thread(serve, store=f"sqlite:///{first.database}")
    async with Worker.at(first) as worker:
        await worker.start("s", 1)
        state = await worker.poll("s")
    await asyncio.to_thread(first.terminate)
    await asyncio.to_thread(first.start)
    async with Worker.at(first) as worker:
        assert await worker.poll("s") == state


def pages_with(content: bytes, text: bytes) -> list[int]:
    return [at for at in range(0, len(content), PAGE_BYTES) if text in content[at : at + PAGE_BYTES]]


def overwrite(database: Path, text: bytes, spared: int) -> None:
    """Overwrite all pages that hold a text with noise, except their first bytes, which lead to the next page."""
    noise = b"\xff\xfe" * (PAGE_BYTES // 2)
    pages = pages_with(database.read_bytes(), text)
    assert pages
    with database.open("r+b") as file:
        for at in pages:
            file.seek(at + spared)
            file.write(noise[spared:])


@pytest.mark.guarantee(14)
@pytest.mark.parametrize("spared", [pytest.param(0, marks=pytest.mark.full, id="pages"), pytest.param(4, id="texts")])
@pytest.mark.full
async def test_damage_found_while_running_is_reported(serve: Serve, spared: int) -> None:
    """FT-16: with garbage amid the database, hit sessions get 503 and a line in the log; the others continue."""
    server = serve(store="sqlite", heartbeat_s=0.3)
    async with Worker.at(server) as worker:
        await worker.start("s", 1)
        for session_id in CORRUPTED:
            await worker.run(session_id, 1, message=SECRET * 390)
    await asyncio.to_thread(server.terminate)
    await asyncio.to_thread(server.start)  # With empty caches.
    async with Worker.at(server) as worker, await RawStream.open(server.port, events_path("s")) as stream:
        await stream.next_event()
        overwrite(server.database, SECRET.encode() * 150, spared)  # Pages of these sessions alone.
        polls = [await worker.poll_raw(session_id) for session_id in CORRUPTED]
        assert {poll.status_code for poll in polls} == {503}
        assert {poll.json()["type"] for poll in polls} == {"/problems/store-unavailable"}
        updates = [await worker.update(session_id, action="start", step=2) for session_id in CORRUPTED]
        assert {update.status_code for update in updates} == {503}
        # A reader of such a session stays connected: the session may be repaired, or recreated.
        async with await RawStream.open(server.port, events_path(CORRUPTED[0])) as reader:
            assert (await reader.received_head()).status == 200
            assert (await worker.poll("s"))["status"] == "running"
            await worker.create("new")
            beats = len(stream.comments)
            await stream.wait_until(lambda s: len(s.comments) > beats)
            assert reader.events == []
    log = server.log()
    assert "malformed" in log or "damaged" in log
    assert log.count("Reading the store") <= 5
    assert "Traceback" not in log


FOREIGN_ROWS = {
    "no-list-entry": "UPDATE sessions SET listed = CAST('{\"session_id\":' AS BLOB)",
    "another-list-entry": "UPDATE sessions SET listed = CAST('{\"a\": 1}' AS BLOB)",
    "text-for-bytes": "UPDATE sessions SET listed = '{}'",
    "time-as-bytes": "UPDATE sessions SET created_at = x'ff'",
    "time-as-word": "UPDATE sessions SET updated_at = 'yesterday'",
    "no-utf-8": "UPDATE sessions SET state = CAST(x'ff' AS TEXT)",
    "unknown-state": "UPDATE sessions SET state = 'evil'",
    "no-number": "UPDATE sessions SET current_step = 'many'",
    "epoch-as-bytes": "UPDATE sessions SET epoch = x'ff'",
    "other-definitions": "UPDATE definitions SET data = CAST('[{\"name\": 5}]' AS BLOB)",
    "definitions-as-number": "UPDATE definitions SET data = 5",
    "no-definitions": "DELETE FROM definitions",
    "step-of-another": "UPDATE steps SET data = (SELECT data FROM steps AS other WHERE other.life != steps.life)",
    "step-in-a-fraction": "UPDATE steps SET step = step + 0.5",
    "other-details": "UPDATE steps SET data = CAST('{\"title\": 5}' AS BLOB)",
}
"""Statements that change all rows of a session; a condition is appended."""


def change_session(database: Path, session_id: str, statement: str) -> None:
    """Change the rows of a session as another program would."""
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute(
            f"{statement} WHERE life = (SELECT life FROM sessions WHERE session_id = ?)",  # noqa: S608 - of the table above
            (session_id,),
        )


async def assert_damage_is_contained(server: Server, damaged: Sequence[str], unlisted: Sequence[str]) -> None:
    """Each damaged session gets 503, and lists lack those that they cannot show; the log has a line for each."""
    async with Worker.at(server) as worker:
        for session_id in damaged:
            poll = await worker.poll_raw(session_id)
            assert (session_id, poll.status_code) == (session_id, 503)
            assert (session_id, poll.headers["content-type"]) == (session_id, "application/problem+json")
            update = await worker.update(session_id, action="start", step=2)
            assert (session_id, update.status_code) == (session_id, 503)
        for query, others in (("", {"s"}), ("?status=running", {"s"}), ("?label=a:b", set[str]())):
            listed = (await worker.client.get(f"/api/progress{query}")).json()["sessions"]
            assert {each["session_id"] for each in listed} == others | set(damaged) - set(unlisted)
        page = (await worker.client.get("/api/progress?prefix=s&limit=9")).json()
        assert "s" in [each["session_id"] for each in page["sessions"]]
        assert f"\nprogress_sse_damaged_total {len(damaged)}.0\n" in (await worker.client.get("/metrics")).text
        await worker.complete("s", 1)
        assert (await worker.client.get("/readyz")).status_code == 200
    log = server.log()
    said = re.findall(r"A stored value of '(\S+)' is damaged", log)
    assert len(said) == len(set(said)) >= 10  # The log has no more lines of one kind within a second.
    assert set(said) <= set(damaged)
    assert "Traceback" not in log


@pytest.mark.guarantee(14)
async def test_foreign_rows_harm_no_other_session(serve: Serve) -> None:
    """FT-16: values of another type, no JSON, JSON of another shape, no UTF-8, and rows of another session."""
    server = serve(store="sqlite")
    async with Worker.at(server) as worker:
        await worker.start("s", 1)
        for session_id in FOREIGN_ROWS:
            await worker.create(session_id, labels={"a": "b"})
            await worker.start(session_id, 1)
    await asyncio.to_thread(server.terminate)
    await asyncio.to_thread(server.start)  # With empty caches.
    for session_id, statement in FOREIGN_ROWS.items():
        change_session(server.database, session_id, statement)
    unlisted = [name for name, statement in FOREIGN_ROWS.items() if " sessions SET" in statement]
    await assert_damage_is_contained(server, list(FOREIGN_ROWS), unlisted)


@pytest.mark.guarantee(15)
@pytest.mark.parametrize(
    "is_replaced", [pytest.param(False, marks=pytest.mark.full, id="removed"), pytest.param(True, id="replaced")]
)
async def test_a_database_that_is_taken_away_acknowledges_nothing(serve: Serve, is_replaced: bool) -> None:
    """FT-16: updates that SQLite would write into an unlinked file are refused; with the file back, all continues."""
    server = serve(store="sqlite")
    away = server.folder / "away"
    async with Worker.at(server) as worker:
        await worker.start("s", 1)
        server.database.rename(away)
        if is_replaced:
            server.database.touch()
        assert (await worker.update("s", action="complete", step=1)).status_code == 503
        assert (await worker.client.get("/readyz")).status_code == 503
        assert (await worker.poll("s"))["status"] == "running"
        away.rename(server.database)
        await worker.complete("s", 1)
    assert "another file is in its place" in server.log()
    await asyncio.to_thread(server.restart)
    async with Worker.at(server) as worker:
        assert (await worker.poll("s"))["percentage"] == 14


@pytest.mark.guarantee(15)
@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
@pytest.mark.parametrize(
    "is_removed", [pytest.param(False, id="moved"), pytest.param(True, marks=pytest.mark.full, id="removed")]
)
@pytest.mark.full
async def test_a_log_that_is_taken_away_acknowledges_nothing(serve: Serve, suffix: str, is_removed: bool) -> None:
    """FT-16: updates that SQLite would write into an unlinked log are refused, and the log's content is saved."""
    server = serve(store="sqlite")
    log, away = (server.folder / f"{name}{suffix}" for name in (server.database.name, "away"))
    async with Worker.at(server) as worker:
        await worker.start("s", 1)
        await worker.poll("unknown")
        log.rename(away)
        if is_removed:
            away.unlink()
        assert (await worker.update("s", action="complete", step=1)).status_code == 503
        assert (await worker.client.get("/readyz")).status_code == 503
        assert (await worker.poll("s"))["steps"][0]["status"] == "running"
        assert (await worker.poll("unknown too"))["status"] == "not_found"
        assert not log.exists()
        if not is_removed:
            away.rename(log)
            await worker.complete("s", 1)
        state = await worker.poll("s")
    assert f"{log} was removed, or another file is in its place" in server.log()
    await asyncio.to_thread(server.restart)
    async with Worker.at(server) as worker:
        assert await worker.poll("s") == state
        assert (await worker.client.get("/readyz")).status_code == 200
        await worker.start("s", 2)


@pytest.mark.full
@pytest.mark.guarantee(18)
@pytest.mark.parametrize("put_back", [os.replace, shutil.copyfile])
async def test_a_backup_that_is_put_back_is_another_history(
    serve: Serve, put_back: Callable[[Path, Path], object]
) -> None:
    """FT-16: a reader that had seen more gets a snapshot, even when the session has moved on past its position."""
    server = serve(store="sqlite")
    backup = server.folder / "backup"
    async with Worker.at(server) as worker:
        await worker.start("s", 1)
        execute(server.database, f"VACUUM INTO '{backup}'")
        await worker.progress("s", 1, 1)
        await worker.progress("s", 1, 2)
        async with await RawStream.open(server.port, events_path("s")) as stream:
            seen = (await stream.next_event()).position
    await asyncio.to_thread(server.terminate)
    put_back(backup, server.database)
    await asyncio.to_thread(server.start)
    async with Worker.at(server) as worker:
        for step in range(2, 5):
            await worker.start("s", step)
        last_event_id = f"{seen.epoch}-{seen.offset}"
        async with await RawStream.open(server.port, events_path("s"), last_event_id=last_event_id) as stream:
            event = await stream.next_event()
            assert (event.event, event.json()) == ("snapshot", await worker.poll("s"))
            assert event.position.offset > seen.offset


def put_over(source: Path, target: Path) -> None:
    """Copy a store with all its files over the present one: times, owners and permissions included."""
    subprocess.run(["cp", "--archive", *source.glob("progress.db*"), target], timeout=60, check=True)


def put_in_its_place(source: Path, target: Path) -> None:
    """Remove the present one first, whose inode numbers the file system may then reuse."""
    for file in target.glob("progress.db*"):
        file.unlink()
    put_over(source, target)


@pytest.mark.guarantee(18)
@pytest.mark.parametrize("put_back", [put_over, pytest.param(put_in_its_place, marks=pytest.mark.full)])
@pytest.mark.parametrize("end", [pytest.param(Server.terminate, marks=pytest.mark.full), Server.kill])
async def test_a_folder_that_is_put_back_is_another_history(
    serve: Serve, tmp_path: Path, end: Callable[[Server], object], put_back: Callable[[Path, Path], None]
) -> None:
    """FT-16: a server cannot tell from a copy of the whole folder what came after it, and gives new epochs."""
    server = serve(store="sqlite")
    folder, backup = server.database.parent, tmp_path / "backup"
    async with Worker.at(server) as worker:
        await worker.start("s", 1)
    await asyncio.to_thread(end, server)
    backup.mkdir()
    put_over(folder, backup)
    await asyncio.to_thread(server.start)
    async with Worker.at(server) as worker:
        await worker.progress("s", 1, 1)
        await worker.progress("s", 1, 2)
        tag = (await worker.client.get(session_path("s"))).headers["ETag"]
    await asyncio.to_thread(end, server)
    put_back(backup, folder)
    await asyncio.to_thread(server.start)
    async with Worker.at(server) as worker:
        for step in range(2, 5):
            await worker.start("s", step)
        last_event_id = tag.strip('"')
        async with await RawStream.open(server.port, events_path("s"), last_event_id=last_event_id) as stream:
            event = await stream.next_event()
            assert (event.event, event.json()) == ("snapshot", await worker.poll("s"))
            assert str(event.position.epoch) != last_event_id.partition("-")[0]


# Redis


Corrupt = Callable[[Redis, str], object]

REDIS_CORRUPTIONS: dict[str, Corrupt] = {
    "type": lambda client, state: (client.delete(state), client.rpush(state, "foreign")),
    "garbage": lambda client, state: client.hset(state, "step:1", b"\xff{"),
    "half": lambda client, state: client.hdel(state, "definitions"),
    "number": lambda client, state: client.hset(state, "n", "many"),
}

FOREIGN_FIELDS: dict[str, Corrupt] = {
    "no-list-entry": lambda client, state: client.hset(state, "listed", '{"session_id":'),
    "another-list-entry": lambda client, state: client.hset(state, "listed", '{"a": 1}'),
    "lacks-its-list-entry": lambda client, state: client.hdel(state, "listed"),
    "no-utf-8": lambda client, state: client.hset(state, "state", b"\xff"),
    "unknown-state": lambda client, state: client.hset(state, "state", "evil"),
    "time-as-word": lambda client, state: client.hset(state, "updated_at", "yesterday"),
    "no-number": lambda client, state: client.hset(state, "current_step", "many"),
    "no-revision": lambda client, state: client.hset(state, "revision", "x"),
    "no-offset": lambda client, state: client.hdel(state, "n"),
    "other-details": lambda client, state: client.hset(state, "details", '{"title": 5}'),
    "other-definitions": lambda client, state: client.hset(state, "definitions", '[{"name": 5}]'),
    "other-step": lambda client, state: client.hset(state, "step:1", '{"step": "x"}'),
    "unknown-step": lambda client, state: client.hset(state, "step:99", "{}"),
}


@pytest.fixture
def servers(serve: Serve, kind: Kind, redis_servers: dict[str, RedisServer], tmp_path: Path) -> list[Server]:
    """Two servers whose keys begin with the test's folder: one that writes, and one that has read nothing yet."""
    return [serve(store=redis_servers[kind].url, redis_prefix=str(tmp_path)) for _ in range(2)]


@pytest.fixture
def client(kind: Kind, redis_servers: dict[str, RedisServer]) -> Iterator[Redis]:
    with redis_servers[kind].client() as client:
        yield client


@pytest.mark.guarantee(32)
async def test_a_session_damaged_in_redis_affects_no_other(
    servers: list[Server], client: Redis, tmp_path: Path
) -> None:
    """FT-16: a key of another type or with foreign content: 503 and a log line; restored, the session continues."""
    async with Worker.at(servers[0]) as here, Worker.at(servers[1]) as there:
        await here.start("other", 1)
        for name, corrupt in REDIS_CORRUPTIONS.items():
            before = set(client.scan_iter(f"{tmp_path}:*:s"))
            await here.start(name, 1)
            [state] = {key.decode() for key in set(client.scan_iter(f"{tmp_path}:*:s")) - before}
            kept = client.dump(state)
            assert isinstance(kept, bytes)
            corrupt(client, state)
            async with await RawStream.open(servers[1].port, events_path(name)) as stream:
                poll = await there.poll_raw(name)
                assert (poll.status_code, poll.json()["type"]) == (503, "/problems/store-unavailable")
                assert (await there.update(name, action="complete", step=1)).status_code == 503
                await there.progress("other", 1, len(before))
                listed = (await there.client.get("/api/progress")).json()["sessions"]
                assert "other" in [each["session_id"] for each in listed]
                assert (await there.client.get("/readyz")).status_code == 200
                assert stream.events == []
                client.restore(state, 0, kept, replace=True)
                assert (await there.poll(name))["status"] == "running"
                assert (await stream.next_event()).json()["status"] == "running"
    assert re.search("Redis: WRONGTYPE", servers[1].log())
    for name in REDIS_CORRUPTIONS:
        assert servers[1].log().count(f"'{name}' is damaged") == 1
    for server in servers:
        assert "Traceback" not in server.log()


@pytest.mark.full
@pytest.mark.guarantee(32)
async def test_foreign_fields_harm_no_other_session(servers: list[Server], client: Redis, tmp_path: Path) -> None:
    """FT-16: as in a file; lists lack a session where they read the field."""
    async with Worker.at(servers[0]) as worker:
        await worker.start("s", 1)
        for session_id, corrupt in FOREIGN_FIELDS.items():
            before = set(client.scan_iter(f"{tmp_path}:*:s"))
            await worker.create(session_id, labels={"a": "b"})
            await worker.start(session_id, 1)
            [state] = set(client.scan_iter(f"{tmp_path}:*:s")) - before
            corrupt(client, state.decode())
    of_whole = {"other-details", "other-definitions", "other-step", "unknown-step", "no-revision"}
    unlisted = [session_id for session_id in FOREIGN_FIELDS if session_id not in of_whole]
    await assert_damage_is_contained(servers[1], list(FOREIGN_FIELDS), unlisted)


@pytest.mark.guarantee(32)
@pytest.mark.full
async def test_an_index_damaged_in_redis_is_not_taken_for_an_empty_one(
    servers: list[Server], client: Redis, tmp_path: Path
) -> None:
    """FT-16: no session is created or listed while the index cannot be read; existing ones continue."""
    async with Worker.at(servers[0]) as worker:
        await worker.start("s", 1)
        index = f"{tmp_path}:sessions"
        kept = client.dump(index)
        assert isinstance(kept, bytes)
        client.set(index, "foreign")
        assert (await worker.update("new", action="start", step=1)).status_code == 503
        assert (await worker.client.get("/api/progress")).status_code == 503
        await worker.complete("s", 1)
        client.restore(index, 0, kept, replace=True)
        await worker.start("new", 1)
        assert len((await worker.client.get("/api/progress")).json()["sessions"]) == 2
    assert "Traceback" not in servers[0].log()
