"""Jobs beside those of `docs/bridges.md`, by library: what goes wrong otherwise, and what is no step."""

from __future__ import annotations

from typing import Final

MORE: Final = {
    "celery": """
import os
import signal
import time

from celery_jobs import app
from progress_sse import current

@app.task(progress_step=1)
def die():
    os.kill(os.getpid(), signal.SIGKILL)

@app.task(progress_step=1, time_limit=0.5)
def hang():
    time.sleep(60)

@app.task
def plain():
    return current().session_id

@app.task(progress_step=1)
def outer():
    current().advance(message=f"plain saw {plain.apply().get(disable_sync_subtasks=False)!r}")
    inner.apply_async(headers={"progress_step": 3})

@app.task(progress_step=2)
def inner():
    current().advance(message="inside")

@app.task(progress_step="one")
def miscounted():
    pass
""",
    "rq": """
import os
import signal
import time

from rq import Retry, get_current_job
from rq.command import send_stop_job_command
from rq_jobs import queue
from progress_sse import current

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def ask():
    return Retry(max=1)

def hang():
    current().advance(message="begun")
    time.sleep(60)

def plain():
    return current().session_id
""",
}
