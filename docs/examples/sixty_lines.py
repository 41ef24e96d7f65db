"""Shows the steps of a job live, as a good engineer builds it in an afternoon; README.md says what it misses.

It has the addresses of progress_sse, so that one command shows a failure of both. Copy it freely.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Annotated, Literal

from fastapi import Body, FastAPI, HTTPException
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field, computed_field
from sse_starlette import EventSourceResponse, ServerSentEvent

PAGE = """<!doctype html>
<title>Job</title>
<progress value="0" max="100"></progress>
<ol></ol>
<script>
  const source = new EventSource(location.pathname.replace("/s/", "/api/progress/") + "/events");
  const item = ({ name, status, message }) =>
    Object.assign(document.createElement("li"), { textContent: `${name}: ${status} ${message}` });
  source.onmessage = ({ data }) => {
    const { percentage, steps } = JSON.parse(data);
    document.querySelector("progress").value = percentage;
    document.querySelector("ol").replaceChildren(...steps.map(item));
    if (percentage === 100) source.close();
  };
</script>
"""


class Step(BaseModel):
    """One step of a job."""

    name: str
    status: Literal["pending", "running", "success", "error"] = "pending"
    message: str = ""


class Job(BaseModel):
    """What readers see; a job that does not exist yet has no steps."""

    steps: list[Step] = []

    @computed_field  # type: ignore[prop-decorator]
    @property
    def percentage(self) -> int:
        """How much is done."""
        return 100 * sum(step.status == "success" for step in self.steps) // max(1, len(self.steps))


class Update(BaseModel):
    """What a worker reports."""

    action: Literal["start", "complete"]
    step: int = Field(ge=1)
    success: bool = True
    message: str = ""


app = FastAPI()
jobs: dict[str, Job] = {}
readers: defaultdict[str, set[asyncio.Queue[Job]]] = defaultdict(set)


def publish(job_id: str, job: Job) -> Job:
    """Keep a state, and hand it to each reader."""
    jobs[job_id] = job
    for queue in readers[job_id]:
        queue.put_nowait(job)
    return job


async def events(job_id: str) -> AsyncIterator[ServerSentEvent]:
    """Yield the present state, and each later one, until the job is done."""
    queue: asyncio.Queue[Job] = asyncio.Queue()
    readers[job_id].add(queue)
    try:
        job = jobs.get(job_id, Job())
        yield ServerSentEvent(job.model_dump_json())
        while job.percentage < 100:
            job = await queue.get()
            yield ServerSentEvent(job.model_dump_json())
    finally:
        readers[job_id].remove(queue)


@app.put("/api/progress/{job_id}", status_code=201)
async def create(job_id: str, steps: Annotated[list[str], Body(embed=True, min_length=1)]) -> Job:
    """Begin a job, whose steps have names."""
    return publish(job_id, Job(steps=[Step(name=name) for name in steps]))


@app.get("/api/progress/{job_id}")
async def poll(job_id: str) -> Job:
    """Answer with the present state."""
    if job_id not in jobs:
        raise HTTPException(404, "no such job")
    return jobs[job_id]


@app.post("/api/progress/{job_id}/update")
async def update(job_id: str, update: Update) -> Job:
    """Take a report of the job's worker."""
    steps = list((await poll(job_id)).steps)
    if update.step > len(steps):
        raise HTTPException(422, "no such step")
    status = "running" if update.action == "start" else "success" if update.success else "error"
    steps[update.step - 1] = steps[update.step - 1].model_copy(update={"status": status, "message": update.message})
    return publish(job_id, Job(steps=steps))


@app.get("/api/progress/{job_id}/events")
async def follow(job_id: str) -> EventSourceResponse:
    """Stream each state; a comment every 15 seconds keeps proxies from closing the connection."""
    return EventSourceResponse(events(job_id))


@app.get("/s/{job_id}", response_class=HTMLResponse)
async def page(job_id: str) -> str:
    """Show a job."""
    return PAGE
