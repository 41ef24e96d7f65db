"""Connection pools for a store's URL: to one server, to the master that Sentinel names, or to a cluster."""

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
REPLY_TIMEOUT_S: Final = 2.0
"""Seconds without a reply after which a connection is closed; if the server stalls for longer, a new one is made."""

SENTINEL_TIMEOUT_S: Final = 0.5
"""Seconds until the next Sentinel is asked; three may be away within the longest time that a connection takes."""


def connection_pool(url: str) -> ConnectionPool:
    """Return a pool that connects to the server that a URL names at the time; `ValueError` for a malformed one.

    It is as redis-py takes it, or `redis+sentinel://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]…]/MASTER[/DB]`.
    """
    if url.startswith(f"{SENTINEL_SCHEME}://"):
        return _sentinel_pool(url)
    _database_number(unquote(urlsplit(url).path).strip("/"))  # redis-py takes text that is no number for 0.
    pool: ConnectionPool = ConnectionPool.from_url(url)
    pool.connection_kwargs |= _options()
    try:
        pool.make_connection()  # type: ignore[no-untyped-call]  # as redis-py has it
    except TypeError as error:
        raise ValueError("unknown option") from error
    return pool


def _options() -> dict[str, Any]:
    return {
        "protocol": 2,
        "decode_responses": False,
        "health_check_interval": 0,
        "retry": Retry(NoBackoff(), 0),
        "retry_on_error": [],
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
        "socket_timeout": REPLY_TIMEOUT_S,
        "socket_keepalive": True,
    }


class ClusterSeeds(NamedTuple):
    """The nodes that are asked for a cluster's map, and the credentials for all of its nodes."""

    addresses: Sequence[Address]
    credentials: dict[str, Any]

    def pool(self, address: Address) -> ConnectionPool:
        """Return a pool that connects to a node."""
        host, port = address
        return ConnectionPool(host=host, port=port, **self.credentials, **_options())


def cluster_seeds(url: str) -> ClusterSeeds | None:
    """Return the seeds in `redis+cluster://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]…]`; `None` for another scheme."""
    if not url.startswith(f"{CLUSTER_SCHEME}://"):
        return None
    if urlsplit(url).path.strip("/") or urlsplit(url).query:
        raise ValueError("a cluster has no databases or options")
    hosts, credentials = _hosts_and_credentials(url)
    return ClusterSeeds([_address(each, REDIS_PORT) for each in hosts], credentials)


def _hosts_and_credentials(url: str) -> tuple[list[str], dict[str, Any]]:
    credentials, _, hosts = urlsplit(url).netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    return hosts.split(","), {"username": unquote(user) or None, "password": unquote(password) or None}


def _sentinel_pool(url: str) -> ConnectionPool:
    master, _, database = urlsplit(url).path.strip("/").partition("/")
    if not master:
        raise ValueError("no master name")
    if urlsplit(url).query:
        raise ValueError("unknown option")
    hosts, credentials = _hosts_and_credentials(url)
    sentinel = Sentinel(  # type: ignore[no-untyped-call]  # as redis-py has it
        [_address(each, SENTINEL_PORT) for each in hosts],
        sentinel_kwargs={
            "socket_timeout": SENTINEL_TIMEOUT_S,
            "socket_connect_timeout": SENTINEL_TIMEOUT_S,
            "retry": Retry(NoBackoff(), 0),
        },
    )
    return SentinelConnectionPool(  # type: ignore[no-untyped-call]  # likewise
        master, sentinel, db=_database_number(database), **credentials, **_options()
    )


def _address(text: str, default_port: int) -> Address:
    host, _, port = text.partition(":")
    if not host:
        raise ValueError("no host")
    return host, int(port or default_port)


def _database_number(text: str) -> int:
    if not re.fullmatch("[0-9]*", text):
        raise ValueError("the database is not a number")
    return int(text or 0)


def database(pool: ConnectionPool) -> int:
    """Return the number of the database that a pool's connections use."""
    return int(pool.connection_kwargs.get("db") or 0)


async def close_pool(pool: ConnectionPool) -> None:
    """Close the connections that the pool itself has made."""
    if isinstance(pool, SentinelConnectionPool):
        await pool.sentinel_manager.aclose()
