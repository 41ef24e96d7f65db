"""Where servers that share a Redis count the requests of their callers, by the limits library."""

from collections.abc import Awaitable, Callable
from typing import Final, cast

from limits.aio.storage import RedisClusterStorage, RedisStorage
from limits.aio.storage.redis.redispy import RedispyBridge
from redis.asyncio import RedisCluster
from redis.exceptions import RedisClusterException

from progress_sse.store.redis.errors import CONNECTION_ERRORS
from progress_sse.store.redis.url import CONNECT_TIMEOUT_S, REPLY_TIMEOUT_S, close_pool, cluster_seeds, connection_pool

_FAILURES: Final = (*CONNECTION_ERRORS, RedisClusterException, RuntimeError, ValueError)
"""The errors of a server that is away: the client of a cluster has one of its own, and uvloop raises a `RuntimeError`
where the server has closed the connection. A foreign value in place of a count is a `ValueError`."""


class _Storage:
    STORAGE_SCHEME = None  # As in the library's base class: not to be found by a URL.

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]:
        """The exceptions that the library turns into its own error."""
        return _FAILURES


class ServerStorage(_Storage, RedisStorage):  # type: ignore[misc]  # `STORAGE_SCHEME`
    """Counts in one server."""


class ClusterStorage(_Storage, RedisClusterStorage):  # type: ignore[misc]  # `STORAGE_SCHEME`
    """Counts in a cluster."""


def storage(url: str, *, prefix: str) -> tuple[RedisStorage, Callable[[], Awaitable[object]]]:
    """Return the counters' storage, and a function that closes its connections; nothing is connected yet."""
    seeds = cluster_seeds(url)
    if seeds is not None:
        hosts = ",".join(f"{host}:{port}" for host, port in seeds.addresses)
        credentials = {name: value for name, value in seeds.credentials.items() if value is not None}
        cluster = ClusterStorage(
            f"async+redis+cluster://{hosts}",
            wrap_exceptions=True,
            implementation="redispy",
            key_prefix=prefix,
            socket_connect_timeout=CONNECT_TIMEOUT_S,
            socket_timeout=REPLY_TIMEOUT_S,
            **credentials,
        )
        client = cast(RedisCluster, cast(RedispyBridge, cluster.bridge).get_connection())
        return cluster, client.aclose
    pool = connection_pool(url)
    counters = ServerStorage(
        "async+redis://",
        wrap_exceptions=True,
        implementation="redispy",
        key_prefix=prefix,
        connection_pool=pool,  # type: ignore[arg-type]  # as documented
    )

    async def aclose() -> None:
        await pool.disconnect()
        await close_pool(pool)

    return counters, aclose
