"""One connection to a Redis server."""

import asyncio

import pytest
import uvloop
from redis.asyncio.connection import Connection
from redis.exceptions import ConnectionError as RedisConnectionError

from progress_sse.store.redis.connection import connect, send
from progress_sse.store.redis.url import connection_pool
from tests.harness.presence import present
from tests.harness.redis import RedisServer


def test_a_send_on_a_closed_connection_is_a_connection_error(server: RedisServer) -> None:
    """uvloop, on which the server runs, raises an error of its own there."""

    async def send_after_close() -> None:
        connection = await connect(connection_pool(f"redis://127.0.0.1:{server.port}/0"))
        present(connection._writer).transport.abort()  # noqa: SLF001
        async with asyncio.timeout(30):
            while True:
                await send(connection, [("PING",)])
                await asyncio.sleep(0)

    with pytest.raises(RedisConnectionError):
        uvloop.run(send_after_close())


def test_a_connection_that_closes_while_it_begins_is_a_connection_error(server: RedisServer) -> None:
    """The first commands go out when it is made; the server may have closed it by then."""

    class ClosedConnection(Connection):
        async def on_connect_check_health(self, check_health: bool = True) -> None:
            present(self._writer).transport.abort()
            async with asyncio.timeout(30):
                while True:
                    await self.send_command("PING", check_health=False)
                    await asyncio.sleep(0)

    async def connect_to_a_server_that_closes() -> None:
        pool = connection_pool(f"redis://127.0.0.1:{server.port}/0")
        pool.connection_class = ClosedConnection
        await connect(pool)

    with pytest.raises(RedisConnectionError):
        uvloop.run(connect_to_a_server_that_closes())
