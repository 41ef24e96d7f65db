"""Jobs of RQ as steps: each that was enqueued as one reports its start, its end, its retries and its loss.

::

    queue.enqueue(parse, path, meta={"progress_session": "import-42", "progress_step": 2})

and the workers are started by ``rq worker --worker-class progress_sse.bridges.rq.ReportingWorker``. Without a
``progress_session`` the session has the job's id.
"""

import sys
from typing import Any, Final

from rq import Retry, Worker
from rq.job import Job, JobStatus
from rq.worker import BaseWorker

from progress_sse.bridges.attempts import SESSION_KEY, STEP_KEY, Attempt, report_loss
from progress_sse.client.reports import StepRef
from progress_sse.client.thread_sender import thread_sender

__all__ = ["ReportingMixin", "ReportingWorker"]

_RETRIES_KEY: Final = "progress_retries"
"""The key in a job's meta for its number of retries; RQ itself keeps only the retries that are left."""


class ReportingMixin(BaseWorker):
    """A mixin that makes a worker report: ``class MyWorker(ReportingMixin, SimpleWorker): …``."""

    _attempt: Attempt | None = None

    def perform_job(self, job: Job, *args: Any, **options: Any) -> bool:
        """Run a job inside its step."""
        self._attempt = Attempt(*_session_and_step(job))
        self._attempt.begin(job.meta.get(_RETRIES_KEY, 0))
        try:
            return super().perform_job(job, *args, **options)
        finally:
            self._attempt.leave()
            self._attempt = None
            if self.is_horse:
                thread_sender().end()  # A work horse runs no `atexit` functions.

    def handle_job_success(self, *args: Any, **options: Any) -> None:
        """Complete the step of a job, and continue as RQ does."""
        if self._attempt is not None:
            self._attempt.complete()
        super().handle_job_success(*args, **options)

    def handle_job_retry(self, job: Job, queue: Any, retry: Retry, *args: Any, **options: Any) -> None:
        """Handle a job that requests another attempt as RQ does, and report the outcome."""
        _count_retry(job)
        super().handle_job_retry(job, queue, retry, *args, **options)
        if self._attempt is None:
            return
        if job.get_status(refresh=False) == JobStatus.FAILED:
            self._attempt.fail("no attempts left")
        else:
            self._attempt.wait("the job asked for it")

    def handle_job_failure(self, job: Job, *args: Any, **options: Any) -> None:
        """Report whether a job has failed or will be retried, and continue as RQ does."""
        error = sys.exception() or options.get("exc_string", "")
        if job.should_retry and self._stopped_job_id != job.id:
            _count_retry(job)
            (self._attempt or Attempt(*_session_and_step(job))).wait(error)
        elif self._attempt is not None:
            self._attempt.fail(error)
        else:  # This runs in the worker itself: its work horse is gone.
            report_loss(*_session_and_step(job), error)
        super().handle_job_failure(job, *args, **options)


class ReportingWorker(ReportingMixin, Worker):
    """RQ's worker with reports."""


def _session_and_step(job: Job) -> tuple[str, StepRef | None]:
    """Return a job's session, and the number of its step."""
    return job.meta.get(SESSION_KEY) or job.id, job.meta.get(STEP_KEY)


def _count_retry(job: Job) -> None:
    if STEP_KEY in job.meta:
        job.meta[_RETRIES_KEY] = job.meta.get(_RETRIES_KEY, 0) + 1
