"""Forks, and the exit of a process, in separate programs."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import Any

import httpx
import pytest

from tests.conftest import Serve
from tests.harness.http1 import HOST, free_port
from tests.harness.serving import ROOT, Server, session_path

pytestmark = pytest.mark.processes


def run(program: str, url: str, timeout_s: float = 60) -> str:
    """Run a program that reports to a server, and return its output and log."""
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={"PROGRESS_SSE_URL": url, "PROGRESS_SSE_SESSION": "nightly", "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    assert "Traceback" not in ran.stdout, ran.stdout
    return ran.stdout


def shown(server: Server) -> tuple[list[str], int]:
    """Return the status of each step of the session, and the number of transitions."""
    response = httpx.get(server.url + session_path("nightly"))
    body: Any = response.json()
    return [step["status"] for step in body["steps"]], int(response.headers["etag"].strip('"').rpartition("-")[2])


WITHOUT_A_BLOCK = """
    from progress_sse import Progress

    progress = Progress(steps=["One", "Two"])
    progress.step(1).start()
    progress.step(1).complete()
"""

ON_A_LOOP_WITHOUT_A_BLOCK = """
    import asyncio
    from progress_sse import AsyncProgress

    async def main():
        progress = AsyncProgress(steps=["One", "Two"])
        progress.step(1).start()
        progress.step(1).complete()

    asyncio.run(main())
"""

BEFORE_A_LOOP = """
    from progress_sse import AsyncProgress

    progress = AsyncProgress(steps=["One", "Two"])
    progress.step(1).start()
    progress.step(1).complete()
"""


ON_A_LOOP_THAT_IS_LEFT = """
    import asyncio
    from progress_sse import AsyncProgress

    async def main():
        progress.step(1).start()
        progress.step(1).complete()

    progress = AsyncProgress(steps=["One", "Two"])
    asyncio.new_event_loop().run_until_complete(main())
"""


@pytest.mark.parametrize("program", [WITHOUT_A_BLOCK, ON_A_LOOP_WITHOUT_A_BLOCK, ON_A_LOOP_THAT_IS_LEFT, BEFORE_A_LOOP])
def test_reports_are_sent_before_the_process_exits(serve: Serve, program: str) -> None:
    """This holds also without a block, and where the event loop ends first."""
    server = serve()
    assert run(program, server.url) == ""
    assert shown(server) == (["success", "pending"], 2)


WITH_MULTIPROCESSING_LOADED = f"""
    import multiprocessing.util
    {WITHOUT_A_BLOCK}
"""


@pytest.mark.parametrize("program", [WITHOUT_A_BLOCK, ON_A_LOOP_WITHOUT_A_BLOCK, WITH_MULTIPROCESSING_LOADED])
def test_a_process_exits_without_its_server(program: str) -> None:
    """It gives up after a time limit, without an error, and logs the unsent reports."""
    output = run(program, f"http://{HOST}:{free_port()}", timeout_s=30)
    assert "cannot report on 'nightly'" in output
    assert output.count("the process ends before all reports on 'nightly' were sent") == 1


FORK = """
    import os, sys
    from progress_sse import Progress

    def wait_for(child):
        assert os.waitpid(child, 0)[1] == 0

    with Progress(steps=["One", "Two", "Three"]) as progress:
        with progress.step(1):
            progress.flush()               # The parent has its connection,
            progress.step(3).start()       # and an unsent report.
            child = os.fork()
            if child == 0:
                with progress.step(2) as step:
                    step.advance()
                sys.exit()
            wait_for(child)
        progress.step(3).complete()
