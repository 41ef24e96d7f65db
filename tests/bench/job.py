"""The cost of reporting to a job, whatever happens to the server."""

import contextlib
import hashlib
import logging
from collections.abc import Callable, Iterable
from time import perf_counter

from progress_sse import Progress
from tests.bench.gauges import pss_kib
from tests.bench.plan import Figures, Job

TURNS = 5
"""The number of runs with reports and of runs without, in turn; the shortest of each counts."""

DATA = b"x" * 65_536


def measure_job(job: Job, url: str, pid: int) -> Figures:
    """Run the job repeatedly, in turn with reports and without."""
    logging.getLogger("progress_sse").setLevel(logging.CRITICAL)
    progress = Progress("job", steps=["first", "rows", "last"], url=url)
    plain, reported = [], []
    with contextlib.ExitStack() as stack:
        stack.enter_context(progress)
        _with_reports(job, progress)
        before_kib = pss_kib(pid)
        for _ in range(TURNS):
            plain.append(_timed(lambda: _plainly(job)))
            reported.append(_timed(lambda: _with_reports(job, progress)))
        grown_kib = pss_kib(pid) - before_kib
        end_s = _timed(stack.close)
    return {
        "plain_s": min(plain),
        "reported_s": min(reported),
        "cost_percent": (min(reported) / min(plain) - 1) * 100,
        "end_s": end_s,
        "grown_kib": grown_kib,
        "lost": progress.lost,
    }


def _timed(call: Callable[[], object]) -> float:
    started = perf_counter()
    call()
    return perf_counter() - started


def _plainly(job: Job) -> None:
    _work_on(range(job.rows))


def _with_reports(job: Job, progress: Progress) -> None:
    with progress.step(1):
        pass
    with progress.step(2) as step:
        _work_on(step.track(range(job.rows)))
    with progress.step(3):
        pass


def _work_on(rows: Iterable[int]) -> None:
    for _ in rows:
        hashlib.sha256(DATA).digest()
