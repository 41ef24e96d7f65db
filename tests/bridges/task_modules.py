"""Jobs beside those of `docs/how-to/report-from-queues.md`: further failures, and jobs that are no steps."""

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

@app.task(progress_step=1)
def linger():
    current().advance(message="begun")
    time.sleep(60)

@app.task(progress_step=1, progress_cancel=True, autoretry_for=(Exception,))
def cancellable():
    current().advance(message="begun")
    time.sleep(60)

@app.task(progress_step=1)
def shard(number):
    current().advance(number)

@app.task
def plain():
    return current().session_id

@app.task(progress_step=1)
def outer():
    current().advance(message=f"plain saw {plain.apply().get(disable_sync_subtasks=False)!r}")
    (plain.si() | inner.si().set(headers={"progress_step": 3})).delay()

@app.task(progress_step=2)
def inner():
    current().advance(message="inside")

@app.task(progress_step=1.5)
def miscounted():
    pass

@app.task(progress_step="Load", bind=True)
def replaced(self):
    raise self.replace(replacement.si())

@app.task(progress_step="Load")
def replacement():
    current().advance(message="in place of the other")

@app.task(progress_step="Load", bind=True)
def delegating(self):
    raise self.replace(plain.si())

@app.task(progress_step="Load")
def learned():
    current().finish()
""",
    "rq": """
import os
import signal
import time

from rq import Retry, SimpleWorker, SpawnWorker
from rq.command import send_stop_job_command
from rq_jobs import queue
from progress_sse import current
from progress_sse.bridges.rq import ReportingMixin

class InProcess(ReportingMixin, SimpleWorker):
    pass

class Spawning(ReportingMixin, SpawnWorker):
    pass

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def ask():
    return Retry(max=1)

def hang():
    current().advance(message="begun")
    time.sleep(60)

cancellable = hang

def plain():
    return current().session_id

def learned():
    current().finish()
""",
    "dramatiq": """
import asyncio
import time

import dramatiq
from dramatiq.middleware import SkipMessage
from dramatiq.middleware.asyncio import AsyncIO

from dramatiq_jobs import broker
from progress_sse import current

broker.add_middleware(AsyncIO())

@dramatiq.actor(progress_step=1, max_age=1)
def expire():
    raise AssertionError("too late")

@dramatiq.actor(progress_step=1, max_retries=5, throws=OSError)
def give_up():
    raise OSError("no use")

@dramatiq.actor(progress_step=1, max_retries=0)
def skip():
    raise SkipMessage

@dramatiq.actor(progress_step=1, progress_cancel=True, max_retries=5)
def cancellable():
    current().advance(message="begun")
    for _ in range(6000):
        time.sleep(0.01)

@dramatiq.actor(progress_step=1, progress_cancel=True, max_retries=5)
async def cancellable_coroutine():
    current().advance(message="begun")
    await asyncio.sleep(60)

@dramatiq.actor
def plain():
    inner.send_with_options(progress_step=2)

@dramatiq.actor(progress_step=1)
def outer():
    inner.send_with_options(progress_step=3)
    plain.send()

@dramatiq.actor(progress_step=4)
async def inner():
    current().advance(message=f"inside {current().session_id}")

@dramatiq.actor(progress_step="Load")
def learned():
    current().finish()
""",
    "taskiq": """
import asyncio
import time

from taskiq import NoResultError
from taskiq_jobs import broker
from progress_sse import current

@broker.task(progress_step=1)
async def outer():
    await plain.kiq()

@broker.task
async def plain():
    await inner.kiq()
    await inner.kicker().with_labels(progress_step=3).kiq()

@broker.task(progress_step=2)
def inner():
    current().advance(message=f"inside {current().session_id}")

@broker.task(progress_step=1, timeout=0.1)
async def hang():
    await asyncio.sleep(60)

@broker.task(progress_step=1, progress_cancel=True, retry_on_error=True)
async def cancellable():
    current().advance(message="begun")
    await asyncio.sleep(60)

@broker.task(progress_step=1, progress_cancel=True, retry_on_error=True)
def cancellable_function():
    current().advance(message="begun")
    for _ in range(6000):
        time.sleep(0.01)
        current().check()

@broker.task(progress_step=1)
async def silent():
    raise NoResultError

@broker.task(progress_step="Load")
async def learned():
    current().finish()

async def send(task, session_id):
    await broker.startup()
    await task.kicker().with_labels(progress_session=session_id).kiq()
    await broker.shutdown()
""",
    "django_tasks": """
import logging
import sys
import time

import django
from django.conf import settings
from django.core.management import execute_from_command_line

if not settings.configured:
    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "tasks.sqlite3"}},
        INSTALLED_APPS=["django_tasks_db"],
        TASKS={"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}},
    )
    django.setup()

from django_tasks_jobs import task
from progress_sse import current

@task(progress_step=1)
def leave():
    sys.exit(2)

@task(progress_step=1)
def unreadable():
    return object()

@task(progress_step=1, progress_cancel=True)
def cancellable():
    current().advance(message="begun")
    for _ in range(6000):
        time.sleep(0.01)
        current().check()

@task(progress_step="Load", takes_context=True)
async def learned(context):
    assert context.attempt == 1
    current().finish()

@task(progress_step=1)
def again(is_first=True):
    if is_first:
        again.enqueue(is_first=False, progress_session=current().session_id)

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    execute_from_command_line(sys.argv)
""",
}
