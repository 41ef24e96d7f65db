"""Real Redis and Valkey servers that a test can stop, kill, freeze and start again."""

import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeAlias

import redis
from redis.backoff import NoBackoff
from redis.crc import REDIS_CLUSTER_HASH_SLOTS as SLOTS
from redis.retry import Retry

from tests.harness.http1 import HOST, free_port

Kind: TypeAlias = Literal["redis", "valkey"]
KINDS: Final[tuple[Kind, ...]] = ("redis", "valkey")

Persistence: TypeAlias = Literal["none", "always", "everysec", "rdb"]
"""The writes that survive a kill: none; each acknowledged one; all but the last second; those before `SAVE`."""

START_S: Final = 60
"""Seconds within which a server must have loaded its data and reply, on a busy machine too."""

_OPTIONS: Final[dict[Persistence, dict[str, str]]] = {
    "none": {"save": "", "appendonly": "no"},
    "always": {"save": "", "appendonly": "yes", "appendfsync": "always"},
    "everysec": {"save": "", "appendonly": "yes", "appendfsync": "everysec"},
    # The dump is loaded at a start, and written only when a test calls `save`.
    "rdb": {"save": "", "appendonly": "no"},
}


class RedisServer:
    """One server on a free port. It keeps port and folder over restarts. The methods block."""

    def __init__(self, kind: Kind, folder: Path, persistence: Persistence = "none", **options: Any) -> None:
        """Prepare a server.

        Args:
            kind: The make of the server.
            folder: For the log and the persistent data; made if it does not exist.
            persistence: The writes that survive a kill.
            options: Further directives of its configuration: `maxmemory="5mb"`, an underscore for each hyphen.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.kind = kind
        self.folder = folder
        self.port = free_port()
        self.cluster_port = options.get("cluster_port")
        self._options = {**_OPTIONS[persistence], **{name.replace("_", "-"): str(options[name]) for name in options}}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL of its database 0."""
        return self.url_through(self.port)

    def url_through(self, port: int) -> str:
        return f"redis://{HOST}:{port}/0"

    def client(self, timeout_s: float = START_S) -> redis.Redis:
        """A client for the test, to be used as a context manager; its replies are bytes."""
        return redis.Redis(host=HOST, port=self.port, socket_timeout=timeout_s, retry=Retry(NoBackoff(), 1))

    def start(self) -> None:
        """Start it, and wait until it has loaded its data and replies.

        Raises:
            RuntimeError: It ended, or did not reply in time; the message contains its log.
        """
        self.launch()
        deadline = time.monotonic() + START_S
        while not self._is_ready():
            if self._running().poll() is not None or time.monotonic() > deadline:
                self.end()
                raise RuntimeError(f"no {self.kind}-server:\n{self.log()}")
            time.sleep(0.02)

    def launch(self) -> None:
        """Start it, and return at once."""
        assert not self.is_running(), "it runs already"
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def command(self) -> list[str]:
        given = {"bind": HOST, "port": self.port, "dir": str(self.folder), "daemonize": "no"}
        given |= {"rdbcompression": "no", **self._options}  # So that tests find texts in dumps.
        arguments = [part for name, value in given.items() for part in (f"--{name}", str(value))]
        return [f"{self.kind}-server", *arguments]

    def _is_ready(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the server was not started"
        return self._process

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="backslashreplace")

    def terminate(self) -> None:
        """Ask it to end (SIGTERM), and wait until it has."""
        self._running().send_signal(signal.SIGTERM)
        self._running().wait(START_S)

    def kill(self) -> None:
        """Kill it at once (SIGKILL), and wait until it is gone."""
        self._running().kill()
        self._running().wait(START_S)

    def restart(self) -> None:
        """Kill it, and start it again."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """Freeze it (SIGSTOP): its connections stay open, without replies."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._running().send_signal(signal.SIGCONT)

    def end(self) -> None:
        """Kill it if it runs, and remove its data."""
        if self.is_running():
            self.kill()
        for path in self.folder.iterdir():
            if path.name != "log":
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.end()


class KeyDump:
    """The values of a server's keys at one time, to be restored while it runs on and keeps its replication id.

    A virtual machine that is rolled back with its memory looks the same from outside.
    """

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        """Dump all keys that begin with `prefix`."""
        self._client = client
        self._pattern = f"{prefix}*"
        self._dumped = {key: client.dump(key) for key in client.scan_iter(self._pattern)}

    def restore(self) -> None:
        """Give all keys the dumped values, in one transaction."""
        with self._client.pipeline(transaction=True) as pipeline:
            for key in self._client.scan_iter(self._pattern):
                pipeline.delete(key)
            for key, content in self._dumped.items():
                assert isinstance(content, bytes)
                pipeline.restore(key, 0, content)
            pipeline.execute()


