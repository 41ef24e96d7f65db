from __future__ import annotations

from pathlib import Path

import pytest
import redis

from tests.harness.redis import KINDS, Kind, Persistence, RedisServer
from tests.harness.serving import eventually

pytestmark = pytest.mark.parametrize("kind", KINDS)


@pytest.mark.parametrize(
    ("persistence", "survives_term", "survives_kill"),
    [("none", False, False), ("always", True, True), ("rdb", False, False)],
)
def test_a_key_survives_as_the_persistence_says(
    kind: Kind, persistence: Persistence, survives_term: bool, survives_kill: bool, tmp_path: Path
) -> None:
    """Over a restart on the same port, and over a kill."""
    with RedisServer(kind, tmp_path, persistence) as server, server.client() as client:
        for end, survives in ((server.terminate, survives_term), (server.kill, survives_kill)):
            client.set("key", "value")
            end()
            server.start()
            assert client.get("key") == (b"value" if survives else None)


def test_a_dump_is_loaded_at_the_next_start(kind: Kind, tmp_path: Path) -> None:
    """Later writes are lost."""
    with RedisServer(kind, tmp_path, "rdb") as server, server.client() as client:
        client.set("key", "old")
        client.save()
        client.set("key", "new")
        server.kill()
        server.start()
        assert client.get("key") == b"old"


async def test_a_paused_server_replies_after_it_is_resumed(kind: Kind, tmp_path: Path) -> None:
    """Its connections stay open."""
    with RedisServer(kind, tmp_path) as server, server.client() as client:
        client.ping()
        server.pause()
        with server.client(timeout_s=0.1) as impatient, pytest.raises(redis.TimeoutError):
            impatient.ping()
        server.resume()
        await eventually(lambda: bool(client.ping()), 30)


def test_a_failed_start_shows_the_log(kind: Kind, tmp_path: Path) -> None:
    """It contains the reason."""
    with pytest.raises(RuntimeError, match="nonsense"):
        RedisServer(kind, tmp_path, nonsense="yes").start()
