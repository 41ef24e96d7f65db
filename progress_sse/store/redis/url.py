"""From a store's URL to what makes connections: to one server, to the master that Sentinel names, or to a cluster."""

import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, TypeAlias
from urllib.parse import unquote, urlsplit

from redis.asyncio.connection import ConnectionPool
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff

SENTINEL_SCHEME: Final = "redis+sentinel"
CLUSTER_SCHEME: Final = "redis+cluster"
SENTINEL_PORT: Final = 26379
REDIS_PORT: Final = 6379

Address: TypeAlias = tuple[str, int]

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
    if url.startswith(f"{SENTINEL_SCHEME}://"):
        return _sentinel_pool(url)
    _database(unquote(urlsplit(url).path).strip("/"))  # redis-py takes 0 for what is no number.
    pool: ConnectionPool = ConnectionPool.from_url(url)
    pool.connection_kwargs |= _options()
    try:
        pool.make_connection()  # type: ignore[no-untyped-call]  # as redis-py has it
    except TypeError as error:
        raise ValueError("an option that there is not") from error
    return pool


def _options() -> dict[str, Any]:
    return {
        "protocol": 2,
        "decode_responses": False,
        "health_check_interval": 0,
        "retry": Retry(NoBackoff(), 0),
        "retry_on_error": [],
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
        "socket_timeout": ANSWER_TIMEOUT_S,
        "socket_keepalive": True,
    }


class Seeds(NamedTuple):
    """Where a cluster is asked for its nodes, and how one shows who one is to all of them."""

    addresses: Sequence[Address]
    credentials: dict[str, Any]

    def pool(self, address: Address) -> ConnectionPool:
        """Return what makes connections to a node."""
        host, port = address
        return ConnectionPool(host=host, port=port, **self.credentials, **_options())


def cluster_seeds(url: str) -> Seeds | None:
    """Return what `redis+cluster://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]…]` says; `None` for any other scheme.

    Raises:
        ValueError: It is no such URL.
    """
    if not url.startswith(f"{CLUSTER_SCHEME}://"):
        return None
    if urlsplit(url).path.strip("/") or urlsplit(url).query:
        raise ValueError("a cluster has no databases, nor options")
    hosts, credentials = _parts(url)
    return Seeds([_address(each, REDIS_PORT) for each in hosts], credentials)


def _parts(url: str) -> tuple[list[str], dict[str, Any]]:
    credentials, _, hosts = urlsplit(url).netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    return hosts.split(","), {"username": unquote(user) or None, "password": unquote(password) or None}


def _sentinel_pool(url: str) -> ConnectionPool:
    master, _, database = urlsplit(url).path.strip("/").partition("/")
    if not master:
        raise ValueError("no name of a master")
    if urlsplit(url).query:
        raise ValueError("an option that there is not")
    hosts, credentials = _parts(url)
    sentinel = Sentinel(  # type: ignore[no-untyped-call]  # as redis-py has it
        [_address(each, SENTINEL_PORT) for each in hosts],
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
        **credentials,
        **_options(),
    )


def _address(text: str, default_port: int) -> Address:
    host, _, port = text.partition(":")
    if not host:
        raise ValueError("no host")
    return host, int(port or default_port)


def _database(text: str) -> int:
    if not re.fullmatch("[0-9]*", text):
        raise ValueError("a database that is no number")
    return int(text or 0)


def database(pool: ConnectionPool) -> int:
    """Return the number of the database that a connection leads to."""
    return int(pool.connection_kwargs.get("db") or 0)


async def close(pool: ConnectionPool) -> None:
    """Let go of what the pool itself has connected to."""
    if isinstance(pool, SentinelConnectionPool):
        await pool.sentinel_manager.aclose()
