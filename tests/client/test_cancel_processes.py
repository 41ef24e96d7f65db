"""Processes that wait for the requests of readers: the wait harms neither their end nor their forks."""

import asyncio
import signal
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from tests.client.asking_server import AskingServer
from tests.conftest import Serve
from tests.harness.serving import ROOT, Server, eventually, session_path

pytestmark = pytest.mark.processes

SOON_S = 20


async def start(program: str, server: AskingServer | Server) -> asyncio.subprocess.Process:
    """Start a program that reports on `nightly`."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        textwrap.dedent(program),
        env={"PROGRESS_SSE_URL": server.url, "PROGRESS_SSE_SESSION": "nightly", "PYTHONPATH": str(ROOT)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def output_of(process: asyncio.subprocess.Process) -> str:
    """Close the input of a program, wait until it ends, and return its output."""
    try:
        output, _ = await asyncio.wait_for(process.communicate(b""), SOON_S)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    return output.decode()


@asynccontextmanager
async def waiting(program: str) -> AsyncIterator[tuple[AskingServer, asyncio.subprocess.Process]]:
    """A program that waits for requests, and the server that it waits for."""
    async with AskingServer() as server:
        process = await start(program, server)
        await eventually(lambda: bool(server.waiting) and server.waits[-1][1] == 30, SOON_S)
        yield server, process


BLOCKING = """
    import sys, time
    from progress_sse import Progress

    with Progress(steps=["One"], accepts=["cancel"]) as progress, progress.step(1):
        print("begun", flush=True)
        {wait}
"""

ASYNC = """
    import asyncio, sys
    from progress_sse import AsyncProgress

    async def main():
        async with AsyncProgress(steps=["One"], accepts=["cancel"]) as progress, progress.step(1):
            print("begun", flush=True)
            {wait}

    asyncio.run(main())
"""

WAITS = [(BLOCKING, "sys.stdin.readline()"), (ASYNC, "await asyncio.to_thread(sys.stdin.readline)")]


@pytest.mark.parametrize(("program", "wait"), WAITS, ids=["sync", "async"])
async def test_a_process_ends_while_it_waits(program: str, wait: str) -> None:
    """It does not stay until the server answers, half a minute later."""
    async with waiting(program.format(wait=wait)) as (server, process):
        output = await output_of(process)
        assert (process.returncode, output) == (0, "begun\n")
        assert server.updates[-1]["success"] is True


@pytest.mark.parametrize(
    ("program", "wait"), [(BLOCKING, "time.sleep(60)"), (ASYNC, "await asyncio.sleep(60)")], ids=["sync", "async"]
)
async def test_an_interrupt_ends_a_process_that_waits(program: str, wait: str) -> None:
    """It reaches the job, and is reported as its error."""
    async with waiting(program.format(wait=wait)) as (server, process):
        process.send_signal(signal.SIGINT)
        output = await output_of(process)
        assert "KeyboardInterrupt" in output
        assert process.returncode == -signal.SIGINT
        assert "conclusion" not in server.updates[-1]
        assert server.updates[-1]["success"] is False


@pytest.mark.parametrize(
    ("program", "wait"),
    [
        # It sends no report, whose answer would tell the request without its reason.
        (BLOCKING, "while True: progress.step(1).check(); time.sleep(0.01)"),
        (ASYNC, "await asyncio.sleep(60)"),
    ],
    ids=["sync", "async"],
)
async def test_a_cancelled_process_ends_by_the_exception(program: str, wait: str) -> None:
    """It ends as by any exception that nothing catches."""
    async with waiting(program.format(wait=wait)) as (server, process):
        await server.ask("nightly", reason="wrong file")
        output = await output_of(process)
        assert output.splitlines()[-1] == "progress_sse.client.errors.Cancelled: wrong file"
        assert process.returncode == 1
        assert server.updates[-1]["conclusion"] == "cancelled"


FORK = """
    import os, sys, time
    from progress_sse import Cancelled, Progress

    def work(progress, number):
        with progress.step(number) as step:
            print("begun", flush=True)
            while True:
                step.check()
                time.sleep(0.01)

    with Progress(steps=["One", "Two"], accepts=["cancel"]) as progress:
        progress.flush()
        sys.stdin.readline()
        child = os.fork()
        try:
            work(progress, 2 if child == 0 else 1)
        except Cancelled:
            progress.flush()
            if child == 0:
                os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
