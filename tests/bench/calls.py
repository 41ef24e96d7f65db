"""Count what one operation calls of the package: `python -m tests.bench.calls`, and with `--write` into `calls.txt`.

Counts depend on neither clock nor machine: a rule that each update has to pay for shows there. Each operation has been
done a few times before it is counted, so that caches are filled. Comprehensions are left out: newer versions of Python
call no function for them.
"""

import asyncio
import re
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final, TypeAlias
from unittest.mock import patch

import click
import httpx

import progress_sse
from progress_sse import Progress
from progress_sse._internal.tasks import cancel
from progress_sse.api.endpoints.update import update
from progress_sse.client import thread_sender
from progress_sse.client.codec import encode
from progress_sse.client.config import Address
from progress_sse.client.exchange import ReportRequest
from progress_sse.client.http import client_options
from progress_sse.core.commands import Create
from progress_sse.core.details import Claim
from progress_sse.core.model import StepDefinition
from progress_sse.core.updates import Advance, Envelope, Start
from progress_sse.service import ProgressService
from progress_sse.settings import load_settings
from tests.bench.update_cost import Connections, Sink
from tests.client.fake import FakeTransport

TABLE: Final = Path(__file__).with_name("calls.txt")
PACKAGE: Final = f"{Path(progress_sse.__file__).parent}/"

WARM_UPS: Final = 3
COUNTED: Final = 5
"""Times that an operation is done before it is counted, and counted: the usual count is taken, without timers."""

SENDER_TURNS: Final = 2
"""Turns of a worker's thread in which it sends a start and an end; in the next one it waits for a report."""

FURTHER_TURNS: Final = 1
"""Turns that are not counted: the first step of a session has to create it, too."""

THREADS_S: Final = 0.02
"""Seconds for what a thread of a store does once it has given its result."""

LAST_TURNS: Final = 20
"""Turns of the event loop for what an operation does once its bytes have been written."""

GET: Final = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nAccept: text/event-stream\r\nConnection: keep-alive\r\n"
    "User-Agent: Mozilla/5.0\r\n{more}\r\n"
)

_INLINED: Final = frozenset({"<listcomp>", "<dictcomp>", "<setcomp>", "<genexpr>"})

HOST: Final = "127.0.0.1:8000"

JSON: Final = {"Content-Type": "application/json"}

HEAD: Final = (
    "POST /api/progress/{session}/update HTTP/1.1\r\n"
    "Host: 127.0.0.1:8000\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\n"
    "User-Agent: python-httpx/0.28.1\r\nContent-Length: {length}\r\nContent-Type: application/json\r\n\r\n"
)


