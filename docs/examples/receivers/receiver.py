"""Takes the notices of a hook and hands each on once: `RECEIVER=slack uvicorn receiver:app --port 9000`."""

import os
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

notify = import_module(os.environ["RECEIVER"]).notify
webhook = Webhook(os.environ["HOOK_SECRET"])
seen = Path("seen.txt")
seen.touch()
lock = Lock()  # Up to eight notices come at once, and receivers keep files too.


def hand_on(notice_id: str, notice: Any) -> None:
    """Hand a notice on, unless it came before: it may be sent twice."""
    with lock:
        if notice_id not in seen.read_text().split():
            notify(notice["type"].removeprefix("session."), notice["data"])
            with seen.open("a") as ids:
                ids.write(f"{notice_id}\n")


async def receive(request: Request) -> Response:
    """Answer 2xx once the notice has gone on; after anything else the server sends it again."""
    try:
        notice = webhook.verify(await request.body(), dict(request.headers))
    except WebhookVerificationError:
        return Response(status_code=401)
    await run_in_threadpool(hand_on, request.headers["webhook-id"], notice)
    return Response(status_code=204)


app = Starlette(routes=[Route("/", receive, methods=["POST"])])
