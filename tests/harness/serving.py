"""The real server as a child process, and workers that POST to it."""

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from tests.harness.forks import Fork
from tests.harness.http1 import HOST, Connection, free_port

ROOT = Path(__file__).parents[2]

START_S = 60
"""Seconds within which the server must answer, on a busy machine too."""

END_S = 60
"""Seconds within which a process must end, likewise."""

ENV_PREFIX = "PROGRESS_SSE_"


class Server:
    """One `progress-sse serve`, or a plain uvicorn with an application, on a free port that it keeps over restarts.

    The methods block; in an async test call those that wait through `asyncio.to_thread`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        store: str = "memory://",
        factory: str | None = None,
        command: list[str] | None = None,
        prefix: str = "",
        is_forked: bool = True,
        **settings: Any,
    ) -> None:
        """Prepare a server that keeps its files in a folder of its own.

        Args:
            folder: Made if it is not there; holds the log, and the database of `store="sqlite"`.
            store: A store's URL, or `sqlite` for a database in the folder.
            factory: `module:function` that makes an application of ours, for a plain uvicorn to serve instead.
            command: A command to start instead of either; `{port}` is replaced, and settings are ignored.
            prefix: The path at which the application is mounted.
            is_forked: Whether to fork it, in a quarter of the time that an interpreter takes, from a process with which
                it then shares memory. Ignored with a `command`, and while coverage is measured.
            settings: Each becomes a flag: `heartbeat_s=1` is `--heartbeat-s 1`, `True` is a flag without a value. With
                a `factory` each becomes a variable of the environment, and `graceful_timeout_s` uvicorn's option too.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self.database = folder / "progress.db"
        self.store = f"sqlite:///{self.database}" if store == "sqlite" else store
        self.settings = dict(settings)
        self.log_path = folder / "server.log"
        self._factory = factory
        self._command = command
        self._prefix = prefix
        self._is_forked = is_forked and command is None and "COVERAGE_RUN" not in os.environ
        self._process: subprocess.Popen[bytes] | Fork | None = None

    @property
    def url(self) -> str:
        """The address of the application, without a slash at the end."""
        return f"http://{HOST}:{self.port}{self._prefix}"

    @property
    def pid(self) -> int:
        return self._running().pid

    def _running(self) -> subprocess.Popen[bytes] | Fork:
        assert self._process is not None, "the server was not started"
        return self._process

    def arguments(self) -> list[str]:
        if self._command is not None:
            return [part.replace("{port}", str(self.port)) for part in self._command]
        if self._factory is not None:
            uvicorn = ["uvicorn", "--host", HOST, "--port", str(self.port), "--log-level", "warning"]
            if "graceful_timeout_s" in self.settings:
                uvicorn += ["--timeout-graceful-shutdown", str(self.settings["graceful_timeout_s"])]
            return [sys.executable, "-m", *uvicorn, "--app-dir", str(ROOT), "--factory", self._factory]
        flags = [text for name, value in self.settings.items() for text in _flag(name, value)]
        serve = ["serve", "--host", HOST, "--port", str(self.port), "--store", self.store]
        return [sys.executable, "-m", "progress_sse", *serve, *flags]

    def environment(self) -> dict[str, str]:
        """The environment, without our settings except those of an application under a plain uvicorn."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX)}
        settings = {"store": self.store, **self.settings} if self._factory is not None else {}
        given = {ENV_PREFIX + name.upper(): str(value) for name, value in settings.items()}
        return {**kept, **given, "PYTHONUNBUFFERED": "1"}

    def start(self) -> float:
        """Start it, wait until it answers `/livez`, and return the seconds that took.

        Raises:
            RuntimeError: It ended, or did not answer in time; with its log.
        """
        assert not self.is_running(), "it runs already"
        started = time.monotonic()
        self._process = process = self._new_process()
        while not self._is_live():
            if process.poll() is not None or time.monotonic() - started > START_S:
                self.end()
                raise RuntimeError(f"no server (exit code {process.returncode}):\n{self.log()}")
            time.sleep(0.02)
        return time.monotonic() - started

    def _new_process(self) -> subprocess.Popen[bytes] | Fork:
        if self._is_forked:
            return Fork(self.arguments()[2:], self.folder, self.environment(), self.log_path)
        with self.log_path.open("ab") as log:
            return subprocess.Popen(
                self.arguments(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=self.environment(),
            )

    def _is_live(self) -> bool:
        try:
            with socket.create_connection((HOST, self.port), timeout=2) as sock:
                sock.sendall(f"GET {self._prefix}/livez HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
                return re.match(rb"HTTP/1\.[01] 200", sock.recv(1024)) is not None
        except OSError:
            return False

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; does not wait."""
        self._running().send_signal(number)

    def wait(self, timeout_s: float = END_S) -> int:
        return self._running().wait(timeout_s)

    def kill(self) -> None:
        """Kill it at once (SIGKILL), and wait until it is gone."""
        self.signal(signal.SIGKILL)
        self.wait()

    def restart(self) -> None:
        """Kill it, and start it again."""
        self.kill()
        self.start()

    def terminate(self, timeout_s: float = END_S) -> int:
        """Ask it to end (SIGTERM), wait for that, and return the exit code, which is that of an orderly end."""
        self.signal(signal.SIGTERM)
        code = self.wait(timeout_s)
        is_ours = self._command is None and self._factory is None
        assert code == 0 or (code == -signal.SIGTERM and not is_ours), f"exit code {code}:\n{self.log()}"
        return code

    def end(self) -> None:
        if self.is_running() and "COVERAGE_RUN" in os.environ:  # A killed process writes no coverage.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.signal(signal.SIGTERM)
                self.wait(5)
        if self.is_running():
            self.kill()

    def log(self) -> str:
        return self.log_path.read_text(errors="backslashreplace") if self.log_path.exists() else ""

    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def client_ports(self) -> set[int]:
        """The port of each client whose connection it holds; a connection that it closed may remain in the kernel."""
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        held = [row for row in rows if row[1].endswith(f":{self.port:04X}") and row[9] != "0"]
        return {int(row[2].rpartition(":")[2], 16) for row in held}

    def memory_bytes(self) -> int:
        """Its own memory, without libraries: its share of those grows when another server ends."""
        assert not self._is_forked, "it shares its memory"
        rollup = Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        match = re.search(r"^Pss_Anon:\s+(\d+) kB$", rollup, re.MULTILINE)
        assert match is not None, rollup
        return int(match[1]) * 1024

    def cpu_s(self) -> float:
        """The processor time that it has used, in user and system mode."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.end()


def _flag(name: str, value: object) -> list[str]:
    flag = "--" + name.replace("_", "-")
    return [flag] if value is True else [flag, str(value)]


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def session_path(session_id: str, *rest: str) -> str:
    """The path of a session, its id percent-encoded."""
    return "/".join(["/api/progress", quote(session_id, safe=""), *rest])


def events_path(session_id: str, query: str = "") -> str:
    """The path of a session's stream, with a query that begins with `?` where there is one."""
    return session_path(session_id, "events") + query