"""


def test_parent_and_child_report_after_a_fork(serve: Serve) -> None:
    """Each has its own connection, and reports that waited at the fork are sent once.

    A child that ends by an exception, as `sys.exit` is one, ends the blocks around it, too: so step 1 fails first.
    """
    server = serve()
    run(FORK, server.url)
    statuses, transitions = shown(server)
    assert statuses == ["success"] * 3
    # Start and end of each step, the child's failure of step 1, and an advance if it was faster than the end.
    assert transitions in {7, 8}


WHO_SENDS = """
    import os, sys, threading, time
    from progress_sse import Progress
    from progress_sse.client.exchange import ReportAnswer

    gate, asked = threading.Event(), threading.Event()

    class Transport:
        def send(self, request):
            os.write(1, f"{'parent' if os.getpid() == parent else 'child'} {request.report}\\n".encode())
            asked.set()
            assert gate.wait(20)
            return ReportAnswer(200)

    parent = os.getpid()
    progress = Progress.attach(transport=Transport())
    for step in (1, 2, 3):
        progress.step(step).start()        # One is under way, or about to be; the others wait.
    child = os.fork()
    if child == 0:
        gate, asked = threading.Event(), threading.Event()
        gate.set()
        progress.step(4).start()
        assert asked.wait(20)
        assert progress.flush()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    gate.set()
    assert progress.flush()
"""


def test_a_child_sends_no_report_of_its_parent() -> None:
    """This includes reports that waited or were under way at the fork; the child has its own thread."""
    # Newer Pythons warn of a fork beside threads, which this test makes on purpose.
    sent = [line for line in run(WHO_SENDS, "").splitlines() if line.startswith(("child ", "parent "))]
    assert sorted(sent) == [
        "child Start(step=4, timeout_ms=None)",
        *(f"parent Start(step={step}, timeout_ms=None)" for step in (1, 2, 3)),
    ]


MULTIPROCESSING = """
    import multiprocessing
    from progress_sse import Progress

    def work(number):
        step = Progress.attach().step(number)
        step.start()
        step.complete()

    if __name__ == "__main__":
        with Progress(steps=["One", "Two", "Three"]) as progress:
            progress.step(1).start()
            progress.flush()
            processes = [multiprocessing.get_context("fork").Process(target=work, args=[n]) for n in (2, 3)]
            for process in processes:
                process.start()
            for process in processes:
                process.join()
                assert process.exitcode == 0
            progress.step(1).complete()
"""


def test_children_of_multiprocessing_report(serve: Serve) -> None:
    """They run no `atexit` functions, and yet their last reports are sent."""
    server = serve()
    run(MULTIPROCESSING, server.url)
    assert shown(server) == (["success"] * 3, 6)


IMPORTS = """
    import sys
    from progress_sse import Progress

    with Progress(steps=["One"]) as progress:
        loaded = set(sys.modules)
        progress.step(1).start()
    print(*set(sys.modules) - loaded)
"""


def test_the_thread_imports_nothing(serve: Serve) -> None:
    """A fork during an import would leave the child with a half-loaded module."""
    assert run(IMPORTS, serve().url).strip() == ""


FORK_WHILE_IMPORTING = """
    import os, signal, sys, threading
    from progress_sse import AsyncProgress, Progress

    threading.Thread(target=lambda: {kind}.attach()).start()
    while "progress_sse.client.http" not in sys.modules:
        pass
    child = os.fork()
    if child == 0:
        signal.alarm(20)                   # It must not outlive a test that fails.
        progress = Progress.attach()
        progress.step(2).start()
        os._exit(not progress.flush(10))
    assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.parametrize("kind", ["Progress", "AsyncProgress"])
def test_a_child_forked_during_an_import_reports(serve: Serve, kind: str) -> None:
    """The importing thread is not in the child, which would wait for it."""
    server = serve()
    run(FORK_WHILE_IMPORTING.format(kind=kind), server.url, timeout_s=30)
    assert shown(server)[0][1] == "running"


