"""Queues as users run them: a broker, workers of a library, a caller, and the server that they all report to."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Self

from tests.bridges.task_modules import MORE
from tests.harness.documents import programs_of
from tests.harness.presence import present
from tests.harness.rawsse import RawStream
from tests.harness.redis import RedisServer
from tests.harness.serving import Server, children, session_path

BIN = Path(sys.executable).parent


class Library(NamedTuple):
    """The command of a library's workers, its database of the broker, and the code that starts its program.

    Where there is a command to `prepare` it, that is run first.
    """

    worker: list[str]
    database: int
    begin: str = "run({!r})"
    prepare: Sequence[str] = ()


LIBRARIES = {
    "celery": Library(
        [
            *("celery", "--app", "more_celery_jobs", "worker", "--concurrency", "1", "--without-gossip"),
            *("--without-mingle", "--loglevel=INFO"),
        ],
        1,
    ),
    "rq": Library(
        ["rq", "worker", "--url", "{broker}", "--worker-class", "progress_sse.bridges.rq.ReportingWorker"], 2
    ),
    "dramatiq": Library(["dramatiq", "more_dramatiq_jobs", "--processes", "1", "--threads", "1"], 3),
    "taskiq": Library(
        ["taskiq", "worker", "more_taskiq_jobs:broker", "--workers", "1", "--max-async-tasks", "1"],
        4,
        "asyncio.run(run({!r}))",
    ),
    "django_tasks": Library(
        ["python", "-m", "more_django_tasks_jobs", "db_worker", "--interval", "0.1", "--no-startup-delay"],
        5,  # It has a file of SQLite beside it.
        prepare=[str(BIN / "python"), "-m", "more_django_tasks_jobs", "migrate"],
    ),
}


class QueueWorkers:
    """Workers of a library with the jobs of our page on queues, and the failing jobs of `more_…` beside them."""

    def __init__(self, name: str, folder: Path, broker: RedisServer, *options: str) -> None:
        """Prepare them in a new folder; `options` are added to the worker's command."""
        library = LIBRARIES[name]
        folder.mkdir()
        self.folder = folder
        self.server = Server(folder / "server")
        self.module = f"{name}_jobs"
        (folder / f"{self.module}.py").write_text(programs_of("how-to/report-from-queues.md")[self.module], "utf-8")
        (folder / f"more_{self.module}.py").write_text(MORE[name], "utf-8")
        self._broker_url = broker.url.removesuffix("0") + str(library.database)
        arguments = [each.replace("{broker}", self._broker_url) for each in library.worker[1:]]
        self._worker_command = [str(BIN / library.worker[0]), *arguments, *options]
        self._prepare_command = library.prepare
        self._worker: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.server.start()
        if self._prepare_command:
            subprocess.run(self._prepare_command, cwd=self.folder, env=self.environment(), check=True)
        with (self.folder / "worker.log").open("ab") as log:
            self._worker = subprocess.Popen(
                self._worker_command,
                cwd=self.folder,
                env=self.environment(),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self

    def environment(self) -> dict[str, str]:
        ours = {"PROGRESS_SSE_URL": self.server.url, "BROKER_URL": self._broker_url}
        return {**os.environ, **ours, "PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"}

    def log(self) -> str:
        return (self.folder / "worker.log").read_text(errors="backslashreplace")

    def terminate(self) -> None:
        present(self._worker).terminate()

    @property
    def are_alive(self) -> bool:
        return present(self._worker).poll() is None

    async def call(self, code: str) -> Any:
        """Run code in a process that has the jobs, and return its output, parsed as JSON."""
        source = f"from more_{self.module} import *\nfrom {self.module} import *\n{code}"
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", source, cwd=self.folder, env=self.environment(), stdout=subprocess.PIPE
        )
        printed, _ = await process.communicate()
        assert process.returncode == 0
        return json.loads(printed or b"null")

    async def follow(self, session_id: str) -> RawStream:
        return await RawStream.open(self.server.port, session_path(session_id, "events"))

    async def states_after(self, code: str, session_id: str, step: int, status: str) -> list[Any]:
        """Run code while its session is followed, and wait as `until` does."""
        stream = await self.follow(session_id)
        await self.call(code)
        return await self.until(stream, step, status)

    async def until(self, stream: RawStream, step: int, status: str, timeout_s: float = 60) -> list[Any]:
        """Wait until a step has a status, and return the step as each transition left it."""

        def states() -> list[Any]:
            return [event.json()["step"] for event in stream.events if event.event == "step"]

        try:
            async with stream:
                await stream.wait_until(
                    lambda _: (step, status) in [(s["step"], s["status"]) for s in states()], timeout_s
                )
        except TimeoutError as error:
            raise AssertionError(self.log()) from error
        return states()

    def __exit__(self, *_: object) -> None:
        if self._worker is not None:
            for pid in [self._worker.pid, *descendants(self._worker.pid)]:  # Some are in process groups of their own.
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._worker.wait()
        self.server.end()


def descendants(pid: int) -> list[int]:
    try:
        return [each for child in children(pid) for each in (child, *descendants(child))]
    except FileNotFoundError:  # The process has just ended.
        return []
