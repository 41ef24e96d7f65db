"""From a store's URL to what makes connections: to one server, or to whichever one Sentinel says is the master."""

import re
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from redis.asyncio.connection import ConnectionPool
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff

SENTINEL_SCHEME: Final = "redis+sentinel"
SENTINEL_PORT: Final = 26379

CONNECT_TIMEOUT_S: Final = 1.0
ANSWER_TIMEOUT_S: Final = 2.0
"""Seconds until a connection that answers nothing is given up; a longer stall of the server is met by a new one."""

SENTINEL_TIMEOUT_S: Final = 0.5
"""Seconds until the next Sentinel is asked; three may be away within the time that a connection takes at most."""


def connection_pool(url: str) -> ConnectionPool:
    """Return what makes connections to the server that a URL names at the time; nothing is connected yet.

    Args:
        url: `redis://` or `rediss://`, as redis-py takes it, or
            `redis+sentinel://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]…]/MASTER[/DB]`.

    Raises:
        ValueError: It is no such URL.
    """
    ours: dict[str, Any] = {
        "protocol": 2,
        "decode_responses": False,
        "health_check_interval": 0,
        "retry": Retry(NoBackoff(), 0),
        "retry_on_error": [],
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
        "socket_timeout": ANSWER_TIMEOUT_S,
        "socket_keepalive": True,
    }
    if url.startswith(f"{SENTINEL_SCHEME}://"):
        return _sentinel_pool(url, ours)
    _database(unquote(urlsplit(url).path).strip("/"))  # redis-py takes 0 for what is no number.
    pool: ConnectionPool = ConnectionPool.from_url(url)
    pool.connection_kwargs |= ours
    try:
        pool.make_connection()  # type: ignore[no-untyped-call]  # as redis-py has it
    except TypeError as error:
        raise ValueError("an option that there is not") from error
    return pool


def _sentinel_pool(url: str, ours: dict[str, Any]) -> ConnectionPool:
    parts = urlsplit(url)
    master, _, database = parts.path.strip("/").partition("/")
    if not master:
        raise ValueError("no name of a master")
    if parts.query:
        raise ValueError("an option that there is not")
    credentials, _, hosts = parts.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    sentinel = Sentinel(  # type: ignore[no-untyped-call]  # as redis-py has it
        [_address(each) for each in hosts.split(",")],
        sentinel_kwargs={
            "socket_timeout": SENTINEL_TIMEOUT_S,
            "socket_connect_timeout": SENTINEL_TIMEOUT_S,
            "retry": Retry(NoBackoff(), 0),
        },
    )
    return SentinelConnectionPool(  # type: ignore[no-untyped-call]  # likewise
        master,
        sentinel,
        db=_database(database),
        username=unquote(user) or None,
        password=unquote(password) or None,
        **ours,
    )


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.partition(":")
    if not host:
        raise ValueError("no host")
    return host, int(port or SENTINEL_PORT)


def _database(text: str) -> int:
    if not re.fullmatch("[0-9]*", text):
        raise ValueError("a database that is no number")
    return int(text or 0)


def database(pool: ConnectionPool) -> int:
    """Return the number of the database that a connection leads to."""
    return int(pool.connection_kwargs.get("db") or 0)


def may_lose_its_server(pool: ConnectionPool) -> bool:
    """Whether another server, which may know less, can take the place of the one that a connection leads to."""
    return isinstance(pool, SentinelConnectionPool)


async def close(pool: ConnectionPool) -> None:
    """Let go of what the pool itself has connected to."""
    if isinstance(pool, SentinelConnectionPool):
        await pool.sentinel_manager.aclose()