class Calls:
    """Counts the functions of the package that this thread and those that start from now on call."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.is_counting = False

    def note(self, frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if (
            event == "call"
            and self.is_counting
            and code.co_filename.startswith(PACKAGE)
            and code.co_name not in _INLINED
        ):
            self.counts[f"{code.co_filename.removeprefix(PACKAGE)}:{code.co_qualname}"] += 1

    def install(self) -> None:
        threading.setprofile(self.note)
        sys.setprofile(self.note)


class Scene:
    """A server in this process, without sockets."""

    def __init__(self, service: ProgressService, calls: Calls) -> None:
        self.service = service
        self._calls = calls
        self._connections = Connections(service, update)

    def send(self, request: str) -> Sink:
        """Send a request over a connection of its own."""
        protocol, sink = self._connections.connect()
        protocol.data_received(request.encode())
        return sink

    def updating(self, requests: Sequence[bytes], *readers: Sink) -> "Operation":
        """Report progress by these requests, on a connection that stays open."""
        protocol, sink = self._connections.connect()
        sinks = (sink, *readers)

        def operation(number: int) -> Callable[[], bool]:
            before = [each.writes for each in sinks]
            protocol.data_received(requests[number])
            return lambda: all(each.writes > had for each, had in zip(sinks, before, strict=True))

        return operation

    async def counted(self, operation: "Operation") -> Counter[str]:
        """Return what an operation usually calls."""
        counts = [await self._count(operation, number) for number in range(WARM_UPS + COUNTED)][WARM_UPS:]
        return max(counts, key=counts.count)

    async def _count(self, operation: "Operation", number: int) -> Counter[str]:
        self._calls.counts = Counter()
        self._calls.is_counting = True
        is_done = operation(number)
        while not is_done():  # noqa: ASYNC110  # no time may pass, in which timers would come
            await asyncio.sleep(0)
        time.sleep(THREADS_S)  # noqa: ASYNC251  # the event loop waits, too
        for _ in range(LAST_TURNS):
            await asyncio.sleep(0)
        self._calls.is_counting = False
        return self._calls.counts


Operation: TypeAlias = Callable[[int], Callable[[], bool]]
"""Begins something for the n-th time, and returns whether it has ended."""


@asynccontextmanager
async def scene(calls: Calls, store: str) -> AsyncIterator[Scene]:
    service = ProgressService(load_settings(store=store))
    await service.start()
    await cancel(*service._tasks)  # noqa: SLF001  # what the clock begins is no part of an operation
    try:
        yield Scene(service, calls)
    finally:
        await service.aclose()


def updates(session_id: str) -> list[bytes]:
    """Return the requests of an operation: updates of the first step, with no more headers than HTTP libraries send."""
    requests = []
    for number in range(WARM_UPS + COUNTED):
        body = f'{{"action":"progress","step":1,"current":{7 * number + 1},"total":1000,"message":"m"}}'
        head = HEAD.replace("{session}", session_id).replace("{length}", str(len(body)))
        requests.append((head + body).encode())
    return requests


def updates_of_worker(session_id: str, run: str) -> list[bytes]:
    """Return the same updates as a worker's client sends them: each with a key, for this run, and strictly."""
    requests = []
    with httpx.Client(**client_options(Address(f"http://{HOST}", None))) as client:
        for number in range(WARM_UPS + COUNTED):
            report = Advance(1, 7 * number + 1, 1000, "m")
            method, path, body, own = encode(ReportRequest(session_id, report, str(uuid.uuid4()), run))
            request = client.build_request(method, path, content=body, headers={**JSON, **own})
            fields = [b"%b: %b\r\n" % field for field in request.headers.raw]
            requests.append(f"{method} {path} HTTP/1.1\r\n".encode() + b"".join(fields) + b"\r\n" + body)
    return requests


async def read_by_two(on: Scene, session_id: str) -> list[Sink]:
    """Follow a session over two connections, and return them once both have its snapshot."""
    sinks = [on.send(GET.format(path=f"/api/progress/{session_id}/events", more="")) for _ in range(2)]
    while not all(sink.writes for sink in sinks):  # noqa: ASYNC110
        await asyncio.sleep(0)
    return sinks


async def plain_update(on: Scene) -> Counter[str]:
    await on.service.store.create_session("s", total_steps=3)
    await on.service.store.start_step("s", 1)
    return await on.counted(on.updating(updates("s"), *await read_by_two(on, "s")))


async def worker_update(on: Scene) -> Counter[str]:
    created = await on.service.store.create_session("s", total_steps=3)
    await on.service.store.start_step("s", 1)
    requests = updates_of_worker("s", created.created_at)
    return await on.counted(on.updating(requests, *await read_by_two(on, "s")))


async def leased_update(on: Scene) -> Counter[str]:
    await on.service.store.apply("s", Create((StepDefinition("One"),), labels={"team": "search"}))
    await on.service.store.apply("s", Start(1, envelope=Envelope(Claim("a", 60_000, None))))
    return await on.counted(on.updating(updates("s"), *await read_by_two(on, "s")))


async def connection(on: Scene) -> Counter[str]:
    await on.service.store.create_session("s", total_steps=3)

    def operation(_: int) -> Callable[[], bool]:
        sink = on.send(GET.format(path="/api/progress/s/events", more=""))
        return lambda: sink.writes > 0

    return await on.counted(operation)


async def unchanged_poll(on: Scene) -> Counter[str]:
    await on.service.store.create_session("s", total_steps=3)
    sink = on.send(GET.format(path="/api/progress/s", more=""))
    while not sink.writes:  # noqa: ASYNC110
        await asyncio.sleep(0)
    tag = re.search(rb"etag: (.*?)\r\n", sink.written, re.IGNORECASE)
    assert tag is not None
    more = f"If-None-Match: {tag[1].decode()}\r\n"

    def operation(_: int) -> Callable[[], bool]:
        polled = on.send(GET.format(path="/api/progress/s", more=more))
        return lambda: b" 304 " in polled.written

    return await on.counted(operation)


