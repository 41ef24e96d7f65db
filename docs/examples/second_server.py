"""A second server of the protocol at level core, to read before you write one in another language.

It keeps all in memory. Numbers such as P-9.4 are those of docs/protocol.md. The first half has the rules, from bodies
to sessions, the second HTTP and the streams. To run it: `python docs/examples/second_server.py --port 8000`
"""

import argparse
import asyncio
import json
import re
import secrets
import unicodedata
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import floor, inf
from typing import Any
from urllib.parse import unquote_to_bytes

import anyio
import uvicorn
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

RETRY_MS, REFUSED_RETRY_MS, SHUTDOWN_SPREAD_MS = 2000, 10_000, 5000
HEARTBEAT_S, SEND_TIMEOUT_S, SHUTDOWN_GRACE_S = 15, 30, 5
MAX_SESSIONS, MAX_STREAMS, MAX_STEPS, MAX_TEXT_CHARS, MAX_NUMBER = 100_000, 1000, 1000, 8192, 2**53 - 1
HISTORY, HISTORY_BYTES, MAX_BODY_BYTES, DAY, MINUTE = 1000, 262_144, 262_144, timedelta(days=1), timedelta(minutes=1)
NO_STORE = {"Cache-Control": "no-store", "Vary": "Authorization, Cookie"}  # [P-2.11]
ABSENT = secrets.token_hex(8)  # The epoch of each session that is missing, and not known to have existed.
Json = dict[str, Any]


def read_json(request: Request, body: bytes) -> object:
    """Parse a body, which must be JSON in UTF-8, and be declared as that [P-2.1, P-2.2]."""
    declared, encoding = request.headers.get("content-type", ""), request.headers.get("content-encoding", "identity")
    if encoding != "identity" or not re.fullmatch('application/json *(; *charset="?utf-8"?)?', declared.lower()):
        raise HTTPException(415, "unsupported media type")

    def unique(pairs: list[tuple[str, Any]]) -> Json:
        if len(dict(pairs)) < len(pairs):
            raise ValueError("a key stands twice")
        return dict(pairs)

    try:  # `int` refuses NaN and Infinity, which are no JSON.
        return json.loads(body.decode("utf-8"), object_pairs_hook=unique, parse_constant=int)
    except (ValueError, RecursionError):
        raise HTTPException(400, "malformed body") from None


def write_json(value: Json) -> str:
    """Write one line of ASCII without `<` [P-5.17]; its points of time have microseconds [P-3.4]."""
    text = json.dumps(value, separators=(",", ":"), default=lambda time: time.isoformat(timespec="microseconds"))
    return text.replace("<", r"\u003c")


