"""Tasks of queues that readers cancel: each library stops them in its own way, and does not try them again."""

import httpx
import pytest

from tests.bridges.conftest import WorkersOf
from tests.harness.serving import session_path

SEND = {
    "celery": 'cancellable.apply_async(headers={{"progress_session": "{session}"}})',
    "rq": 'queue.enqueue(cancellable, retry=Retry(max=3), meta={{"progress_session": "{session}", '
    '"progress_step": 1, "progress_cancel": True}})',
    "dramatiq": 'cancellable.send_with_options(progress_session="{session}")',
    "dramatiq coroutine": 'cancellable_coroutine.send_with_options(progress_session="{session}")',
    "taskiq": 'asyncio.run(send(cancellable, "{session}"))',
    "taskiq function": 'asyncio.run(send(cancellable_function, "{session}"))',
    "django_tasks": 'cancellable.enqueue(progress_session="{session}")',
}


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=() if kind == "celery" else pytest.mark.full) for kind in SEND]
)
async def test_a_reader_cancels_a_task(workers_of: WorkersOf, kind: str) -> None:
    """The step ends as cancelled, which honours the request, and the task does not run again."""
    workers = workers_of(kind.partition(" ")[0])
    session_id = f"cancel-{kind.replace(' ', '-')}"
    stream = await workers.follow(session_id)
    await workers.call(SEND[kind].format(session=session_id))
    await stream.wait_until(lambda s: "begun" in (s.events[-1].data or ""), 60)
    async with httpx.AsyncClient(base_url=workers.server.url) as client:
        path = session_path(session_id)
        asked = await client.post(f"{path}/requests", json={"kind": "cancel", "reason": "wrong file"})
        assert asked.status_code == 202
        states = await workers.until(stream, 1, "error")
        assert states[-1]["conclusion"] == "cancelled"
        session = (await client.get(path)).json()
    assert session["requests"][0]["state"] == "honoured"
    assert session["status"] == "error"


async def test_the_tasks_of_a_group_are_parts_of_one_step(workers_of: WorkersOf) -> None:
    """The caller starts the step; it ends with the last of them."""
    workers = workers_of("celery")
    stream = await workers.follow("group")
    await workers.call(
        "from celery import group\n"
        "from progress_sse import Progress\n"
        'with Progress("group", steps=["Index"]) as progress, progress.step(1, parts_total=3):\n'
        "    progress.flush()\n"
        "    for name in 'abc':\n"
        "        headers = {'progress_session': 'group', 'progress_part': name}\n"
        "        shard.apply_async([4], headers=headers)"
    )
    states = await workers.until(stream, 1, "success")
    parts = states[-1]["parts"]
    assert (parts["total"], parts["success"]) == (3, 3)
    assert sorted(part["part"] for part in parts["listed"]) == ["a", "b", "c"]