class RedisCluster:
    """Masters that share all slots, and on request replicas of the first one. The methods block."""

    MASTERS: Final = 3

    def __init__(self, kind: Kind, folder: Path, *, replicas: int = 0) -> None:
        # Nodes talk to each other on further ports. The default, 10000 above a server's port, may be too high.
        self.nodes = [
            RedisServer(
                kind,
                folder / f"node-{n}",
                cluster_enabled="yes",
                cluster_node_timeout=1000,
                cluster_port=free_port(),
                cluster_replica_validity_factor=0,
                repl_diskless_sync_delay=0,
            )
            for n in range(self.MASTERS + replicas)
        ]

    @property
    def masters(self) -> list[RedisServer]:
        return self.nodes[: self.MASTERS]

    @property
    def replicas(self) -> list[RedisServer]:
        return self.nodes[self.MASTERS :]

    @property
    def url(self) -> str:
        """The URL for our server, which needs the address of one node."""
        return f"redis+cluster://{HOST}:{self.nodes[1].port}"

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.end()
            raise
        return self

    def _start(self) -> None:
        for node in self.nodes:
            node.start()
        bounds = [n * SLOTS // self.MASTERS for n in range(self.MASTERS + 1)]
        for number, node in enumerate(self.nodes):
            with node.client() as client:
                client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
                if node in self.masters:
                    first, last = bounds[number], bounds[number + 1] - 1
                    client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
        with self.nodes[0].client() as client:
            for other in self.nodes[1:]:
                client.execute_command("CLUSTER", "MEET", HOST, other.port, other.cluster_port)
        for node in self.replicas:
            _until(partial(self._knows_all, node))
            with node.client() as client:
                client.execute_command("CLUSTER", "REPLICATE", self.id_of(self.nodes[0]))
        _until(lambda: all(map(self._knows_all, self.nodes)))

    def _knows_all(self, node: RedisServer) -> bool:
        with node.client() as client:
            info = client.execute_command("CLUSTER", "INFO")
            nodes = client.execute_command("CLUSTER", "NODES")
            role = client.role()
        is_linked = role[0] == b"master" or role[3] == b"connected"
        known = f"cluster_known_nodes:{len(self.nodes)}\r\n".encode()
        return b"cluster_state:ok" in info and known in info and b"handshake" not in nodes and is_linked

    @staticmethod
    def id_of(node: RedisServer) -> str:
        with node.client() as client:
            return str(client.execute_command("CLUSTER", "MYID").decode())

    def owner(self, slot: int) -> RedisServer:
        """The node that serves a slot, according to the second node."""
        with self.nodes[1].client() as client:
            ranges = client.execute_command("CLUSTER", "SLOTS")
        ports = [port for first, last, (_, port, *_), *_ in ranges if first <= slot <= last]
        return next(node for node in self.nodes if node.port in ports)

    def move(self, slot: int, target: RedisServer) -> None:
        source = self.owner(slot)
        source_id, target_id = self.id_of(source), self.id_of(target)
        with source.client() as at_source, target.client() as at_target:
            at_target.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", source_id)
            at_source.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", target_id)
            while keys := at_source.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 1):
                at_source.execute_command("MIGRATE", HOST, target.port, keys[0], 0, 5000)
            for client in (at_target, at_source):
                client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", target_id)

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.end()

    def end(self) -> None:
        for node in self.nodes:
            if node.is_running():
                node.end()


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + START_S
    while not condition():
        assert time.monotonic() < deadline, "the cluster did not form in time"
        time.sleep(0.02)


class SentinelServer(RedisServer):
    """A Sentinel that watches one server and its replicas, with a quorum of one."""

    MASTER: Final = "progress"

    def __init__(self, kind: Kind, folder: Path, watched: RedisServer) -> None:
        """Watch a running server, which counts as down after a second without reply."""
        super().__init__(kind, folder)
        self._watched = watched

    @property
    def url(self) -> str:
        """The URL by which our server finds the master."""
        return f"redis+sentinel://{HOST}:{self.port}/{self.MASTER}/0"

    def command(self) -> list[str]:
        """The command line; the Sentinel itself rewrites its configuration."""
        configuration = self.folder / "sentinel.conf"
        configuration.write_text(
            f"bind {HOST}\nport {self.port}\ndir {self.folder}\n"
            f"sentinel monitor {self.MASTER} {HOST} {self._watched.port} 1\n"
            f"sentinel down-after-milliseconds {self.MASTER} 1000\n"
            f"sentinel failover-timeout {self.MASTER} 5000\n"
        )
        return [f"{self.kind}-server", str(configuration), "--sentinel"]
