"""A second server of the protocol at level core, written from docs/protocol.md alone, in memory and in one process.

Nothing is awaited between the reading of a session and its change, so updates are applied one after the other, and
whole. A stream is a loop that sends what its reader lacks, and waits. Run it: `python docs/examples/second_server.py`.
"""

import argparse
import contextlib
import json
import re
import secrets
import unicodedata
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.message import Message
from fractions import Fraction
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import anyio
import uvicorn
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

MAX_BODY_BYTES, MAX_TEXT_CHARS, MAX_NUMBER = 262_144, 8192, 2**53 - 1
MAX_SESSIONS, MAX_STEPS, MAX_AGE, SWEEP_S = 100_000, 1000, timedelta(hours=24), 60
HISTORY, HISTORY_BYTES, HEARTBEAT_S, SEND_TIMEOUT_S = 1000, 262_144, 15, 30
NEVER = "never"  # the epoch of a session that never was
RETRY = "retry: 2000\n"
PRIVATE = {"Cache-Control": "private, no-cache", "Vary": "Authorization, Cookie"}
STREAM = PRIVATE | {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "Incremental": "?1"}
WORKFLOWS = {"default": [{"name": name, "timeout_ms": 120_000} for name in ("Prepare", "Process", "Publish")]}

PROBLEMS = {
    400: ["malformed-body"],
    404: ["not-found", "session-not-found"],
    405: ["method-not-allowed"],
    409: ["session-exists", "step-not-started", "step-not-running"],
    413: ["body-too-large"],
    415: ["unsupported-media-type"],
    422: ["invalid-request", "invalid-session-id", "step-out-of-range", "unknown-workflow"],
    500: ["internal-error"],
    507: ["store-full"],
}

BAD_TEXT = re.compile("[\0\ud800-\udfff]")
KINDS: dict[str, Callable[[Any], bool]] = {
    "a step number": lambda value: type(value) is int and value >= 1,
    "a number": lambda value: type(value) is int and 0 <= value <= MAX_NUMBER,
    "a number or null": lambda value: value is None or KINDS["a number"](value),
    "a text": lambda value: isinstance(value, str) and len(value) <= MAX_TEXT_CHARS and not BAD_TEXT.search(value),
    "a truth value": lambda value: isinstance(value, bool),
    "an action": lambda value: isinstance(value, str) and value in ACTIONS,
}
Keys = dict[str, tuple[str, Any]]
REQUIRED = object()  # a default of no kind
STEP, MAYBE, MESSAGE = ("a step number", REQUIRED), ("a number or null", None), ("a text", "")
ACTIONS: dict[str, Keys] = {
    "start": {"step": STEP, "timeout_ms": MAYBE},
    "progress": {"step": STEP, "current": ("a number", REQUIRED), "total": MAYBE, "message": MESSAGE},
    "complete": {"step": STEP, "success": ("a truth value", True), "message": MESSAGE, "error": MESSAGE},
}


class Problem(HTTPException):
    def __init__(self, name: str, detail: str) -> None:
        super().__init__(next(status for status, names in PROBLEMS.items() if name in names), detail)
        self.name = name


def answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None, kind: str = "json") -> Response:
    return Response(to_json(value), status, PRIVATE | dict(headers or {}), f"application/{kind}")


def refuse(request: Request, error: Exception) -> Response:
    failure = error if isinstance(error, HTTPException) else HTTPException(500, "the server's log has the reason")
    names, status, detail = PROBLEMS[failure.status_code], failure.status_code, failure.detail
    name = failure.name if isinstance(failure, Problem) else names[0]
    body = {"type": f"/problems/{name}", "title": name.replace("-", " ").capitalize(), "status": status}
    return answer(body | {"detail": detail, "success": False}, status, failure.headers, "problem+json")


def to_json(value: Any) -> str:
    text = json.dumps(value, default=lambda time: time.isoformat(timespec="microseconds"))
    return text.replace("<", "\\u003c")  # json.dumps escapes line breaks, like all that is not ASCII


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("an object has a key twice")
    return dict(pairs)


def read_json(request: Request, body: bytes) -> Any:
    declared = Message()
    declared["Content-Type"] = request.headers.get("Content-Type", "")
    is_json = declared.get_content_type() == "application/json" and declared.get_content_charset("utf-8") == "utf-8"
    if not is_json or request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Problem("unsupported-media-type", "send application/json in UTF-8, without a Content-Encoding")
    try:  # `int` refuses NaN and Infinity, and very long numbers, of which 20 digits are too large as well
        text = body.decode()
        return json.loads(text, object_pairs_hook=unique_keys, parse_int=lambda n: int(n[:20]), parse_constant=int)
    except (ValueError, RecursionError) as error:
        raise Problem("malformed-body", str(error)) from error


