"""Servers that share a Redis or Valkey, and conditions that their tests wait for."""

from collections.abc import Callable
from typing import Final

from tests.harness.rawsse import RawStream
from tests.harness.serving import Server, Worker

HEARTBEAT_S: Final = 0.3

Join = Callable[..., list[Server]]


def has_step(stream: RawStream) -> bool:
    return any(event.event == "step" for event in stream.events)


def last_offset(stream: RawStream) -> int:
    return stream.events[-1].position.offset if stream.events else -1


async def until_accepted(worker: Worker, session_id: str, current: int) -> None:
    while (response := await worker.update(session_id, action="progress", step=1, current=current)).status_code != 200:
        assert response.status_code == 503


async def until_polled(worker: Worker, session_id: str) -> None:
    while (response := await worker.poll_raw(session_id)).status_code != 200:
        assert response.status_code == 503
