"""One connection to Redis, which carries many commands at a time. Every command goes through here.

redis-py makes the connection and speaks the protocol. Its own retries are switched off: what may be sent again, and for
how long, is known to ``redis_calls`` alone.
"""

import asyncio
import math
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from hiredis import pack_command
from redis import exceptions
from redis.asyncio.connection import AbstractConnection, ConnectionPool

from progress_sse.store.redis.codec import Argument
from progress_sse.store.redis.errors import CONNECTION_ERRORS
from progress_sse.store.redis.url import ANSWER_TIMEOUT_S

Command: TypeAlias = tuple[Argument, ...]

_OUTDATED: Final = (exceptions.ReadOnlyError, exceptions.ClusterDownError, exceptions.AuthenticationError)
"""Answers after which another server may be the right one."""


class NotConnectedError(Exception):
    """Raised when there is no connection, so that nothing was sent."""


class InterruptedCallError(Exception):
    """Raised when a connection failed after commands had been sent, and before all were answered."""


async def connected(pool: ConnectionPool) -> AbstractConnection:
    """Return a new connection to the server that `pool` names at this time."""
    connection: AbstractConnection = pool.make_connection()  # type: ignore[no-untyped-call]  # as redis-py has it
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await connection.connect()  # type: ignore[no-untyped-call]  # likewise
    except BaseException:
        await connection.disconnect(nowait=True)
        raise
    return connection


class RedisLink:
    """A connection that is made when it is needed, and made anew when it failed."""

    def __init__(self, pool: ConnectionPool) -> None:
        """Connect as `pool` does, to the server that it names at that time."""
        self._pool = pool
        self._connection: AbstractConnection | None = None

    async def connect(self) -> None:
        """Make sure that there is a connection.

        Raises:
            NotConnectedError: None could be made.
        """
        if self._connection is not None:
            if not await _is_spoiled(self._connection):
                return
            await self.disconnect()
        try:
            self._connection = await connected(self._pool)
        except CONNECTION_ERRORS as error:
            raise NotConnectedError(str(error)) from error

    async def execute(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands at once, and return an answer for each: what Redis says, or the error that it answers with.

        Raises:
            InterruptedCallError: The connection failed. Each command may have been carried out, or not.
        """
        connection = self._connection
        assert connection is not None, "not connected"
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                answers = await _exchange(connection, commands)
        except CONNECTION_ERRORS as error:
            await self.disconnect()
            raise InterruptedCallError(str(error) or "no answer in time") from error
        except BaseException:
            await self.disconnect()
            raise
        if any(isinstance(answer, _OUTDATED) for answer in answers):
            await self.disconnect()
        return answers

    async def disconnect(self) -> None:
        """Give up the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)


async def _is_spoiled(connection: AbstractConnection) -> bool:
    """Whether the server has closed the connection, or said something that nobody asked for."""
    try:
        return await connection.can_read()
    except CONNECTION_ERRORS:
        return True


async def _exchange(connection: AbstractConnection, commands: Sequence[Command]) -> list[Any]:
    # By hiredis, which redis-py leaves unused for this: its own way takes a third of all time.
    packed = b"".join([pack_command(command) for command in commands])  # type: ignore[arg-type]  # of any length
    await connection.send_packed_command(packed, check_health=False)
    return [await _answer(connection) for _ in commands]


async def _answer(connection: AbstractConnection) -> Any:
    try:
        return await connection.read_response(timeout=math.inf, disconnect_on_error=False)
    except (exceptions.ResponseError, exceptions.BusyLoadingError) as refusal:
        return refusal