def read_keys(body: Any, keys: Keys) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise Problem("invalid-request", "an object is needed")
    values = {key: body.get(key, default) for key, (_, default) in keys.items()}
    for key, (kind, _) in keys.items():
        if not KINDS[kind](values[key]):
            raise Problem("invalid-request", f"{key!r} is not {kind} within the limits")
    return values


def read_update(body: Any) -> tuple[str, dict[str, Any]]:
    action = read_keys(body, {"action": ("an action", REQUIRED)})["action"]
    values = read_keys(body, ACTIONS[action])
    if values.get("total") is not None and values["current"] > values["total"]:
        raise Problem("invalid-request", "'current' is above 'total'")
    return action, values


def read_definition(body: Any, number: int) -> dict[str, Any]:
    keys = {"step": ("a step number", number), "name": ("a text", f"STEP{number}")}
    keys |= {"timeout_ms": MAYBE, "estimated_ms": ("a number", 30_000)}
    values = read_keys({"name": body} if isinstance(body, str) else body, keys)
    if values["step"] != number:
        raise Problem("invalid-request", f"'step' is {values['step']} at place {number}")
    return values | {"timeout_ms": values["timeout_ms"] or None}


def read_definitions(body: Any) -> list[dict[str, Any]]:
    workflow = read_keys(body, {"workflow": ("a text", "default")})["workflow"]
    if len(body.keys() & {"steps", "total_steps", "workflow"}) > 1:
        raise Problem("invalid-request", "it takes one of 'steps', 'total_steps' and 'workflow'")
    if workflow not in WORKFLOWS:
        raise Problem("unknown-workflow", f"there is no workflow {workflow!r}")
    steps: Any = body.get("steps", WORKFLOWS[workflow])
    total = body.get("total_steps", len(steps) if isinstance(steps, list) else None)
    if not KINDS["a step number"](total) or total > MAX_STEPS:
        raise Problem("invalid-request", f"a session has 1 to {MAX_STEPS} steps")
    return [read_definition(step, number) for number, step in enumerate((steps + [{}] * total)[:total], 1)]


def read_session_id(request: Request) -> str:
    # What is not in UTF-8 becomes surrogates, which no id may have.
    session_id = unquote_to_bytes(request.path_params["session_id"]).decode("utf-8", "surrogateescape")
    categories = {unicodedata.category(character) for character in session_id}
    if categories & {"Cc", "Cf", "Cs"} or "/" in session_id or session_id in {".", ".."} or len(session_id) > 128:
        raise Problem("invalid-session-id", "it takes 1 to 128 characters, no '/', control, format or surrogate one")
    return session_id


