"""What the load generator is asked to do, and what it answers. Data only: it crosses a process boundary as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

STAMP_MARK = "~#"
"""Begins every stamp. No server under test sends it of itself, and JSON leaves it as it is."""


def stamp(seq: int, sent_ns: int) -> str:
    """The text that a publisher puts into an event: which one it is, and when it was sent on CLOCK_MONOTONIC."""
    return f"{STAMP_MARK}{seq:08d}.{sent_ns:020d}"


STAMP_BYTES = len(stamp(0, 0))


@dataclass(frozen=True, slots=True)
class Request:
    """One request as a template: `{session}` is put into the target, `{text}` and `{seq}` into the body."""

    method: str
    target: str
    body: str = ""

    def to_bytes(self, session: str, *, text: str = "", seq: int = 0, headers: tuple[str, ...] = ()) -> bytes:
        """The request with everything put in; `headers` are whole lines."""
        body = self.body.replace("{text}", text).replace("{seq}", str(seq)).encode()
        return _head(self, session, headers, len(body)) + body


@cache
def _head(request: Request, session: str, headers: tuple[str, ...], body_bytes: int) -> bytes:
    lines = [f"{request.method} {request.target.replace('{session}', session)} HTTP/1.1", "Host: 127.0.0.1", *headers]
    if body_bytes:
        lines += ["Content-Type: application/json", f"Content-Length: {body_bytes}"]
    return "\r\n".join([*lines, "", ""]).encode()


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one server under test is spoken to.

    Attributes:
        subscribe: Opens a stream of one session.
        publish: Publishes one event to one session.
        ready_mark: From this text on in the answer, a reader gets whatever is published.
        prepare: What a session needs before it can be read.
        text_bytes: Length of the text put into an event, so that events are about equally long on every wire.
        poll: Reads a session once.
        reader_ports: How many ports, one after the other, the readers spread over.
        publish_port: How many ports after the readers' first one publishers connect to.
    """

    subscribe: Request
    publish: Request
    ready_mark: str = "\r\n\r\n"
    prepare: tuple[Request, ...] = ()
    text_bytes: int = STAMP_BYTES
    poll: Request | None = None
    reader_ports: int = 1
    publish_port: int = 0


@dataclass(frozen=True, slots=True)
class Phase:
    """One way of publishing to readers that are there.

    Attributes:
        name: Begins the names of its figures.
        seconds: How long events are published, at least.
        burst: How many are sent at once, each on a connection of its own. The next burst waits until all have come.
        rate: Events per second, sent whether or not the earlier ones have come; `None` waits for them.
        is_heard: False publishes to as many sessions without readers, which is what a publish costs alone.
    """

    name: str
    seconds: float
    burst: int = 1
    rate: float | None = None
    is_heard: bool = True


@dataclass(frozen=True, slots=True)
class FanOut:
    """Readers stay, events come."""

    sessions: int
    readers_per_session: int
    phases: tuple[Phase, ...]
    task: Literal["fan_out"] = "fan_out"


@dataclass(frozen=True, slots=True)
class Idle:
    """Readers stay, and nothing comes but heartbeats."""

    readers: int
    seconds: float
    task: Literal["idle"] = "idle"


@dataclass(frozen=True, slots=True)
class Storm:
    """All readers are cut off and come back at once, while events go on."""

    readers: int
    task: Literal["storm"] = "storm"


@dataclass(frozen=True, slots=True)
class Calls:
    """Requests as fast as they are answered, on so many connections.

    Attributes:
        kind: `update`, `poll`, or `unchanged`: a poll with `If-None-Match`.
        connections: Each has a session of its own.
        seconds: How long.
    """

    kind: str
    connections: int
    seconds: float
    task: Literal["calls"] = "calls"


@dataclass(frozen=True, slots=True)
class Job:
    """A worker's job of so many rows, with reports and without."""

    rows: int
    task: Literal["job"] = "job"


Task = FanOut | Idle | Storm | Calls | Job


@dataclass(frozen=True, slots=True)
class Order:
    """One measurement of one running server."""

    port: int
    pid: int
    core: int
    dialect: Dialect
    task: Annotated[Task, Field(discriminator="task")]


Figures = dict[str, float]
"""Measured values by name, the unit being the name's last part; a phase's begin with its name and a dot."""

ORDER: TypeAdapter[Order] = TypeAdapter(Order)
FIGURES: TypeAdapter[Figures] = TypeAdapter(Figures)


@dataclass(slots=True)
class Account:
    """How many events, and which: two accounts are equal if neither lost, repeated nor swapped one for another."""

    count: int = 0
    seq_sum: int = 0

    def add(self, seq: int) -> None:
        """Count one event in."""
        self.count += 1
        self.seq_sum += seq


@dataclass(slots=True)
class Tally:
    """What all readers of one phase got together."""

    latencies_ns: list[int] = field(default_factory=list)
    received_bytes: int = 0


def lost(published: Account, got: Account) -> int:
    """How many events one reader failed to get exactly once."""
    return abs(published.count - got.count) or int(published.seq_sum != got.seq_sum)


def percentile(ordered: list[int], per_mille: int) -> int:
    """The value that so many thousandths of an ordered, non-empty list do not exceed."""
    return ordered[max(0, -(-len(ordered) * per_mille // 1000) - 1)]
