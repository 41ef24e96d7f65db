"""Forks in separate programs: parent and child report, each with its own thread and connection."""

from pathlib import Path

import httpx
import pytest

from tests.client.programs import run, shown
from tests.client.test_greenlets import GEVENT
from tests.conftest import Serve
from tests.harness.serving import session_path

pytestmark = pytest.mark.processes


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
    """Each has its own connection, and reports that waited at the fork are sent once."""
    server = serve()
    run(FORK, server.url)
    statuses, transitions = shown(server)
    assert statuses == ["success"] * 3
    # Start and end of each step, and an advance if it was faster than the end.
    assert transitions in {6, 7}


FORK_IN_BLOCKS = """
    import os
    from progress_sse import Progress

    with Progress(steps=["One"]) as progress:
        with progress.step(1) as step, step.part("a"):
            progress.flush()
            child = os.fork()
            if child == 0:
                {child}
            os.waitpid(child, 0)
            print("statuses:", *(each["status"] for each in step_and_part()))
"""

READ = """
    import httpx
    def step_and_part():
        address = os.environ["PROGRESS_SSE_URL"] + "/api/progress/nightly"
        [step] = httpx.get(address).json()["steps"]
        return step, *step["parts"]["listed"]
"""


@pytest.mark.parametrize("child", ["raise SystemExit", "raise SystemExit('in the child')"])
def test_a_child_does_not_end_the_blocks_of_its_parent(serve: Serve, child: str) -> None:
    """It leaves them by any exception, and the work of the parent goes on."""
    output = run(READ + FORK_IN_BLOCKS.format(child=child), serve().url)
    assert "statuses: running running" in output


WHO_SENDS = """
    import os, sys, threading, time
    from progress_sse import Progress
    from progress_sse.client.exchange import ReportAnswer

    gate, asked = threading.Event(), threading.Event()

    class Transport:
        def send(self, request):
            os.write(1, f"{'parent' if os.getpid() == parent else 'child'} {request.report.step}\\n".encode())
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
    assert sorted(sent) == ["child 4", *(f"parent {step}" for step in (1, 2, 3))]


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
    {0}
    import sys
    from progress_sse import Progress

    progress = Progress(steps=["One"])
    loaded = set(sys.modules)
    progress.step(1).start()
    progress.close()
    print(*set(sys.modules) - loaded)
"""


@pytest.mark.parametrize("patch", ["", pytest.param(GEVENT, marks=pytest.mark.full)], ids=["threads", "gevent"])
def test_the_thread_imports_nothing(serve: Serve, patch: str) -> None:
    """A fork during an import would leave the child with a half-loaded module, or with the lock of the import."""
    assert run(IMPORTS.format(patch), serve().url).strip() == ""


FORK_WHILE_IMPORTING = """
    import os, signal, sys, threading
    from progress_sse import AsyncProgress, Progress

    threading.Thread(target=lambda: {kind}.attach()).start()
    while "progress_sse.client.http" not in sys.modules:
        pass
    child = os.fork()
    if child == 0:
        signal.alarm(80)                   # A failed test leaves no child behind.
        progress = Progress.attach()
        progress.step(2).start()
        os._exit(not progress.flush(60))
    assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.parametrize("kind", ["Progress", "AsyncProgress"])
@pytest.mark.full
def test_a_child_forked_during_an_import_reports(serve: Serve, kind: str) -> None:
    """The importing thread is not in the child, which would wait for it."""
    server = serve()
    run(FORK_WHILE_IMPORTING.format(kind=kind), server.url, timeout_s=90)
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


@pytest.mark.full
def test_a_child_forked_during_a_connect_connects(serve: Serve) -> None:
    """OpenSSL holds locks meanwhile, which no thread of the child would release."""
    server = serve()
    run(FORK_WHILE_CONNECTING, server.url)
    assert shown(server)[0][:2] == ["running"] * 2


FORK_WHILE_LOADING = """
    import os, signal, threading
    from progress_sse import Progress
    from progress_sse._internal import threads

    is_loading, may_end = threading.Event(), threading.Event()

    def load():
        with threads.loading():
            is_loading.set()
            assert may_end.wait(60)        # Like a finaliser that needs a lock of the forking thread.

    threads.LOADING_S = 0.1
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


@pytest.mark.full
def test_a_fork_waits_for_the_creation_of_a_client_up_to_a_limit(serve: Serve) -> None:
    """Its creation may wait for a lock of the forking thread; the child creates its own."""
    server = serve()
    run(FORK_WHILE_LOADING, server.url, timeout_s=40)
    assert shown(server)[0][1] == "running"


INDEX = """
def index(session_id, number):
    from progress_sse import Progress

    with Progress.attach(session_id).step(1).part(f"shard-{number}"):
        pass
"""

AT_ONCE = """
    import multiprocessing, os, sys
    from concurrent.futures import ProcessPoolExecutor
    from progress_sse import Progress

    _, folder, share, start_method = sys.argv
    sys.path.insert(0, folder)
    from workers import index

    def by_os(session_id, step):
        children = []
        for number in range(4):
            children.append(os.fork())
            if not children[-1]:
                with step.part(f"shard-{number}"):
                    pass
                step.reporter.close()
                os._exit(step.reporter.lost)
        for child in children:
            assert os.waitpid(child, 0)[1] == 0

    def by_multiprocessing(session_id, step):
        fork = multiprocessing.get_context(start_method)
        children = [fork.Process(target=index, args=[session_id, number]) for number in range(4)]
        for child in children:
            child.start()
        for child in children:
            child.join()

    def by_pool(session_id, step):
        list(pool.map(index, [session_id] * 4, range(4)))

    pool = ProcessPoolExecutor(4, multiprocessing.get_context(start_method))
    list(pool.map(abs, range(40)))         # Its processes are there before the first session.
    for number in range(10):
        session_id = f"many-{number}"
        with Progress(session_id, steps=["Index"]) as progress:
            if share == "by_os":
                progress.step(1).start()
                progress.flush()
                progress.step(1).fail("first attempt")
            with progress.step(1, parts_total=4) as step:
                globals()[share](session_id, step)
    pool.shutdown()                        # Its processes send what waits.
"""


@pytest.mark.guarantee(97)
@pytest.mark.parametrize(
    ("share", "start_method"),
    [
        ("by_os", "fork"),
        ("by_multiprocessing", "fork"),
        ("by_pool", "fork"),
        pytest.param("by_pool", "forkserver", marks=pytest.mark.full),
        pytest.param("by_pool", "spawn", marks=pytest.mark.full),
    ],
)
def test_parts_that_begin_at_once_come_after_the_start_of_their_step(
    serve: Serve, tmp_path: Path, share: str, start_method: str
) -> None:
    """It has not been sent when other processes begin to report: children of a fork, or workers that were there.

    The server accepts parts of a former attempt, which the start of the next one would drop.
    """
    server = serve()
    (tmp_path / "workers.py").write_text(INDEX)
    output = run(AT_ONCE, server.url, 60, str(tmp_path), share, start_method)
    for number in range(10):
        [step] = httpx.get(server.url + session_path(f"many-{number}")).json()["steps"]
        assert (step["status"], step["parts"]["success"]) == ("success", 4), output
