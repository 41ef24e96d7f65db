"""Jobs whose threads are greenlets: a report stops no signal of the process, and no other greenlet."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.client.programs import run, shown, start
from tests.conftest import Serve
from tests.harness.http1 import HOST, free_port
from tests.harness.serving import ROOT

pytestmark = [pytest.mark.processes, pytest.mark.guarantee(77)]

GEVENT = "from gevent import monkey; monkey.patch_all()"
# Its look-up of names imports dnspython, and with that httpcore2 and trio where they are installed, which it breaks.
EVENTLET = (
    "import os, warnings; os.environ['EVENTLET_NO_GREENDNS'] = 'yes'; warnings.simplefilter('ignore'); "
    "import eventlet; eventlet.monkey_patch()"
)
IMPORT = "from progress_sse import Progress"
REPORT = f"{IMPORT}; Progress(steps=['One', 'Two']).step(1).start()"

JOB = """
import signal, subprocess, time
{0}
{1}
from progress_sse import Progress

with Progress(steps=["One", "Two"]) as progress:
    progress.step(1).run(subprocess.run, ["true"], check=True)
    progress.step(2).run(progress.flush)
    print(progress.flush(), progress.lost, *signal.pthread_sigmask(signal.SIG_BLOCK, []), flush=True)
    time.sleep(60)
"""

ORDERS = {
    "gevent": (GEVENT, ""),
    "gevent after the import": (IMPORT, GEVENT),
    "gevent after a report": (REPORT, GEVENT),
    "eventlet": (EVENTLET, ""),
    "eventlet after the import": (IMPORT, EVENTLET),
    "eventlet after a report": (REPORT, EVENTLET),
}


@pytest.mark.parametrize(
    "order",
    [pytest.param(each, id=name, marks=[] if name == "gevent" else pytest.mark.full) for name, each in ORDERS.items()],
)
@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.full)])
def test_signals_end_a_job_that_has_reported(serve: Serve, order: tuple[str, str], number: signal.Signals) -> None:
    """Its reports arrive, and a process that it starts is waited for: SIGCHLD comes, too."""
    server = serve()
    with start(JOB.format(*order), server.url) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True 0\n"
        assert shown(server) == (["success"] * 2, 4)
        process.send_signal(number)
        output, _ = process.communicate(timeout=30)
        assert ("KeyboardInterrupt" in output) == (number == signal.SIGINT)


AT_ONCE = """
    {0}
    import threading

    def work(number):
        from progress_sse import Progress

        with Progress(f"{{number}}", steps=["One"]) as progress:
            progress.step(1).run(progress.flush)
        print(progress.lost)

    threads = [threading.Thread(target=work, args=[number]) for number in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


@pytest.mark.parametrize("patch", [GEVENT, pytest.param(EVENTLET, marks=pytest.mark.full)], ids=["gevent", "eventlet"])
def test_two_greenlets_begin_at_once(serve: Serve, patch: str) -> None:
    """HTTP's library imports trio where that is installed, which runs a process meanwhile."""
    server = serve()
    assert run(AT_ONCE.format(patch), server.url) == "0\n0\n"
    for name in ("1", "2"):
        assert httpx.get(f"{server.url}/api/progress/{name}").json()["status"] == "completed"


WAIT = f"""
    {GEVENT}
    import gevent, signal, time
    from progress_sse import Progress

    progress = Progress.attach(flush_timeout_s=2)
    progress.step(1).start()
    other = gevent.spawn(gevent.sleep, 0.1)
    progress.close()
    print(other.ready())
    signal.signal(signal.SIGALRM, lambda *_: progress.flush(0.1))  # Gevent calls it where nothing can switch.
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    gevent.sleep(0.5)
"""


def test_other_greenlets_run_while_one_waits_for_its_reports() -> None:
    """The server is away. A wait in a signal handler, where no greenlet can be left, raises nothing."""
    assert "True\n" in run(WAIT, f"http://{HOST}:{free_port()}")


WITHOUT_A_PAUSE = f"""
    {GEVENT}
    import time
    from progress_sse import Progress
    from progress_sse.client.exchange import ReportAnswer

    class Transport:
        def send(self, request):
            sent.append(request)
            return ReportAnswer(200)

    sent = []
    Progress.attach(transport=Transport()).step(1).start()
    until = time.monotonic() + 20
    while not sent and time.monotonic() < until:
        pass
    print(len(sent))
"""


def test_reports_are_sent_while_no_greenlet_pauses() -> None:
    """The thread that sends them is one of the system."""
    assert run(WITHOUT_A_PAUSE, "") == "1\n"


ASKED = f"""
    {GEVENT}
    import time
    from progress_sse import Progress

    with Progress(steps=["One"], accepts=["cancel"]) as progress, progress.step(1) as step:
        progress.on_request(lambda request: print("asked", flush=True))
        other = Progress("other", steps=["One"], accepts=["cancel"])  # Interrupts the wait for requests.
        with other, other.step(1):
            print(progress.flush(), flush=True)
            while True:
                step.check()
                time.sleep(0.01)
"""


def test_a_request_to_cancel_reaches_a_greenlet(serve: Serve) -> None:
    """The threads that wait for it are those of the system, too."""
    server = serve()
    with start(ASKED, server.url) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        httpx.post(f"{server.url}/api/progress/nightly/requests", json={"kind": "cancel"}).raise_for_status()
        assert process.stdout.readline() == "asked\n"
        output, _ = process.communicate(timeout=30)
        assert "Cancelled" in output


APPLICATION = """
import os
from progress_sse import Progress

def application(environ, start_response):
    with Progress("nightly", steps=["One"]) as progress:
        progress.step(1).run(progress.flush)
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]
"""


def test_a_worker_of_gunicorn_that_has_reported_ends(serve: Serve, tmp_path: Path) -> None:
    """Gunicorn would kill it after `graceful-timeout`."""
    server, port = serve(), free_port()
    (tmp_path / "web.py").write_text(APPLICATION)
    command = ["gunicorn", "-k", "gevent", "-b", f"{HOST}:{port}", "--graceful-timeout", "60", "web:application"]
    with subprocess.Popen(
        [str(Path(sys.executable).parent / command[0]), *command[1:]],
        cwd=tmp_path,
        env={**os.environ, "PROGRESS_SSE_URL": server.url, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    ) as gunicorn:
        assert gunicorn.stderr is not None
        while "Booting worker" not in gunicorn.stderr.readline():
            assert gunicorn.poll() is None
        worker = int(httpx.get(f"http://{HOST}:{port}", timeout=60).text)
        assert shown(server) == (["success"], 2)
        gunicorn.terminate()
        gunicorn.communicate(timeout=30)
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)
