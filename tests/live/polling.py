"""A client that polls a session while a test does something else to its server."""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator
from http.client import HTTPConnection

from tests.harness.http1 import HOST
from tests.harness.serving import Server, session_path


@contextlib.asynccontextmanager
async def polled(server: Server, session_id: str) -> AsyncIterator[list[float]]:
    """Poll a session again and again during the block; the list holds the duration of each request.

    A thread does it: in the event loop, the work of thousands of readers would count as waiting for the server.
    """
    took: list[float] = []
    is_over = threading.Event()

    def poll() -> None:
        with contextlib.closing(HTTPConnection(HOST, server.port, timeout=10)) as connection:
            while not is_over.wait(0.02):  # The pace of this poller.
                asked = time.perf_counter()
                connection.request("GET", session_path(session_id))
                response = connection.getresponse()
                assert response.status == 200, response.read()
                response.read()
                took.append(time.perf_counter() - asked)

    polling = asyncio.create_task(asyncio.to_thread(poll))
    try:
        yield took
    finally:
        is_over.set()
        await polling