FORK_WHILE_CONNECTING = """
    import os, threading, time
    import httpx
    from progress_sse import Progress

    opensslish, is_connecting = threading.Lock(), threading.Event()

    class Client(httpx.Client):
        def __init__(self, **options):
            with opensslish:
                is_connecting.set()
                time.sleep(0.5)            # The duration on a busy machine.
                super().__init__(**options)

    httpx.Client = Client
    progress = Progress.attach()
    progress.step(1).start()
    assert is_connecting.wait(20)
    child = os.fork()
    if child == 0:
        progress.step(2).start()
        os._exit(not progress.flush(10))
    assert os.waitpid(child, 0)[1] == 0
"""


def test_a_child_forked_during_a_connect_connects(serve: Serve) -> None:
    """OpenSSL holds locks meanwhile, which no thread of the child would release."""
    server = serve()
    run(FORK_WHILE_CONNECTING, server.url)
    assert shown(server)[0][:2] == ["running"] * 2


ON_A_LOOP_OF_ANOTHER_THREAD = """
    import asyncio, threading
    from progress_sse import AsyncProgress

    async def main():
        progress.step(1).start()
        progress.step(1).complete()
        has_reported.set()
        await asyncio.sleep(3600)

    has_reported = threading.Event()
    progress = AsyncProgress(steps=["One", "Two"])
    threading.Thread(target=asyncio.run, args=[main()], daemon=True).start()
    assert has_reported.wait(20)
"""


def test_reports_of_a_loop_in_another_thread_are_sent_before_the_process_exits(serve: Serve) -> None:
    """That loop still runs, and transfers its reports to the thread."""
    server = serve()
    assert run(ON_A_LOOP_OF_ANOTHER_THREAD, server.url) == ""
    assert shown(server) == (["success", "pending"], 2)


FORK_WHILE_LOADING = """
    import os, signal, threading
    from progress_sse import Progress
    from progress_sse.client import loading

    is_loading, may_end = threading.Event(), threading.Event()

    def load():
        with loading.loading():
            is_loading.set()
            assert may_end.wait(60)        # Like a finaliser that needs a lock of the forking thread.

    loading.LIMIT_S = 0.1
    threading.Thread(target=load).start()
    assert is_loading.wait(20)
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        progress = Progress.attach()
        progress.step(2).start()
        os._exit(not progress.flush(10))
    assert os.waitpid(child, 0)[1] == 0
    may_end.set()
"""


SIGNALS = """
import logging, os, signal, threading
from progress_sse import Progress

has_tried = threading.Event()
handler = logging.Handler()
handler.emit = lambda record: has_tried.set()
logging.getLogger("progress_sse.client").addHandler(handler)
Progress.attach("s", url="http://127.0.0.1:9").step(1).start()
assert has_tried.wait(60)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
os.kill(os.getpid(), signal.SIGTERM)
assert signal.SIGTERM in signal.sigpending()
os._exit(0)
"""


def test_the_thread_takes_no_signal_of_the_job() -> None:
    """A signal that the job blocks for a while waits for the job, and does not end the process through the thread."""
    assert subprocess.run([sys.executable, "-c", SIGNALS], timeout=100, check=False).returncode == 0


def test_a_fork_waits_for_the_creation_of_a_client_up_to_a_limit(serve: Serve) -> None:
    """Its creation may wait for a lock of the forking thread; the child creates its own."""
    server = serve()
    run(FORK_WHILE_LOADING, server.url, timeout_s=40)
    assert shown(server)[0][1] == "running"


REGISTERED_BEFORE = """
    import atexit, os
    from functools import partial

    def last():
        progress.step(1).complete()
        progress.step(2).start()
        os.write(1, f"lost {progress.lost}\\n".encode())

    atexit.register(last)                  # Runs after all that is registered later.
    from progress_sse import Progress

    progress = Progress(steps=["One", "Two"])
    progress.step(1).start()
"""

FIRST_REPORT = """
    import atexit, os

    def last():
        progress.step(1).start()
        progress.step(1).complete()
        progress.step(2).start()
        os.write(1, f"lost {progress.lost}\\n".encode())

    atexit.register(last)
    from progress_sse import Progress

    progress = Progress(steps=["One", "Two"])
"""

