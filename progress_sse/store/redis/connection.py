"""One connection to Redis, over which every command goes, many at a time.

Retries of redis-py are off: only ``pipeline`` knows which commands may be sent again, and for how long.
"""

import asyncio
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

from hiredis import pack_command
from redis import exceptions
from redis.asyncio.connection import AbstractConnection, ConnectionPool

from progress_sse.store.redis.codec import Argument
from progress_sse.store.redis.errors import CONNECTION_ERRORS
from progress_sse.store.redis.url import REPLY_TIMEOUT_S

Command: TypeAlias = tuple[Argument, ...]

_RECONNECT_ERRORS: Final = (exceptions.ReadOnlyError, exceptions.ClusterDownError, exceptions.AuthenticationError)
"""Replies after which another server may be the right one."""


async def connect(pool: ConnectionPool) -> AbstractConnection:
    """Return a new connection to the server that `pool` names at this time."""
    connection: AbstractConnection = pool.make_connection()  # type: ignore[no-untyped-call]  # as redis-py has it
    try:
        async with asyncio.timeout(REPLY_TIMEOUT_S):
            with _uvloop_errors_translated():
                await connection.connect()  # type: ignore[no-untyped-call]  # likewise
    except BaseException:
        await connection.disconnect(nowait=True)
        raise
    return connection


class RedisConnection:
    """A connection to the server that a pool names, made anew when it failed; methods raise `CONNECTION_ERRORS`."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._connection: AbstractConnection | None = None

    async def connect(self) -> None:
        """Make sure that there is a connection."""
        if self._connection is not None:
            if not await _is_stale(self._connection):
                return
            await self.disconnect()
        self._connection = await connect(self._pool)

    async def execute_batch(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands at once, and return a reply for each: a value, or the error that Redis replies with.

        If the connection fails, each command may have been carried out, or not.
        """
        connection = self._connection
        assert connection is not None, "not connected"
        try:
            async with asyncio.timeout(REPLY_TIMEOUT_S):
                await send(connection, commands)
                replies = [await _read_reply(connection) for _ in commands]
        except TimeoutError as error:
            await self.disconnect()
            raise TimeoutError("no reply in time") from error
        except BaseException:
            await self.disconnect()
            raise
        if any(isinstance(reply, _RECONNECT_ERRORS) for reply in replies):
            await self.disconnect()
        return replies

    async def disconnect(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)


async def _is_stale(connection: AbstractConnection) -> bool:
    """Whether the server has closed the connection, or sent something without a request."""
    try:
        return await connection.can_read()
    except CONNECTION_ERRORS:
        return True


async def send(connection: AbstractConnection, commands: Sequence[Command]) -> None:
    """Send commands at once, without a wait for replies; a closed connection is redis-py's `ConnectionError`."""
    # Packed by hiredis, which redis-py does not use here: its own packing takes a third of all time.
    packed = b"".join([pack_command(command) for command in commands])  # type: ignore[arg-type]  # of any length
    with _uvloop_errors_translated():
        await connection.send_packed_command(packed, check_health=False)


@contextmanager
def _uvloop_errors_translated() -> Iterator[None]:
    """Raise an error of redis-py in place of that which uvloop raises where the server has closed the connection."""
    try:
        yield
    except RuntimeError as error:
        raise exceptions.ConnectionError(str(error)) from error


async def _read_reply(connection: AbstractConnection) -> Any:
    try:
        return await connection.read_response(timeout=math.inf, disconnect_on_error=False)
    except (exceptions.ResponseError, exceptions.BusyLoadingError) as error:
        return error
