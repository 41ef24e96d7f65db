"""The server of this project, as users start it."""

import shutil
from dataclasses import replace
from pathlib import Path

from tests.bench.peers.base import MissingError, PythonPeer
from tests.bench.plan import Dialect, Request

SESSION = "/api/progress/{session}"

DIALECT = Dialect(
    subscribe=Request("GET", f"{SESSION}/events"),
    # The stamp stands in a message, and `current` grows, so each update is a transition and none a repeat.
    publish=Request(
        "POST", f"{SESSION}/update", '{"action":"progress","step":1,"current":{seq},"total":null,"message":"{text}"}'
    ),
    ready_mark="event: snapshot",
    prepare=(
        Request("PUT", SESSION, '{"steps":[{"name":"s"}]}'),
        Request("POST", f"{SESSION}/update", '{"action":"start","step":1}'),
    ),
    poll=Request("GET", SESSION),
)

NAME = "progress_sse"

_SERVE = ("progress_sse", "serve", "--port", "{port}", "--store")

OURS = PythonPeer(NAME, DIALECT, (*_SERVE, "memory://"), is_python=False)
OURS_SQLITE = PythonPeer(f"{NAME}, SQLite", DIALECT, (*_SERVE, "sqlite:///{folder}/progress.db"), is_python=False)


class RedisFleet(PythonPeer):
    """Servers on one Redis, all on the server's core: the first ones for readers, the last one for updates."""

    def install(self, folder: Path) -> None:
        """Check that Redis is installed."""
        if not shutil.which("redis-server"):
            raise MissingError("redis-server is not installed")

    def serving_pid(self, pid: int) -> int:
        """The first server, which was started last; where readers spread over several, its share equals the others'."""
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[-1])


_FLEET = ("tests.bench.peers.redis_fleet", "{port}")

OURS_REDIS = RedisFleet(f"{NAME}, Redis", DIALECT, (*_FLEET, "1"), is_python=False)
OURS_TWICE = RedisFleet(f"{NAME}, two on one Redis", replace(DIALECT, publish_port=1), (*_FLEET, "2"), is_python=False)


def spread_over(count: int) -> RedisFleet:
    """Readers at `count` servers, and one more server for the updates."""
    dialect = replace(DIALECT, reader_ports=count, publish_port=count)
    return RedisFleet(f"{NAME}, readers at {count}", dialect, (*_FLEET, str(count + 1)), is_python=False)
