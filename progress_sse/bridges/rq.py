"""Jobs of RQ as steps: each that was enqueued as one reports its start, its end, its retries and its loss.

::

    queue.enqueue(parse, path, meta={"progress_session": "import-42", "progress_step": 2})

and the workers are started by ``rq worker --worker-class progress_sse.bridges.rq.ReportingWorker``. Without a
``progress_session`` the session has the job's id.

A job whose meta has ``"progress_cancel": True`` may be cancelled by readers: its work horse is stopped, as by
``send_stop_job_command``. Where there is none, ``current().check()`` ends it. ``"progress_part"`` makes it a part of
its step, which was started with ``parts_total``.

Where a job creates its session, the server learns from it under the name of the function, or that of
``"progress_profile"`` in its meta.
"""

import sys
from contextlib import suppress
from functools import partial
from typing import Any, Final

from rq import Retry, Worker
from rq.command import send_stop_job_command
from rq.exceptions import DeserializationError
from rq.job import Job, JobStatus
from rq.worker import BaseWorker

from progress_sse.bridges.attempts import STEP_KEY, TaskAttempt, TaskStep, report_loss, retry_count, task_step
from progress_sse.client.errors import Cancelled
from progress_sse.client.inbox import Request
from progress_sse.client.report_queue import start_thread
from progress_sse.client.thread_sender import thread_sender

__all__ = ["ReportingMixin", "ReportingWorker"]

_RETRIES_KEY: Final = "progress_retries"
"""The key in a job's meta for its number of retries; RQ itself keeps only the retries that are left."""


class ReportingMixin(BaseWorker):
    """A mixin that makes a worker report: ``class MyWorker(ReportingMixin, SimpleWorker): …``."""

    _attempt: TaskAttempt | None = None

    def perform_job(self, job: Job, *args: Any, **options: Any) -> bool:
        """Run a job inside its step."""
        self._attempt = TaskAttempt(_step_of(job, _name_of(job)))
        self._attempt.begin(job.meta.get(_RETRIES_KEY), partial(self._stop, job) if self.is_horse else None)
        try:
            return super().perform_job(job, *args, **options)
        finally:
            self._attempt.leave()
            self._attempt = None
            if self.is_horse:
                thread_sender().end()  # A work horse runs no `atexit` functions.

    def _stop(self, job: Job, _: Request) -> None:
        """Let the worker stop its work horse; a worker without one leaves that to the job's own checks."""
        start_thread(send_stop_job_command, self.connection, job.id)

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
        if isinstance(error, Cancelled):
            self._stopped_job_id = job.id
        if job.should_retry and self._stopped_job_id != job.id:
            _count_retry(job)
            (self._attempt or TaskAttempt(_step_of(job))).wait(error)
        elif self._attempt is not None:
            self._attempt.fail(error)
        else:  # This runs in the worker itself: its work horse is gone.
            task = _step_of(job)
            is_cancelled = task.may_cancel and self._stopped_job_id == job.id
            report_loss(task, Cancelled() if is_cancelled else error)
        super().handle_job_failure(job, *args, **options)


class ReportingWorker(ReportingMixin, Worker):
    """RQ's worker with reports."""


def _step_of(job: Job, name: str = "") -> TaskStep:
    return task_step(job.meta, job.id, name)


def _name_of(job: Job) -> str:
    """Return the name of the function of a job that is a step; RQ itself reports one that cannot be read."""
    with suppress(DeserializationError):
        return str(job.func_name) if STEP_KEY in job.meta else ""
    return ""


def _count_retry(job: Job) -> None:
    if STEP_KEY in job.meta:
        job.meta[_RETRIES_KEY] = retry_count(job.meta.get(_RETRIES_KEY)) + 1