async def listed_update(on: Scene) -> Counter[str]:
    """What a reader of a list adds to an update."""
    await on.service.store.create_session("s", total_steps=3)
    await on.service.store.start_step("s", 1)
    without = await on.counted(on.updating(updates("s")))
    sink = on.send(GET.format(path="/api/events?prefix=s", more=""))
    while not sink.writes:  # noqa: ASYNC110
        await asyncio.sleep(0)
    return await on.counted(on.updating(updates("s"))) - without


def reported_step(calls: Calls) -> Counter[str]:
    """What `with progress.step(1)` calls, in the thread that sends too, whose turns are taken here one by one."""
    counts, sender = [], thread_sender.thread_sender()
    with patch.object(thread_sender, "start_thread", return_value=True):
        progress = Progress("s", steps=["One"], transport=FakeTransport(), lease_s=None)
        for _ in range(WARM_UPS + COUNTED):
            calls.counts = Counter()
            calls.is_counting = True
            with progress.step(1):
                pass
            for _ in range(SENDER_TURNS):
                sender._take_turn(0)  # noqa: SLF001 - as its thread does
            calls.is_counting = False
            for _ in range(FURTHER_TURNS):
                sender._take_turn(0)  # noqa: SLF001
            assert progress.flush(0)
            sender._take_turn(0)  # noqa: SLF001 - what the flush asks for
            counts.append(calls.counts)
    return max(counts[WARM_UPS:], key=counts.count)


async def count_all(calls: Calls) -> dict[str, Counter[str]]:
    """Return what each operation calls."""
    counted: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, (store, operation) in OPERATIONS.items():
            async with scene(calls, store.format(folder=folder)) as on:
                counted[name] = await operation(on)
    return counted


OPERATIONS: Final[Mapping[str, tuple[str, Callable[[Scene], Coroutine[Any, Any, Counter[str]]]]]] = {
    "an update of a plain session with two readers, on memory": ("memory://", plain_update),
    "the same on SQLite": ("sqlite:///{folder}/progress.db", plain_update),
    "the same on memory, as our worker sends it": ("memory://", worker_update),
    "an update of a session with a lease and a label, with two readers, on memory": ("memory://", leased_update),
    "a connection": ("memory://", connection),
    "a poll of an unchanged session": ("memory://", unchanged_poll),
    "what a reader of a list adds to an update": ("memory://", listed_update),
}


def table(counted: Mapping[str, Counter[str]]) -> str:
    """Return the counts as text: of each operation, of its rooms, and of their functions."""
    blocks = []
    for name, counts in counted.items():
        lines = [f"# {name}: {counts.total()}"]
        rooms = Counter[str]()
        for function, count in counts.items():
            rooms[room_of(function)] += count
        for room, total in sorted(rooms.items(), key=lambda each: (-each[1], each[0])):
            lines.append(f"{room}: {total}")
            own = sorted(function for function in counts if room_of(function) == room)
            lines += [f"  {counts[function]} {function}" for function in own]
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def parsed(text: str) -> dict[str, Counter[str]]:
    """Return the counts of a table."""
    counted: dict[str, Counter[str]] = {}
    for block in text.split("\n\n"):
        head, *lines = block.strip().split("\n")
        calls = (line.split(maxsplit=1) for line in lines if line.startswith("  "))
        counted[head.removeprefix("# ").rpartition(":")[0]] = Counter({name: int(count) for count, name in calls})
    return counted


def room_of(function: str) -> str:
    """Return the folder of a function, or its module."""
    return function.partition(":")[0].partition("/")[0].removesuffix(".py")


def count() -> str:
    """Count, and return the table."""
    calls = Calls()
    calls.install()
    counted = asyncio.run(count_all(calls))
    counted["`with progress.step(1)` in a worker, with what is sent of it"] = reported_step(calls)
    return table(counted)


@click.command()
@click.option("--write", is_flag=True, help="Write the table to its file.")
def main(write: bool) -> None:
    """Print the table of calls."""
    text = count()
    if write:
        TABLE.write_text(text, "utf-8")
    click.echo(text, nl=False)


if __name__ == "__main__":
    main()
