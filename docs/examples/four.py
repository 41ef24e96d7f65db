"""Update, poll, stream and page by hand, in the shapes of the protocol: `uvicorn four:app`.

`docs/how-to/leave.md` says what they lack. Copy them freely.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, StreamingResponse
from starlette.routing import Route

NAMES = ["Download", "Import"]
PAGE = """<!doctype html>
<progress id="bar" max="100" value="0"></progress>
<script>
  const source = new EventSource(`/api/progress/${location.pathname.slice(3)}/events`);
  source.addEventListener("snapshot", ({ data }) => (bar.value = JSON.parse(data).percentage));
  source.addEventListener("end", () => source.close());
</script>"""

sessions: dict[str, dict[int, dict[str, str]]] = {}
changed = asyncio.Condition()


def session(session_id: str) -> dict[str, Any]:
    """Return what a poll answers, and a `snapshot` has."""
    found = sessions.get(session_id, {})
    steps = [{"step": n, "name": name, "status": "pending"} | found.get(n, {}) for n, name in enumerate(NAMES, 1)]
    states = [step["status"] for step in steps]
    status = "error" if "error" in states else "completed" if set(states) == {"success"} else "running"
    percentage = 100 * (states.count("success") + states.count("error")) // len(NAMES)
    status = status if found else "not_found"
    return {"session_id": session_id, "status": status, "percentage": percentage, "steps": steps}


async def update(request: Request) -> JSONResponse:
    """Take a worker's `start`, `progress` or `complete`."""
    session_id, report = request.path_params["id"], await request.json()
    ended = "success" if report.get("success", True) else "error"
    texts = {key: report.get(key, "") for key in ("message", "error")}
    async with changed:
        status = ended if report["action"] == "complete" else "running"
        sessions.setdefault(session_id, {})[report["step"]] = {"status": status, **texts}
        changed.notify_all()
    return JSONResponse({"success": True, "session_id": session_id})


async def events(session_id: str) -> AsyncIterator[str]:
    """Yield a `snapshot` of each state, until the session is completed."""
    sent: dict[str, Any] = {}
    while sent.get("status") != "completed":
        async with changed:
            while session(session_id) == sent:
                await changed.wait()
            sent = session(session_id)
        yield f"event: snapshot\ndata: {json.dumps(sent)}\n\n"
    yield "event: end\ndata: {}\n\n"


async def poll(request: Request) -> JSONResponse:
    """Answer with a session."""
    return JSONResponse(session(request.path_params["id"]))


async def follow(request: Request) -> StreamingResponse:
    """Stream a session."""
    return StreamingResponse(events(request.path_params["id"]), media_type="text/event-stream")


async def page(request: Request) -> HTMLResponse:
    """Show a session: the page takes its id from the address."""
    return HTMLResponse(PAGE)


app = Starlette(
    routes=[
        Route("/api/progress/{id}/update", update, methods=["POST"]),
        Route("/api/progress/{id}", poll),
        Route("/api/progress/{id}/events", follow),
        Route("/s/{id}", page),
    ]
)
