"""The exit of a process that has reports to send, in separate programs."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.client.programs import run, shown, start
from tests.conftest import Serve
from tests.harness.http1 import HOST, free_port
from tests.harness.serving import Server

pytestmark = pytest.mark.processes


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

BEFORE_A_LOOP = WITHOUT_A_BLOCK.replace("Progress", "AsyncProgress")

ON_A_LOOP_THAT_IS_LEFT = """
    import asyncio
    from progress_sse import AsyncProgress

    async def main():
        progress.step(1).start()
        progress.step(1).complete()

    progress = AsyncProgress(steps=["One", "Two"])
    asyncio.new_event_loop().run_until_complete(main())
"""

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


@pytest.mark.parametrize(
    "program",
    [WITHOUT_A_BLOCK, ON_A_LOOP_WITHOUT_A_BLOCK, ON_A_LOOP_THAT_IS_LEFT, ON_A_LOOP_OF_ANOTHER_THREAD, BEFORE_A_LOOP],
)
def test_reports_are_sent_before_the_process_exits(serve: Serve, program: str) -> None:
    """This holds without a block, where the event loop ends first, and where one in another thread still runs."""
    server = serve()
    assert run(program, server.url) == ""
    assert shown(server) == (["success", "pending"], 2)


WITH_MULTIPROCESSING_LOADED = f"""
    import multiprocessing.util
    {WITHOUT_A_BLOCK}
"""


@pytest.mark.parametrize(
    "program",
    [
        WITHOUT_A_BLOCK,
        *(
            pytest.param(each, marks=pytest.mark.full)
            for each in (ON_A_LOOP_WITHOUT_A_BLOCK, WITH_MULTIPROCESSING_LOADED)
        ),
    ],
)
@pytest.mark.full
def test_a_process_exits_without_its_server(program: str) -> None:
    """It gives up after a time limit, without an error, and logs the unsent reports."""
    output = run(program, f"http://{HOST}:{free_port()}", timeout_s=30)
    assert "cannot report on 'nightly'" in output
    assert output.count("the process ends before all reports on 'nightly' were sent") == 1


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


AT_EXIT = """
    import atexit, os

    def last():
        progress.step(1).complete()
        progress.step(2).start()
        os.write(1, f"lost {progress.lost}\\n".encode())

    atexit.register(last)                  # Runs after the functions that are registered later.
"""

CREATION = """
    from progress_sse import Progress

    progress = Progress(steps=["One", "Two"])
"""

REGISTERED_BEFORE = f"{AT_EXIT}{CREATION}    progress.step(1).start()\n"

FIRST_REPORT = AT_EXIT.replace("last():", "last():\n        progress.step(1).start()") + CREATION

WITHOUT_A_THREAD = """
    import atexit, os

    def start_new_thread(*_):              # Some versions of Python raise this during the exit.
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

ON_A_LOOP_THAT_HAS_ENDED = f"""{AT_EXIT}
    import asyncio
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

FIRST_IMPORT = """
    import atexit, threading

    def last():
        import os
        from progress_sse import Progress

        progress = Progress(steps=["One", "Two"])
        progress.step(1).start()
        progress.step(1).complete()
        progress.step(2).start()
        os.write(1, f"lost {progress.lost}\\n".encode())

    atexit.register(last)
"""

FIRST_IMPORT_IN_A_CHILD_OF_MULTIPROCESSING = FIRST_IMPORT.replace(
    "    atexit.register(last)",
    """
    import multiprocessing
    from multiprocessing import util

    process = multiprocessing.get_context("fork").Process(target=util.Finalize, args=[None, last, (), None, -1])
    process.start()
    process.join()
    assert process.exitcode == 0
""",
)

LATE = {
    "registered before": REGISTERED_BEFORE,
    "first report": FIRST_REPORT,
    "no thread": WITHOUT_A_THREAD,
    "loop has ended": ON_A_LOOP_THAT_HAS_ENDED,
    "multiprocessing": IN_A_CHILD_OF_MULTIPROCESSING,
    "first import": FIRST_IMPORT,
    "first import, multiprocessing": FIRST_IMPORT_IN_A_CHILD_OF_MULTIPROCESSING,
}


def with_patience(program: str, seconds: str) -> str:
    """The program, with another time to wait at its end."""
    assert '"Two"])' in program
    return program.replace('"Two"])', f'"Two"], flush_timeout_s={seconds})')


@pytest.mark.guarantee(50)
def test_a_server_that_returns_during_the_exit_of_the_process_gets_the_reports(tmp_path: Path) -> None:
    """It returns within `flush_timeout_s`."""
    server = Server(tmp_path)
    with start(with_patience(WITHOUT_A_BLOCK, "60"), server.url) as process:
        assert process.stdout is not None
        assert "cannot report on 'nightly'" in process.stdout.readline()
        with server:
            rest, _ = process.communicate(timeout=90)
            assert (process.returncode, rest) == (0, "")
            assert shown(server) == (["success", "pending"], 2)


def test_a_job_may_wait_for_ever(serve: Serve) -> None:
    """Also where its main thread sends the last reports itself."""
    server = serve()
    assert run(with_patience(WITHOUT_A_THREAD, 'float("inf")'), server.url) == "lost 0\n"
    assert shown(server) == (["success", "running"], 3)


@pytest.mark.guarantee(50)
@pytest.mark.parametrize("program", LATE.values(), ids=LATE.keys())
@pytest.mark.full
def test_reports_during_the_exit_of_the_process_are_sent(serve: Serve, program: str) -> None:
    """This includes reports of exit functions that run after ours; a block warns of the step that it leaves."""
    server = serve()
    assert run(program, server.url).splitlines()[-1] == "lost 0"
    assert shown(server) == (["success", "running"], 3)


@pytest.mark.guarantee(50)
@pytest.mark.parametrize("program", LATE.values(), ids=LATE.keys())
@pytest.mark.full
def test_unsent_reports_during_the_exit_of_the_process_are_counted(program: str) -> None:
    """The server is away: the process waits as long as for earlier reports, and logs that once."""
    *lines, lost = run(program, f"http://{HOST}:{free_port()}", timeout_s=30).splitlines()
    assert lost == "lost 4", "the creation, two starts, and a completion"
    assert len([line for line in lines if "the process ends before all reports on 'nightly' were sent" in line]) == 1


@pytest.mark.guarantee(50)
@pytest.mark.full
def test_reports_of_a_first_import_during_the_exit_are_counted() -> None:
    """Without `threading` nothing shows that the process exits; the log, which locks no stderr here, has a line."""
    log = 'logging.lastResort.handle = lambda each: os.write(2, f"{each.getMessage()}\\n".encode())'
    program = FIRST_IMPORT.replace(", threading", "").replace("import os\n", f"import os, logging; {log}\n")
    output = run(program, f"http://{HOST}:{free_port()}", timeout_s=30)
    assert output.count("the process ends before all reports on 'nightly' were sent") == 1


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


@pytest.mark.guarantee(50)
@pytest.mark.full
def test_reports_of_late_finalisers_are_counted(serve: Serve) -> None:
    """Python runs no more threads by then; the log has a line."""
    server = serve()
    assert run(BY_A_FINALISER, server.url) == "the process ends before all reports on 'nightly' were sent\nlost 2\n"
    assert shown(server) == (["running", "pending"], 1)
