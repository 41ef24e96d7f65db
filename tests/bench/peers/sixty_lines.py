"""What one writes without this project: a FastAPI application with a queue for each reader.

`python -m tests.bench.peers.sixty_lines PORT [DATABASE]`: SQLite commits each update to the database before readers get
it. Without one, sessions are in memory alone.
"""

import asyncio
import json
import sqlite3
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import uvicorn
from fastapi import FastAPI, HTTPException
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from tests.bench.gauges import raise_descriptor_limit

HEARTBEAT_S = 15
STATUSES = {"start": "running", "progress": "running", "complete": "completed", "fail": "failed"}

app = FastAPI()
sessions: dict[str, dict[str, Any]] = {}
readers: defaultdict[str, set[asyncio.Queue[str]]] = defaultdict(set)
database = sqlite3.connect(sys.argv[2], check_same_thread=False) if len(sys.argv) > 2 else None
writer = ThreadPoolExecutor(max_workers=1)
if database:
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("CREATE TABLE IF NOT EXISTS sessions (id TEXT PRIMARY KEY, state TEXT)")
    sessions |= {session_id: json.loads(state) for session_id, state in database.execute("SELECT * FROM sessions")}


class Step(BaseModel):  # noqa: D101
    name: str


class NewSession(BaseModel):  # noqa: D101
    steps: list[Step]


class Update(BaseModel):  # noqa: D101
    action: Literal["start", "progress", "complete", "fail"]
    step: int
    current: float | None = None
    total: float | None = None
    message: str = ""


@app.put("/api/progress/{session_id}", status_code=201)
async def create(session_id: str, new: NewSession) -> dict[str, Any]:
    steps = {str(number): {"name": step.name, "status": "pending"} for number, step in enumerate(new.steps, 1)}
    sessions[session_id] = {"session_id": session_id, "status": "pending", "percent": 0, "steps": steps}
    await publish(session_id)
    return sessions[session_id]


@app.post("/api/progress/{session_id}/update")
async def update(session_id: str, update: Update) -> dict[str, Any]:
    session = found(session_id)
    if (step := session["steps"].get(str(update.step))) is None:
        raise HTTPException(422, "no such step")
    step |= {"status": STATUSES[update.action], "current": update.current, "total": update.total}
    step["message"] = update.message
    statuses = [each["status"] for each in session["steps"].values()]
    completed = statuses.count("completed")
    session["percent"] = 100 * completed // len(statuses)
    session["status"] = "failed" if "failed" in statuses else "completed" if completed == len(statuses) else "running"
    await publish(session_id)
    return {"success": True, "session_id": session_id}


@app.get("/api/progress/{session_id}/events")
async def events(session_id: str) -> StreamingResponse:
    session = found(session_id)

    async def stream() -> AsyncIterator[str]:
        queue: asyncio.Queue[str] = asyncio.Queue()
        readers[session_id].add(queue)
        try:
            yield f"event: snapshot\ndata: {json.dumps(session)}\n\n"
            while True:
                try:
                    yield await asyncio.wait_for(queue.get(), HEARTBEAT_S)
                except TimeoutError:
                    yield ":\n\n"
        finally:
            readers[session_id].discard(queue)

    return StreamingResponse(stream(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})


def found(session_id: str) -> dict[str, Any]:
    if session_id not in sessions:
        raise HTTPException(404, "no such session")
    return sessions[session_id]


async def publish(session_id: str) -> None:
    data = json.dumps(sessions[session_id])
    if database:
        await asyncio.get_running_loop().run_in_executor(writer, commit, database, session_id, data)
    for queue in readers[session_id]:
        queue.put_nowait(f"event: progress\ndata: {data}\n\n")


def commit(database: sqlite3.Connection, session_id: str, data: str) -> None:
    with database:
        database.execute("INSERT OR REPLACE INTO sessions VALUES (?, ?)", (session_id, data))


def main() -> None:
    """Serve on the port in the first argument."""
    raise_descriptor_limit()
    uvicorn.run(app, port=int(sys.argv[1]), loop="uvloop", http="httptools", log_level="error", access_log=False)


if __name__ == "__main__":
    main()
