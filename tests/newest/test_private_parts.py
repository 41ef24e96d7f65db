"""The parts of other libraries that these do not document, a test for each, so that a failure names what has changed.

`make test-newest` runs them on the newest versions, without the fixtures of other tests, which import the package.
"""

import asyncio
import inspect
import re
import socket
from collections.abc import Callable
from functools import partial, reduce
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Final

import pytest
import uvicorn
from redis.asyncio.sentinel import Sentinel
from redis.exceptions import MovedError
from starlette.types import Receive, Scope, Send

PACKAGE: Final = Path(__file__).parents[2] / "progress_sse"
ANSWER_S: Final = 30

HTTP: Final = "uvicorn.protocols.http.httptools_impl"
SENTINEL: Final = "redis.asyncio.sentinel"
PARTS: Final = {
    f"{HTTP}": "RequestResponseCycle STATUS_LINE",
    f"{HTTP}:HttpToolsProtocol": "connection_lost connection_made data_received on_header on_headers_complete "
    "on_message_begin on_message_complete on_response_complete pause_writing resume_writing send_400_response",
    "uvicorn.server": "ServerState",
    "uvicorn:Server": "handle_exit shutdown startup",
    "redis.asyncio.connection:AbstractConnection": "can_read connect disconnect read_response send_packed_command",
    "redis.asyncio.connection:ConnectionPool": "disconnect from_url make_connection",
    "redis.asyncio.retry": "Retry",
    SENTINEL: "Sentinel SentinelConnectionPool",
    "redis.asyncio:RedisCluster": "aclose",
    "redis.backoff": "NoBackoff",
    "redis.crc": "REDIS_CLUSTER_HASH_SLOTS key_slot",
    "starlette.middleware.cors:CORSMiddleware": "allow_explicit_origin preflight_response",
    "starlette.staticfiles": "NotModifiedResponse",
    "starlette.staticfiles:StaticFiles": "file_response get_directories is_not_modified lookup_path",
    "pydantic.json_schema:GenerateJsonSchema": "default_schema field_title_should_be_set",
    "httpx": "create_ssl_context",
}
"""What the package imports, calls or overrides, by its module or class."""

NAMES: Final = [f"{of}{'.' if ':' in of else ':'}{each}" for of, names in PARTS.items() for each in names.split()]

PARAMETERS: Final = {
    "disconnect": {"nowait"},
    "read_response": {"disconnect_on_error", "timeout"},
    "send_packed_command": {"check_health"},
}
STATE: Final = {
    "": "app connections cycle expect_100_continue flow headers parser pipeline scope server_state tasks transport url",
    "cycle.": "body chunked_encoding disconnected expected_content_length keep_alive message_event response_complete "
    "response_started scope send",
    "flow.": "pause_reading resume_reading write_paused",
    "server_state.": "connections default_headers total_requests",
}
"""What the package reads or sets on uvicorn's protocol, and on its objects."""

PROTOCOL: Final = [f"{of}{each}" for of, names in STATE.items() for each in names.split()]
OBJECTS: Final[dict[str, Callable[[], object]]] = {
    "_pool": lambda: resolve_name("httpx:AsyncHTTPTransport")(),
    "_network_backend": lambda: resolve_name("httpx:AsyncHTTPTransport")()._pool,  # noqa: SLF001
    "should_exit": lambda: uvicorn.Server(uvicorn.Config("app")),
    "connection_kwargs": lambda: resolve_name("redis.asyncio.connection:ConnectionPool")(),
    "sentinel_manager": lambda: resolve_name(f"{SENTINEL}:SentinelConnectionPool")("a", Sentinel([])),  # type: ignore[no-untyped-call]
    "node_addr": lambda: MovedError("1 127.0.0.1:6379"),
    "slot_id": lambda: MovedError("1 127.0.0.1:6379"),
}


@pytest.mark.parametrize("name", NAMES)
def test_name_is_there(name: str) -> None:
    resolve_name(name)


@pytest.mark.parametrize("name", PARAMETERS)
def test_method_of_connections_takes_parameters(name: str) -> None:
    """The package passes these by name."""
    method = resolve_name(f"redis.asyncio.connection:AbstractConnection.{name}")
    assert PARAMETERS[name] <= inspect.signature(method).parameters.keys()


async def answering() -> Any:
    """Return uvicorn's protocol after a request that the application has got."""
    called = asyncio.Event()

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        called.set()
        await asyncio.Event().wait()

    config = uvicorn.Config(app, ws="none", lifespan="off", log_config=None)
    config.load()
    state = resolve_name("uvicorn.server:ServerState")()
    make = partial(resolve_name(f"{HTTP}:HttpToolsProtocol"), config=config, server_state=state, app_state={})
    ours, theirs = socket.socketpair()
    with ours, theirs:
        transport, protocol = await asyncio.get_running_loop().connect_accepted_socket(make, ours)
        try:
            theirs.send(b"GET / HTTP/1.1\r\nHost: probe\r\n\r\n")
            await asyncio.wait_for(called.wait(), ANSWER_S)
        finally:
            transport.abort()
            await asyncio.sleep(0)  # The transport lets go of its socket.
    return protocol


@pytest.fixture(scope="module")
def protocol() -> Any:
    return asyncio.run(answering())


@pytest.mark.parametrize("name", PROTOCOL)
def test_protocol_has_attribute(protocol: Any, name: str) -> None:
    """The package reads it, or sets it."""
    reduce(getattr, name.split("."), protocol)


@pytest.mark.parametrize("name", OBJECTS)
def test_object_has_attribute(name: str) -> None:
    """The package reads it, or sets it."""
    assert hasattr(OBJECTS[name](), name)


def test_the_lists_are_those_of_the_package() -> None:
    """It uses each name, and imports no other from inner modules of uvicorn and redis-py."""
    source = "\n".join(path.read_text("utf-8") for path in PACKAGE.rglob("*.py"))
    for name in (*NAMES, *PROTOCOL, *OBJECTS):
        assert re.search(rf"\b{re.split('[.:]', name)[-1]}\b", source), name
    imported = re.findall(r"^from ((?:uvicorn|redis)\.[\w.]+) import (.+)$", source, re.MULTILINE)
    names = {f"{module}:{name}" for module, some in imported for name in some.split(", ")}
    public = {name for name in names if name.startswith("redis.exceptions:")}
    assert {name for name in names - public if not any(each.startswith(name) for each in NAMES)} == set()
