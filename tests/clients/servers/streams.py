"""Event streams by the libraries of others, each about as its documentation has it, at `/events`.

`python -m tests.clients.servers.streams NAME PORT` runs the function of that name.
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


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
    found = environ["PATH_INFO"] == "/events"
    start_response("200 OK" if found else "404 Not Found", [*HEAD.items()] if found else [])
    return events() if found else iter(())


def asgi(body: Callable[[], AsyncIterator[bytes]] = async_events) -> Any:
    from starlette.applications import Starlette
    from starlette.responses import StreamingResponse
    from starlette.routing import Route

    return Starlette(routes=[Route("/events", lambda _: StreamingResponse(body(), headers=HEAD))])


def uvicorn(app: Any, port: int) -> None:
    from uvicorn import run

    run(app, host=HOST, port=port, log_level="error")


def gunicorn(port: int, app: str, *options: str) -> None:
    from gunicorn.app.wsgiapp import run

    sys.argv = ["gunicorn", "-b", f"{HOST}:{port}", *options, f"{__spec__.name}:{app}"]
    run()


class ByHand(BaseHTTPRequestHandler):
    """A handler without a framework, and without a Cache-Control."""

    end = b"\n\n"

    def do_GET(self) -> None:
        is_found = self.path == "/events"
        self.send_response(200 if is_found else 404)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for event in events() if is_found else ():
            self.wfile.write(event.replace(b"\n\n", self.end))


def http_server(port: int) -> None:
    HTTPServer((HOST, port), ByHand).serve_forever()


def http_server_with_threads(port: int) -> None:
    ThreadingHTTPServer((HOST, port), ByHand).serve_forever()


def events_without_end(port: int) -> None:
    ByHand.end = b"\n"
    http_server_with_threads(port)


def refusing_proxy(port: int) -> None:
    """An inspecting proxy [RFC 10036, permanent rejection]."""

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(501)
            self.send_header("Proxy-Status", "inspector; error=incremental_refused")
            self.end_headers()

    ThreadingHTTPServer((HOST, port), Refusing).serve_forever()


def wsgiref(port: int) -> None:
    make_server(HOST, port, wsgi).serve_forever()


def gunicorn_sync(port: int) -> None:
    gunicorn(port, "wsgi")


def gunicorn_threads(port: int) -> None:
    gunicorn(port, "wsgi", "--threads", "4")


def gunicorn_gevent(port: int) -> None:
    gunicorn(port, "wsgi", "-k", "gevent")


def starlette(port: int) -> None:
    uvicorn(asgi(), port)


def one_event(port: int) -> None:
    """A stream that falls silent."""

    async def silence() -> AsyncIterator[bytes]:
        yield b"id: 1\ndata: x\n\n"
        await asyncio.Event().wait()

    uvicorn(asgi(silence), port)


def sse_starlette(port: int, ping_s: int = 1) -> None:
    from sse_starlette import EventSourceResponse
    from starlette.applications import Starlette
    from starlette.routing import Route

    uvicorn(Starlette(routes=[Route("/events", lambda _: EventSourceResponse(async_events(), ping=ping_s))]), port)


def sse_starlette_without_pings(port: int) -> None:
    sse_starlette(port, 0)


def fastapi(port: int) -> None:
    from fastapi import FastAPI
    from fastapi.sse import EventSourceResponse, ServerSentEvent

    app = FastAPI()

    @app.get("/events", response_class=EventSourceResponse)
    async def read() -> AsyncIterator[ServerSentEvent]:
        for n in itertools.count():
            yield ServerSentEvent(data=n, id=str(n))
            await asyncio.sleep(PAUSE_S)

    uvicorn(app, port)


def flask_app() -> Any:
    from flask import Flask

    app = Flask(__name__)
    app.route("/events")(lambda: app.response_class(events(), mimetype="text/event-stream"))
    return app


def flask(port: int) -> None:
    flask_app().run(HOST, port)


def gunicorn_flask(port: int) -> None:
    gunicorn(port, "flask_app()", "--threads", "4")


def django_app(*, is_async: bool = False) -> Any:
    from django.conf import settings
    from django.core.asgi import get_asgi_application
    from django.core.wsgi import get_wsgi_application
    from django.http import StreamingHttpResponse
    from django.urls import path

    body = async_events if is_async else events
    view = path("events", lambda _: StreamingHttpResponse(body(), content_type="text/event-stream"))
    settings.configure(ROOT_URLCONF=(view,), ALLOWED_HOSTS=["*"], SECRET_KEY="x")
    return get_asgi_application() if is_async else get_wsgi_application()


def gunicorn_django(port: int) -> None:
    gunicorn(port, "django_app()", "--threads", "4")


def uvicorn_django(port: int) -> None:
    uvicorn(django_app(is_async=True), port)


def aiohttp(port: int) -> None:
    from aiohttp import web

    async def read(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=HEAD)
        await response.prepare(request)
        async for event in async_events():
            await response.write(event)
        return response

    app = web.Application()
    app.router.add_get("/events", read)
    web.run_app(app, host=HOST, port=port, print=None)


def aiohttp_sse(port: int) -> None:
    from aiohttp import web
    from aiohttp_sse import sse_response

    async def read(request: web.Request) -> web.StreamResponse:
        async with sse_response(request) as response:
            response.ping_interval = 1
            for n in itertools.count():
                await response.send(f"event {n}", id=str(n))
                await asyncio.sleep(PAUSE_S)
        return response

    app = web.Application()
    app.router.add_get("/events", read)
    web.run_app(app, host=HOST, port=port, print=None)


def tornado(port: int) -> None:
    from tornado.web import Application, RequestHandler

    class Events(RequestHandler):
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
    from quart import Quart, make_response

    app = Quart(__name__)

    @app.get("/events")
    async def read() -> Any:
        response = await make_response(async_events(), HEAD)
        response.timeout = None
        return response

    app.run(HOST, port)


def litestar(port: int) -> None:
    from litestar import Litestar, get
    from litestar.response import ServerSentEvent, ServerSentEventMessage

    async def messages() -> AsyncIterator[ServerSentEventMessage]:
        for n in itertools.count():
            yield ServerSentEventMessage(f"event {n}", id=n)
            await asyncio.sleep(PAUSE_S)

    @get("/events")
    async def read() -> ServerSentEvent:
        return ServerSentEvent(messages())

    uvicorn(Litestar([read]), port)


def sanic(port: int) -> None:
    from sanic import Request, Sanic

    app = Sanic("streams")

    @app.get("/events")
    async def read(request: Request) -> None:
        response = await request.respond(headers=HEAD)
        async for event in async_events():
            await response.send(event)

    app.run(HOST, port, single_process=True, access_log=False)


def main() -> None:
    """Serve the stream of that name."""
    globals()[sys.argv[1]](int(sys.argv[2]))


if __name__ == "__main__":
    main()