def next_step(step: dict[str, Any], timeout_ms: int | None, action: str, values: dict[str, Any]) -> dict[str, Any]:
    """The step after an update; it equals the step before if the update repeats what that says."""
    now = datetime.now(UTC)
    if action == "start":
        begun = {"status": "running", "started_at": now, "completed_at": None, "elapsed_ms": 0}
        fresh = {"timeout_ms": values["timeout_ms"] or timeout_ms, "message": "", "error": ""}
        return {"step": step["step"], "name": step["name"]} | begun | fresh
    if step["status"] == "pending":
        raise Problem("step-not-started", f"step {step['step']} was never started")
    if action == "complete":
        outcome = {"status": "success" if values["success"] else "error"}
        outcome |= {"message": values["message"], "error": values["error"]}
        elapsed_ms = max(0, (now - step["started_at"]) // timedelta(milliseconds=1))
        ended = {key: value for key, value in step.items() if key != "progress"} | outcome
        return step if ended == step else ended | {"completed_at": now, "elapsed_ms": elapsed_ms}
    if step["status"] != "running":
        raise Problem("step-not-running", f"step {step['step']} has ended")
    return step | {"message": values["message"], "progress": {"current": values["current"], "total": values["total"]}}


def to_block(name: str, data: Any, event_id: str | None = None) -> bytes:
    first = (RETRY if name == "snapshot" else "") + (f"id: {event_id}\n" if event_id else "")
    return f"{first}event: {name}\ndata: {to_json(data)}\n\n".encode()


def heartbeat(as_event: bool) -> bytes:
    now = {"now": datetime.now(UTC), "interval_ms": HEARTBEAT_S * 1000}
    return to_block("heartbeat", now) if as_event else b": heartbeat\n"


class Session:
    """A session with the history of its epoch; without steps, the absence of a session."""

    def __init__(self, session_id: str, definitions: list[dict[str, Any]], epoch: str | None = None) -> None:
        self.session_id, self.definitions = session_id, definitions
        self.epoch, self.number = epoch or secrets.token_hex(8), 0
        self.current_step, self.status = 0, "pending" if definitions else "not_found"
        self.created_at = self.updated_at = datetime.now(UTC)
        self.steps: list[dict[str, Any]] = []
        for each in definitions:
            step = {"step": each["step"], "name": each["name"], "status": "pending"}
            self.steps.append(step | {"elapsed_ms": 0, "timeout_ms": each["timeout_ms"]})
        self.ids, self.blocks = [self.id()], [self.snapshot()]  # of the event before all that are kept, then of these

    def id(self) -> str:
        return f"{self.epoch}-{self.number}"

    def snapshot(self) -> bytes:
        return to_block("snapshot", self.show(), self.id())

    def show(self) -> dict[str, Any]:
        statuses = [step["status"] for step in self.steps]
        reported = [step["progress"] for step in self.steps if step.get("progress", {}).get("total")]
        done = statuses.count("success") + sum(Fraction(each["current"], each["total"]) for each in reported)
        percentage = 100 * (done + statuses.count("error")) // max(1, len(self.steps))
        remaining_ms = sum(each["estimated_ms"] for each in self.definitions[self.current_step :])
        shown = {"session_id": self.session_id, "current_step": self.current_step, "total_steps": len(self.steps)}
        shown |= {"status": self.status, "steps": self.steps, "percentage": percentage}
        shown |= {"estimated_remaining_ms": min(remaining_ms, MAX_NUMBER)}
        if self.status == "not_found" and self.epoch != NEVER:
            shown["gone"] = True
        return shown

    def update(self, action: str, values: dict[str, Any]) -> None:
        if values["step"] > len(self.steps):
            raise Problem("step-out-of-range", f"the session has {len(self.steps)} steps")
        index, self.updated_at = values["step"] - 1, datetime.now(UTC)
        step = next_step(self.steps[index], self.definitions[index]["timeout_ms"], action, values)
        if action != "start" and step == self.steps[index]:
            return
        self.steps[index] = step
        if action == "start":
            self.current_step, self.status = step["step"], "running"
        if action == "complete":
            statuses = {each["status"] for each in self.steps}
            self.status = "completed" if statuses == {"success"} else "error" if "error" in statuses else "running"
        self.number += 1
        session = {key: value for key, value in self.show().items() if key != "steps"}
        self.ids.append(self.id())
        self.blocks.append(to_block("step", {"step": step, "session": session}, self.id()))
        while len(self.ids) > HISTORY + 1 or sum(map(len, self.blocks[1:])) > HISTORY_BYTES:
            del self.ids[0], self.blocks[0]

    def after(self, last_id: str, is_live: bool) -> list[bytes]:
        """What a reader lacks who has the event of that id."""
        if last_id in self.ids:
            return self.blocks[self.ids.index(last_id) + 1 :]
        return self.blocks if is_live and len(self.blocks) > self.number else [self.snapshot()]


class Server:
    def __init__(self) -> None:
        self.sessions, self.gone = dict[str, Session](), dict[str, Session]()
        self.changed, self.end = anyio.Event(), anyio.Event()

    def look_up(self, session_id: str) -> Session:
        return self.sessions.get(session_id) or self.gone.get(session_id) or Session(session_id, [], NEVER)

    def find(self, session_id: str) -> Session:
        if session_id not in self.sessions:
            raise Problem("session-not-found", f"there is no session {session_id!r}")
        return self.sessions[session_id]

    def wake_streams(self) -> None:
        self.changed.set()
        self.changed = anyio.Event()

    def keep(self, session: Session) -> None:
        if session.session_id not in self.sessions and len(self.sessions) >= MAX_SESSIONS:
            raise Problem("store-full", f"the server has {MAX_SESSIONS} sessions")
        self.sessions[session.session_id] = session
        self.gone.pop(session.session_id, None)
        self.wake_streams()

    def remove(self, session: Session) -> None:
        del self.sessions[session.session_id]
        self.gone[session.session_id] = Session(session.session_id, [])
        self.wake_streams()

    async def sweep(self) -> None:
        while not self.end.is_set():
            oldest = datetime.now(UTC) - MAX_AGE
            for session in list(self.sessions.values()):
                if session.created_at < oldest and not (session.status == "running" and session.updated_at >= oldest):
                    self.remove(session)
            self.gone = {key: absence for key, absence in self.gone.items() if absence.created_at >= oldest}
            with anyio.move_on_after(SWEEP_S):
                await self.end.wait()
        self.wake_streams()

    async def stream(self, session_id: str, last_id: str, as_event: bool) -> AsyncGenerator[bytes]:
        yield RETRY.encode() + heartbeat(as_event)
        is_live = False
        while not self.end.is_set():
            session = self.look_up(session_id)
            blocks, last_id, is_live = session.after(last_id, is_live), session.id(), True
            for block in blocks:
                yield block
            present = self.look_up(session_id)
            if present.status == "completed" and present.id() == last_id:
                yield to_block("end", {"session_ids": [session_id]}, last_id)
                return
            with anyio.move_on_after(HEARTBEAT_S) as silence:
                while self.look_up(session_id).id() == last_id and not self.end.is_set():
                    await self.changed.wait()
            if silence.cancelled_caught:
                yield heartbeat(as_event)
        yield f"retry: {2000 + secrets.randbelow(5000)}\n\n".encode()

    def create(self, request: Request, body: bytes) -> Response:
        session_id = read_session_id(request) if request.method == "PUT" else secrets.token_hex(16)
        session, exists = Session(session_id, read_definitions(read_json(request, body))), session_id in self.sessions
        if exists and request.query_params.get("replace") != "true":
            raise Problem("session-exists", "choose another id, or send it with ?replace=true")
        self.keep(session)
        location = {"Location": f"{request.scope['root_path']}/api/progress/{quote(session_id, safe='')}"}
        return answer(session.show(), 200 if exists else 201, location)

    def poll(self, request: Request, body: bytes) -> Response:
        session = self.look_up(read_session_id(request))
        etag = f'"{session.id()}"'
        held = ",".join(request.headers.getlist("If-None-Match")).split(",")
        if {tag.strip().removeprefix("W/") for tag in held} & {etag, "*"}:
            return Response(None, 304, PRIVATE | {"ETag": etag})
        return answer(session.show(), 200, {"ETag": etag})

    def delete(self, request: Request, body: bytes) -> Response:
        self.remove(self.find(read_session_id(request)))
        return Response(None, 204, PRIVATE)

    def update(self, request: Request, body: bytes) -> Response:
        session_id = read_session_id(request)
        action, values = read_update(read_json(request, body))
        is_new = action == "start" and session_id not in self.sessions
        session = Session(session_id, read_definitions({})) if is_new else self.find(session_id)
        session.update(action, values)
        self.keep(session)
        return answer({"success": True, "session_id": session_id})

    def events(self, request: Request, body: bytes) -> Response:
        session_id, query = read_session_id(request), request.query_params
        last_id = request.headers.get("Last-Event-ID") or query.get("last_event_id", "")
        session = self.look_up(session_id)
        if session.status == "completed" and session.id() == last_id:
            return Response(None, 204, PRIVATE)
        stream = self.stream(session_id, last_id, query.get("heartbeat") == "event")
        return EventSourceResponse(
            stream, 200, STREAM, ping=0, send_timeout=SEND_TIMEOUT_S, shutdown_event=self.end, shutdown_grace_period=2
        )


class Path(Route):
    def __init__(self, path: str, handlers: Mapping[str, Callable[[Request, bytes], Response]]) -> None:
        self.handlers = handlers
        super().__init__(path, self.answer, methods=list(handlers))

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        # Each segment stays percent-encoded, so that an encoded slash does not divide it.
        segments = [quote(unquote_to_bytes(segment), safe="") for segment in scope["raw_path"].split(b"/")]
        return super().matches({**scope, "path": "/".join(segments)})

    async def answer(self, request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise Problem("body-too-large", f"a body has up to {MAX_BODY_BYTES} bytes")
        return self.handlers["GET" if request.method == "HEAD" else request.method](request, body)


def make_app() -> Starlette:
    server = Server()

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with anyio.create_task_group() as group:
            group.start_soon(server.sweep)
            yield
            group.cancel_scope.cancel()

    routes = [
        Path("/api/progress", {"POST": server.create}),
        Path("/api/progress/{session_id}", {"GET": server.poll, "PUT": server.create, "DELETE": server.delete}),
        Path("/api/progress/{session_id}/update", {"POST": server.update}),
        Path("/api/progress/{session_id}/events", {"GET": server.events}),
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: refuse, Exception: refuse}, lifespan=lifespan)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8000)
    uvicorn.run(make_app(), host="127.0.0.1", port=parser.parse_args().port, timeout_graceful_shutdown=5)


if __name__ == "__main__":
    main()
