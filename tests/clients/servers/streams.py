"""Event streams by the libraries of others, each about as its documentation has it, at `/events`.

`python -m tests.clients.servers.streams NAME PORT` runs the entry of `SERVERS`, or the function, of that name.
"""

import asyncio
import itertools
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from typing import Any
from wsgiref.simple_server import make_server

HOST, PAUSE_S = "127.0.0.1", 0.2
EVENT = b"id: %d\ndata: event %d" + b"." * 100 + b"\n\n"
HEAD = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}


def events() -> Iterator[bytes]:
    for n in itertools.count():
        yield EVENT % (n, n)
        time.sleep(PAUSE_S)


async def async_events() -> AsyncIterator[bytes]:
    for n in itertools.count():
        yield EVENT % (n, n)
        await asyncio.sleep(PAUSE_S)


async def one_event() -> AsyncIterator[bytes]:
    yield EVENT % (0, 0)
    await asyncio.Event().wait()


class ByHand(BaseHTTPRequestHandler):
    """A handler without a framework, and without a Cache-Control."""

    end, status = b"\n\n", 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/events" else 404)
        self.send_header("Content-Type", "text/event-stream")
        if self.status != 200:
            self.send_header("Proxy-Status", "inspector; error=incremental_refused")
        self.end_headers()
        for event in events() if (self.path, self.status) == ("/events", 200) else ():
            self.wfile.write(event.replace(b"\n\n", self.end))


class Unfinished(ByHand):
    """Its events lack the empty line."""

    end = b"\n"


class Refusing(ByHand):
    """An inspecting proxy [RFC 10036, permanent rejection]."""

    status = 501


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
    is_found = environ["PATH_INFO"] == "/events"
    start_response("200 OK" if is_found else "404 Not Found", [*HEAD.items()] if is_found else [])
    return events() if is_found else iter(())


def gunicorn(port: int, app: str, *options: str) -> None:
    from gunicorn.app.wsgiapp import run

    sys.argv = ["gunicorn", "-b", f"{HOST}:{port}", *options, f"{__spec__.name}:{app}"]
    run()


def uvicorn(port: int, app: Any) -> None:
    from uvicorn import run

    run(app, host=HOST, port=port, log_level="error")


def starlette(body: Callable[[], AsyncIterator[bytes]] = async_events, ping_s: int | None = None) -> Any:
    """By a plain response, or with a `ping_s` by sse-starlette."""
    from sse_starlette import EventSourceResponse
    from starlette.applications import Starlette
    from starlette.responses import Response, StreamingResponse
    from starlette.routing import Route

    def read(_: object) -> Response:
        return StreamingResponse(body(), headers=HEAD) if ping_s is None else EventSourceResponse(body(), ping=ping_s)

    return Starlette(routes=[Route("/events", read)])


def fastapi() -> Any:
    from fastapi import FastAPI
    from fastapi.sse import EventSourceResponse, ServerSentEvent

    app = FastAPI()

    @app.get("/events", response_class=EventSourceResponse)
    async def read() -> AsyncIterator[ServerSentEvent]:
        for n in itertools.count():
            yield ServerSentEvent(data=n, id=str(n))
            await asyncio.sleep(PAUSE_S)

    return app


def flask() -> Any:
    from flask import Flask

    app = Flask(__name__)
    app.route("/events")(lambda: app.response_class(events(), mimetype="text/event-stream"))
    return app


def django(*, is_async: bool = False) -> Any:
    from django.conf import settings
    from django.core.asgi import get_asgi_application
    from django.core.wsgi import get_wsgi_application
    from django.http import StreamingHttpResponse
    from django.urls import path

    body = async_events if is_async else events
    view = path("events", lambda _: StreamingHttpResponse(body(), content_type="text/event-stream"))
    settings.configure(ROOT_URLCONF=(view,), ALLOWED_HOSTS=["*"], SECRET_KEY="x")
    return get_asgi_application() if is_async else get_wsgi_application()