def is_number(value: object, low: int = 0, high: float = MAX_NUMBER) -> bool:
    """Whether a value is an integer within bounds; `true` and `1.0` are none."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def is_text(value: object) -> bool:
    """Whether a value is a text without NUL and lone surrogates, and not too long."""
    return isinstance(value, str) and len(value) <= MAX_TEXT_CHARS and not re.search("[\0\ud800-\udfff]", value)


CHECKS: dict[str, Callable[[Any], bool]] = {
    "action": lambda value: value in ("start", "progress", "complete"),
    "step": lambda value: is_number(value, 1, inf),
    "current": is_number,
    "success": lambda value: isinstance(value, bool),
    "name": lambda value: value is None or (is_text(value) and value != ""),
    "steps": lambda value: isinstance(value, list) and 0 < len(value) <= MAX_STEPS,
    "total_steps": lambda value: is_number(value, 1, MAX_STEPS),
    **dict.fromkeys(("timeout_ms", "estimated_ms", "total"), lambda value: value is None or is_number(value)),
    **dict.fromkeys(("message", "error", "workflow"), is_text),
}
UPDATE = ("action", "step", "timeout_ms", "current", "total", "success", "message", "error")


def checked(value: object, keys: tuple[str, ...], *required: str) -> Json:
    """Return these keys of an object, where it has them, if their values are valid [P-2.4, P-9.12 to P-9.15]."""
    if not isinstance(value, dict):
        raise HTTPException(422, "invalid request: An object is missing.")
    for key in keys:
        if (key in value or key in required) and not CHECKS[key](value.get(key)):
            raise HTTPException(422, f"invalid request: {key} is missing or not valid.")
    return {key: value[key] for key in keys if value.get(key) is not None}


@dataclass(frozen=True)
class Step:
    """A step as it is defined or, with `started_at`, as it was started."""

    number: int
    name: str
    timeout_ms: int | None = 120_000
    estimated_ms: int = 30_000
    status: str = "pending"
    started_at: datetime | None = None
    completed_at: datetime | None = None
    message: str = ""
    error: str = ""
    progress: Json | None = None

    def shown(self) -> Json:
        """Return what readers see [P-3.3 to P-3.7]."""
        step = {"step": self.number, "name": self.name, "status": self.status}
        if self.started_at is None:
            return {**step, "elapsed_ms": 0, "timeout_ms": self.timeout_ms}
        elapsed_ms = ((self.completed_at or self.started_at) - self.started_at) // timedelta(milliseconds=1)
        times = {"started_at": self.started_at, "completed_at": self.completed_at, "elapsed_ms": elapsed_ms}
        started = {**step, **times, "timeout_ms": self.timeout_ms, "message": self.message, "error": self.error}
        return {**started, "progress": self.progress} if self.progress else started

    def updated(self, update: Json, now: datetime) -> "Step":
        """Return the step after a `progress` or `complete` [P-9.7, P-9.8, P-9.11]."""
        if self.started_at is None:
            raise HTTPException(409, "step not started")
        message, error = update.get("message", ""), update.get("error", "")
        if update["action"] == "complete":
            status, end = "success" if update.get("success", True) else "error", max(now, self.started_at)
            return replace(self, status=status, completed_at=end, message=message, error=error, progress=None)
        if self.status != "running":
            raise HTTPException(409, "step not running")
        return replace(self, message=message, progress={"current": update["current"], "total": update.get("total")})


def read_steps(creation: object) -> list[Step]:
    """Return the steps of a creation; the workflow `default` has seven [P-13.4 to P-13.9]."""
    given, steps = checked(creation, ("steps", "total_steps", "workflow")), []
    if len(given) > 1:
        raise HTTPException(422, "invalid request: Give one of steps, total_steps and workflow.")
    if given.get("workflow", "default") != "default":
        raise HTTPException(422, "unknown workflow")
    if "steps" not in given:
        return [Step(number, f"STEP{number}") for number in range(1, given.get("total_steps", 7) + 1)]
    for number, each in enumerate(given["steps"], start=1):
        given_step = {"name": each} if isinstance(each, str) else each
        defined = checked(given_step, ("step", "name", "timeout_ms", "estimated_ms"))
        if defined.get("step", number) != number:
            raise HTTPException(422, "invalid request: Steps are numbered from 1, in order.")
        name, timeout_ms = defined.get("name", f"STEP{number}"), defined.get("timeout_ms") or None
        steps.append(Step(number, name, timeout_ms, defined.get("estimated_ms", 30_000)))
    return steps


class Session:
    """A session or, without steps, its absence; `events` are its newest transitions as the bytes of a stream."""

    def __init__(self, session_id: str, steps: list[Step], *, is_gone: bool = False) -> None:
        self.id, self.is_gone, self.definitions, self.steps = session_id, is_gone, steps, list(steps)
        self.epoch = secrets.token_hex(8) if steps or is_gone else ABSENT  # [P-6.3, P-6.10]
        self.status, self.current_step = "pending" if steps else "not_found", 0
        self.created_at = self.updated_at = datetime.now(UTC)
        self.n, self.events = -1, list[bytes]()
        self._record("snapshot", self.shown())

    def shown(self) -> Json:
        """Return what readers see [P-3.8 to P-3.14, P-3.23, P-3.24]."""
        statuses = [step.status for step in self.steps]
        shares = [Fraction(*step.progress.values()) for step in self.steps if step.progress and step.progress["total"]]
        done = statuses.count("success") + sum(shares, Fraction())
        session: Json = {"session_id": self.id, "current_step": self.current_step, "total_steps": len(self.steps)}
        session |= {"status": self.status, "steps": [step.shown() for step in self.steps]}
        session["percentage"] = floor(100 * (done + statuses.count("error")) / max(1, len(self.steps)))
        rest_ms = sum(step.estimated_ms for step in self.steps[self.current_step :])
        session["estimated_remaining_ms"] = min(rest_ms, MAX_NUMBER)
        if "error" in statuses:
            hundredths = floor(100 * done)
            session["steps_done"] = hundredths / 100 if hundredths % 100 else hundredths // 100
        return {**session, "gone": True} if self.is_gone else session

    def apply(self, update: Json) -> None:
        """Apply an update as a whole, or refuse it [P-9.4 to P-9.13]."""
        number, now = update["step"], datetime.now(UTC)
        if number > len(self.steps):
            raise HTTPException(422, "step out of range")
        old, defined = self.steps[number - 1], self.definitions[number - 1]
        if update["action"] == "start":
            timeout_ms = update.get("timeout_ms") or defined.timeout_ms
            new = replace(defined, status="running", started_at=now, timeout_ms=timeout_ms)
            self.status, self.current_step = "running", number
        else:
            new = old.updated(update, now)
            if replace(new, completed_at=old.completed_at) == old:
                return  # A repeat is no transition [P-9.9].
        self.steps[number - 1], self.updated_at = new, now
        if update["action"] == "complete":
            statuses = {step.status for step in self.steps}
            self.status = "completed" if statuses == {"success"} else "error" if "error" in statuses else "running"
        session = {key: value for key, value in self.shown().items() if key != "steps"}
        self._record("step", {"step": new.shown(), "session": session})

    def _record(self, event: str, data: Json) -> None:
        self.n += 1
        self.position = f"{self.epoch}-{self.n}"
        self.events.append(encoded(event, data, self.position))
        while len(self.events) > HISTORY or sum(map(len, self.events)) > HISTORY_BYTES:  # [P-6.9]
            del self.events[0]

    def events_after(self, event_id: str | None) -> list[bytes]:
        """Return what follows an event, `None` for all, or a snapshot if not all is here [P-5.18, P-6.7, P-6.8]."""
        if event_id is None and len(self.events) > self.n:
            return self.events[:]
        for count in range(min(self.n, len(self.events)) + 1):
            if event_id == f"{self.epoch}-{self.n - count}":
                return self.events[len(self.events) - count :]
        return [encoded("snapshot", self.shown(), self.position)]


def encoded(event: str, data: Json, event_id: str | None = None) -> bytes:
    """Return an event of a stream; each snapshot has the usual waiting time [P-5.3]."""
    retry = RETRY_MS if event == "snapshot" else None
    return ServerSentEvent(write_json(data), event=event, id=event_id, retry=retry, sep="\n").encode()


class Store:
    """The sessions, also those that are gone for less than a day, and the streams that follow them."""

    def __init__(self) -> None:
        self.sessions: dict[str, Session] = {}
        self.streams: dict[asyncio.Event, str] = {}
        self.cleaned_at = datetime.now(UTC)

    def get(self, session_id: str) -> Session:
        """Return a session, or its absence."""
        if datetime.now(UTC) - self.cleaned_at > MINUTE:
            self.clean_up(datetime.now(UTC))
        return self.sessions.get(session_id) or Session(session_id, [])

    def put(self, session: Session) -> None:
        """Store a session, which may be new or changed, or its absence, and wake its streams."""
        is_new = session.steps and not self.get(session.id).steps
        if is_new and sum(1 for each in self.sessions.values() if each.steps) >= MAX_SESSIONS:
            raise HTTPException(507, "store full")
        self.sessions[session.id] = session
        if session.epoch == ABSENT:
            del self.sessions[session.id]
        for stream in [stream for stream, followed in self.streams.items() if followed == session.id]:
            stream.set()

    def clean_up(self, now: datetime) -> None:
        """Remove what is a day old [P-3.24, P-13.13]."""
        self.cleaned_at = now
        for session in list(self.sessions.values()):
            if now - (session.updated_at if session.status == "running" else session.created_at) > DAY:
                self.put(Session(session.id, [], is_gone=bool(session.steps)))


store = Store()


def poll(session_id: str, request: Request, _: bytes) -> Response:
    """Show a session, unless the reader has it [P-4.1, P-4.2]."""
    session, tags = store.get(session_id), request.headers.get("if-none-match", "").split(",")
    is_known = f'"{session.position}"' in [tag.strip().removeprefix("W/") for tag in tags]
    return showing(session, 304 if is_known else 200)


def create(session_id: str, request: Request, body: bytes) -> Response:
    """Create or replace a session, under a new id where there is none [P-13.1 to P-13.3]."""
    session = Session(session_id or secrets.token_urlsafe(16), read_steps(read_json(request, body)))
    exists = bool(store.get(session.id).steps)
    if exists and request.query_params.get("replace") != "true":
        raise HTTPException(409, "session exists")
    store.put(session)
    location = {} if session_id else {"Location": f"{request.scope['path']}/{session.id}"}
    return showing(session, 200 if exists else 201, **location)


def delete(session_id: str, request: Request, _: bytes) -> Response:
    """Remove a session [P-13.12]."""
    if not store.get(session_id).steps:
        raise HTTPException(404, "session not found")
    store.put(Session(session_id, [], is_gone=True))
    return Response(None, 204, NO_STORE)


def report(session_id: str, request: Request, body: bytes) -> Response:
    """Apply an update; a `start` creates a missing session [P-9.1, P-9.6, P-9.10]."""
    update = checked(read_json(request, body), UPDATE, "action", "step")
    if update["action"] == "progress":
        checked(update, UPDATE, "current")
        if update["current"] > update.get("total", inf):
            raise HTTPException(422, "invalid request: current is above total.")
    session = store.get(session_id)
    if not session.steps and update["action"] != "start":
        raise HTTPException(404, "session not found")
    session = session if session.steps else Session(session_id, read_steps({}))
    session.apply(update)
    store.put(session)
    return Response(write_json({"success": True, "session_id": session_id}), 200, NO_STORE, "application/json")


def follow(session_id: str, request: Request, _: bytes) -> Response:
    """Stream a session, from the event that the reader names [P-6.6, P-6.11]."""
    last_id = request.headers.get("last-event-id") or request.query_params.get("last_event_id", "")
    if (session := store.get(session_id)).status == "completed" and session.position == last_id:
        return Response(None, 204, NO_STORE)
    beats, closing = request.query_params.get("heartbeat") == "event", anyio.Event()
    # `stream` has its own heartbeats: those of `ping` have an empty line [P-5.16].
    options: Json = {"ping": 0, "send_timeout": SEND_TIMEOUT_S, "shutdown_grace_period": SHUTDOWN_GRACE_S}
    options |= {"headers": {**NO_STORE, "Incremental": "?1"}, "shutdown_event": closing}
    return EventSourceResponse(stream(session_id, last_id, beats, closing), **options)


async def stream(session_id: str, position: str | None, beats: bool, closing: anyio.Event) -> AsyncIterator[bytes]:
    """Yield the events after a position, and those to come [P-5.3 to P-5.22]."""
    if len(store.streams) >= MAX_STREAMS:
        yield b"retry: %d\n\n" % REFUSED_RETRY_MS
        return
    wake, session = asyncio.Event(), store.get(session_id)
    store.streams[wake] = session_id
    waiting = asyncio.create_task(closing.wait())
    waiting.add_done_callback(lambda _: wake.set())
    try:
        yield b"retry: %d\n" % RETRY_MS
        while not closing.is_set():
            if not wake.is_set():  # The stream is new, or was silent for so long.
                beat: Json = {"now": datetime.now(UTC), "interval_ms": HEARTBEAT_S * 1000}
                yield encoded("heartbeat", beat) if beats else b":\n"
            wake.clear()
            if store.get(session_id).epoch != session.epoch:
                session, position = store.get(session_id), None
            events, position = session.events_after(position), session.position
            for event in events:
                yield event
            if session.status == "completed" and not wake.is_set():
                yield encoded("end", {"session_ids": [session_id]}, position)
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(wake.wait(), HEARTBEAT_S)
        yield b"retry: %d\n\n" % (RETRY_MS + secrets.randbelow(SHUTDOWN_SPREAD_MS))
    finally:
        waiting.cancel()
        del store.streams[wake]


def showing(session: Session, status: int, **headers: str) -> Response:
    """Answer with a session [P-2.11, P-4.1]."""
    headers |= {**NO_STORE, "Cache-Control": "private, no-cache", "ETag": f'"{session.position}"'}
    return Response(None if status == 304 else write_json(session.shown()), status, headers, "application/json")


def refuse(_: Request, error: Exception) -> Response:
    """Answer with a problem, whose type is the text of the exception up to a colon [P-16.1]."""
    failure = error if isinstance(error, HTTPException) else HTTPException(500, "internal error")
    name, status = failure.detail.partition(":")[0], failure.status_code
    problem = {"type": "/problems/" + name.lower().replace(" ", "-"), "title": name.capitalize(), "status": status}
    problem |= {"detail": failure.detail, "success": False}
    return Response(write_json(problem), status, {**NO_STORE, **(failure.headers or {})}, "application/problem+json")


def route(path: str, **handlers: Callable[[str, Request, bytes], Response]) -> Route:
    """Hand each request to the handler of its method, HEAD to that of GET [P-2.3, P-2.7, P-2.9]."""

    async def respond(request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise HTTPException(413, "body too large")
        session_id = read_id(request.path_params["id"]) if "id" in request.path_params else ""
        return handlers["GET" if request.method == "HEAD" else request.method](session_id, request, body)

    return Route(path, respond, methods=list(handlers))


def read_id(segment: str) -> str:
    """Return the id in a segment of a path, which is percent-encoded [P-3.1]."""
    session_id = unquote_to_bytes(segment.encode("latin-1")).decode("utf-8", "surrogateescape")
    is_plain = not any(char == "/" or unicodedata.category(char) in ("Cc", "Cf", "Cs") for char in session_id)
    if not (is_plain and 1 <= len(session_id) <= 128 and session_id not in (".", "..")):
        raise HTTPException(422, "invalid session id")
    return session_id


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Route by the path as it was sent, in which %2F is part of an id."""
    sent = {"path": scope["raw_path"].decode("latin-1")} if scope["type"] == "http" else {}
    await application({**scope, **sent}, receive, send)


routes = [route("/api/progress", POST=create), route("/api/progress/{id}", GET=poll, PUT=create, DELETE=delete)]
routes += [route("/api/progress/{id}/events", GET=follow), route("/api/progress/{id}/update", POST=report)]
application = Starlette(routes=routes, exception_handlers={HTTPException: refuse, Exception: refuse})
application.router.redirect_slashes = False  # [P-2.8]

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8000)
    uvicorn.run(app, port=parser.parse_args().port)