"""


async def test_parent_and_child_are_cancelled() -> None:
    """Each waits by its own connection, and none by the other's."""
    async with waiting(FORK) as (server, process):
        assert process.stdin is not None
        process.stdin.write(b"fork\n")
        await eventually(lambda: len(server.waiting) == 2, SOON_S)
        await server.ask("nightly")
        output = await output_of(process)
        assert process.returncode == 0, output
        ends = [each["step"] for each in server.updates if each["action"] == "complete"]
        assert sorted(ends) == [1, 2]


IMPORTS = """
    import sys
    from progress_sse import Progress

    with Progress(steps=["One"], accepts=["cancel"]) as progress:
        loaded = set(sys.modules)
        progress.step(1).start()
        sys.stdin.readline()
    print(*set(sys.modules) - loaded)
"""


async def test_the_threads_import_nothing() -> None:
    """A fork during an import would leave the child with a half-loaded module."""
    async with waiting(IMPORTS) as (_, process):
        assert (await output_of(process)).strip() == ""


async def test_a_reader_of_a_real_server_cancels_a_process(serve: Serve) -> None:
    """The request is honoured by the end of the block, and shown."""
    server = serve()
    wait = "import time; progress.flush(); print('sent', flush=True); [time.sleep(0.01) for _ in {rows}]"
    program = BLOCKING.format(wait=wait.format(rows="progress.step(1).track(range(10_000))"))
    path = session_path("nightly")
    async with httpx.AsyncClient(base_url=server.url) as client:
        process = await start(program, server)
        assert process.stdout is not None
        assert await process.stdout.readline() == b"begun\n"
        assert await process.stdout.readline() == b"sent\n"
        asked = await client.post(f"{path}/requests", json={"kind": "cancel", "reason": "wrong file"})
        assert asked.status_code == 202
        await output_of(process)
        session = (await client.get(path)).json()
    assert (session["status"], session["conclusion"]) == ("error", "cancelled")
    assert [(each["id"], each["state"]) for each in session["requests"]] == [(asked.json()["id"], "honoured")]


TWO_RUNS = """
import sys
from progress_sse import Progress

progress = Progress.attach(accepts=["cancel"])
for run in range(2):
    sys.stdin.readline()
    with progress.step(1) as step:
        sys.stdin.readline()
        if run == 1:
            step.check()
    print(progress.flush(20), flush=True)
"""


async def test_a_request_that_came_too_late_does_not_cancel_the_next_run(serve: Serve) -> None:
    """A process that goes on as before takes requests of that run, too."""
    server = serve()
    path = server.url + session_path("nightly")

    def session() -> dict[str, Any]:
        return httpx.get(path).json()  # type: ignore[no-any-return]

    def ask(method: str, where: str, **body: Any) -> None:
        httpx.request(method, where, json=body).raise_for_status()

    process = await start(TWO_RUNS, server)
    assert process.stdin
    assert process.stdout
    for run in range(2):
        ask("PUT", f"{path}?replace=true", steps=[{"name": "One"}])
        process.stdin.write(b"begin\n")
        await eventually(lambda: "accepts" in session(), SOON_S)
        if run == 0:
            ask("POST", f"{path}/requests", kind="cancel")
            await eventually(lambda: session()["requests"][0]["state"] == "seen", SOON_S)
        process.stdin.write(b"end\n")
        assert await asyncio.wait_for(process.stdout.readline(), SOON_S) == b"True\n"
        assert session()["status"] == "completed"
    process.stdin.close()
    assert await output_of(process) == ""