async def eventually(condition: Callable[[], bool], timeout_s: float) -> None:
    """Check a condition again and again until it holds; for conditions that send no notification.

    Raises:
        TimeoutError: It did not hold in time.
    """
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.02)


async def publish(port: int, session_id: str, updates: Iterable[dict[str, Any]]) -> None:
    """POST updates one after the other, as fast as one connection carries them."""
    path = session_path(session_id, "update")
    async with await Connection.open(port) as connection:
        for update in updates:
            response = await connection.post_json(path, update)
            assert response.status == 200, response.body


class Worker:
    """A client that POSTs updates, and polls the result."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        """Use a client whose `base_url` is the server."""
        self.client = client

    @classmethod
    def at(cls, server: Server | int, token: str | None = None) -> Self:
        """A worker with a client of its own, to be used as a context manager; a port is that of a proxy."""
        url = f"http://{HOST}:{server}" if isinstance(server, int) else server.url
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        # An idle connection ends before the server's five seconds are over, which may close it under a request.
        limits = httpx.Limits(max_connections=200, max_keepalive_connections=200, keepalive_expiry=2)
        return cls(httpx.AsyncClient(base_url=url, headers=headers, limits=limits, timeout=30))

    async def update(self, session_id: str, key: str | None = None, **body: Any) -> httpx.Response:
        """POST an update, whatever the response."""
        headers = {"Idempotency-Key": key} if key is not None else {}
        return await self.client.post(session_path(session_id, "update"), json=body, headers=headers)

    async def start(self, session_id: str, step: int, **more: Any) -> None:
        _expect(await self.update(session_id, action="start", step=step, **more), session_id)

    async def complete(self, session_id: str, step: int, **more: Any) -> None:
        _expect(await self.update(session_id, action="complete", step=step, **more), session_id)

    async def run(self, session_id: str, step: int, **outcome: Any) -> None:
        """Start a step, and complete it like this."""
        await self.start(session_id, step)
        await self.complete(session_id, step, **outcome)

    async def progress(self, session_id: str, step: int, current: int, **more: Any) -> None:
        _expect(await self.update(session_id, action="progress", step=step, current=current, **more), session_id)

    async def create(self, session_id: str, *, replace: bool = False, **body: Any) -> Any:
        path = session_path(session_id) + ("?replace=true" if replace else "")
        response = await self.client.put(path, json=body)
        assert response.status_code in (200, 201), response.text
        return response.json()

    async def delete(self, session_id: str) -> None:
        response = await self.client.delete(session_path(session_id))
        assert response.status_code == 204, response.text

    async def poll_raw(self, session_id: str, **headers: str) -> httpx.Response:
        return await self.client.get(session_path(session_id), headers=headers)

    async def poll(self, session_id: str) -> Any:
        response = await self.poll_raw(session_id)
        assert response.status_code == 200, response.text
        return json.loads(response.content)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()


def _expect(response: httpx.Response, session_id: str) -> None:
    assert response.status_code == 200, response.text
    assert response.json() == {"success": True, "session_id": session_id}