WITHOUT_A_THREAD = """
    import atexit, os

    def start_new_thread(*_):              # As some versions of Python do by then.
        raise RuntimeError("can't create new thread at interpreter shutdown")

    def last():
        report_queue.start_new_thread = start_new_thread
        progress.step(1).start()
        progress.step(1).complete()
        progress.step(2).start()
        os.write(1, f"lost {progress.lost}\\n".encode())

    atexit.register(last)
    from progress_sse import Progress
    from progress_sse.client import report_queue

    progress = Progress(steps=["One", "Two"])
"""

ON_A_LOOP_THAT_HAS_ENDED = """
    import asyncio, atexit, os

    def last():
        progress.step(1).complete()
        progress.step(2).start()
        os.write(1, f"lost {progress.lost}\\n".encode())

    atexit.register(last)
    from progress_sse import AsyncProgress

    async def main():
        global progress
        async with AsyncProgress(steps=["One", "Two"]) as progress:
            progress.step(1).start()

    asyncio.run(main())
"""

IN_A_CHILD_OF_MULTIPROCESSING = """
    import multiprocessing, os
    from multiprocessing import util
    from progress_sse import Progress

    def last():
        progress.step(1).complete()
        progress.step(2).start()
        os.write(1, f"lost {progress.lost}\\n".encode())

    def work():
        global progress
        progress = Progress(steps=["One", "Two"])
        progress.step(1).start()
        util.Finalize(None, last, exitpriority=-1)

    if __name__ == "__main__":
        process = multiprocessing.get_context("fork").Process(target=work)
        process.start()
        process.join()
        assert process.exitcode == 0
"""

LATE = {
    "registered before": REGISTERED_BEFORE,
    "first report": FIRST_REPORT,
    "no thread": WITHOUT_A_THREAD,
    "loop has ended": ON_A_LOOP_THAT_HAS_ENDED,
    "multiprocessing": IN_A_CHILD_OF_MULTIPROCESSING,
}


@pytest.mark.parametrize("program", LATE.values(), ids=LATE.keys())
def test_reports_during_the_exit_of_the_process_are_sent(serve: Serve, program: str) -> None:
    """This includes reports of exit functions that run after ours."""
    server = serve()
    assert run(program, server.url) == "lost 0\n"
    assert shown(server) == (["success", "running"], 3)


@pytest.mark.parametrize(
    "program",
    [
        LATE["registered before"],
        LATE["no thread"],
        *(pytest.param(LATE[name], marks=pytest.mark.full) for name in ("first report", "loop has ended")),
        pytest.param(LATE["multiprocessing"], marks=pytest.mark.full),
    ],
)
def test_unsent_reports_during_the_exit_of_the_process_are_counted(program: str) -> None:
    """The server is away: the process waits as long as for earlier reports, and logs that once."""
    *lines, lost = run(program, f"http://{HOST}:{free_port()}", timeout_s=30).splitlines()
    assert lost == "lost 4", "the creation, two starts, and a completion"
    assert len([line for line in lines if "the process ends before all reports on 'nightly' were sent" in line]) == 1


BY_A_FINALISER = """
    import os
    from progress_sse import Progress

    class Work:
        def __init__(self, progress):
            self.step, self.write = progress.step(2), os.write

        def __del__(self):
            self.step.start()
            self.step.complete()
            self.write(1, f"lost {self.step.reporter.lost}\\n".encode())

    progress = Progress(steps=["One", "Two"])
    work = Work(progress)
    progress.step(1).start()
"""


def test_reports_of_late_finalisers_are_counted(serve: Serve) -> None:
    """Python runs no more threads by then; the log has a line."""
    server = serve()
    assert run(BY_A_FINALISER, server.url) == "the process ends before all reports on 'nightly' were sent\nlost 2\n"
    assert shown(server) == (["running", "pending"], 1)