def litestar() -> Any:
    from litestar import Litestar, get
    from litestar.response import ServerSentEvent, ServerSentEventMessage

    async def messages() -> AsyncIterator[ServerSentEventMessage]:
        for n in itertools.count():
            yield ServerSentEventMessage(f"event {n}", id=n)
            await asyncio.sleep(PAUSE_S)

    async def read() -> ServerSentEvent:
        return ServerSentEvent(messages())

    return Litestar([get("/events")(read)])


def aiohttp(port: int, *, has_pings: bool = False) -> None:
    """By a plain response, or with pings by aiohttp-sse."""
    from aiohttp import web
    from aiohttp_sse import sse_response

    async def read(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=HEAD)
        await response.prepare(request)
        async for event in async_events():
            await response.write(event)
        return response

    async def read_with_pings(request: web.Request) -> web.StreamResponse:
        async with sse_response(request, ping_interval=1) as response:
            for n in itertools.count():
                await response.send(f"event {n}", id=str(n))
                await asyncio.sleep(PAUSE_S)
        return response

    app = web.Application()
    app.router.add_get("/events", read_with_pings if has_pings else read)
    web.run_app(app, host=HOST, port=port, print=None)


def tornado(port: int) -> None:
    from tornado.web import Application, RequestHandler

    class Events(RequestHandler):  # type: ignore[misc]  # where tornado is not installed
        async def get(self) -> None:
            self.set_header("Content-Type", "text/event-stream")
            async for event in async_events():
                self.write(event)
                await self.flush()

    async def serve() -> None:
        Application([("/events", Events)]).listen(port, HOST)
        await asyncio.Event().wait()

    asyncio.run(serve())


def quart(port: int) -> None:
    from quart import Quart, Response

    app = Quart(__name__)
    app.config["RESPONSE_TIMEOUT"] = None
    app.get("/events")(lambda: Response(async_events(), headers=HEAD))
    app.run(HOST, port)


SERVERS: dict[str, Callable[[int], Any]] = {
    "http.server": lambda port: HTTPServer((HOST, port), ByHand).serve_forever(),
    "http.server with threads": lambda port: ThreadingHTTPServer((HOST, port), ByHand).serve_forever(),
    "unfinished events": lambda port: ThreadingHTTPServer((HOST, port), Unfinished).serve_forever(),
    "a refusing proxy": lambda port: ThreadingHTTPServer((HOST, port), Refusing).serve_forever(),
    "wsgiref": lambda port: make_server(HOST, port, wsgi).serve_forever(),
    "gunicorn": lambda port: gunicorn(port, "wsgi"),
    "gunicorn with threads": lambda port: gunicorn(port, "wsgi", "--threads", "4"),
    "gunicorn with gevent": lambda port: gunicorn(port, "wsgi", "-k", "gevent"),
    "starlette": lambda port: uvicorn(port, starlette()),
    "a silent stream": lambda port: uvicorn(port, starlette(one_event)),
    "sse-starlette": lambda port: uvicorn(port, starlette(ping_s=1)),
    "sse-starlette without pings": lambda port: uvicorn(port, starlette(ping_s=0)),
    "fastapi.sse": lambda port: uvicorn(port, fastapi()),
    "Flask": lambda port: flask().run(HOST, port),
    "Flask on gunicorn": lambda port: gunicorn(port, "flask()", "--threads", "4"),
    "Django on gunicorn": lambda port: gunicorn(port, "django()", "--threads", "4"),
    "Django on uvicorn": lambda port: uvicorn(port, django(is_async=True)),
    "litestar": lambda port: uvicorn(port, litestar()),
    "aiohttp": aiohttp,
    "aiohttp-sse": lambda port: aiohttp(port, has_pings=True),
    "tornado": tornado,
    "quart": quart,
}

if __name__ == "__main__":
    SERVERS[sys.argv[1]](int(sys.argv[2]))
