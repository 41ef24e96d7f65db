"""Orders to the load generator and its answers. Data only: it crosses a process boundary as JSON."""

from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

STAMP_MARK = "~#"
"""Begins every stamp. No server under test sends it of its own accord, and JSON leaves it as it is."""


def stamp(seq: int, sent_ns: int) -> str:
    """The text that a publisher puts into an event: its number, and when it was sent by CLOCK_MONOTONIC."""
    return f"{STAMP_MARK}{seq:08d}.{sent_ns:020d}"


STAMP_BYTES = len(stamp(0, 0))


@dataclass(frozen=True, slots=True)
class Request:
    """One request as a template: `{session}` stands in the target, `{text}` and `{seq}` in the body."""

    method: str
    target: str
    body: str = ""

    def to_bytes(self, session: str, *, text: str = "", seq: int = 0, headers: tuple[str, ...] = ()) -> bytes:
        """The request with all values in it; `headers` are whole lines."""
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
    """The requests of one server under test.

    Attributes:
        subscribe: Opens a stream of one session.
        publish: Publishes one event to one session.
        ready_mark: The text in a stream from which on a reader gets every published event.
        prepare: Requests that a session needs before it can be read.
        text_bytes: Length of the text in an event, chosen so that events have about the same length with every server.
        poll: Reads a session once.
        reader_ports: The number of consecutive ports that the readers spread over.
        publish_port: The offset of the publishers' port from the readers' first one.
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
    """One way of publishing to connected readers.

    Attributes:
        name: Prefix of the names of its figures.
        seconds: The least duration of publishing.
        burst: Events sent at once, each on a connection of its own. The next burst waits until all have arrived.
        rate: Events per second, sent whether or not earlier ones have arrived; `None` waits for them.
        publishers: Connections that publish in place of bursts, each as soon as its last event is accepted.
        has_readers: False publishes to as many sessions without readers: the cost of publishing alone.
    """

    name: str
    seconds: float
    burst: int = 1
    rate: float | None = None
    publishers: int = 0
    has_readers: bool = True


@dataclass(frozen=True, slots=True)
class FanOut:
    """Connected readers get events."""

    sessions: int
    readers_per_session: int
    phases: tuple[Phase, ...]
    task: Literal["fan_out"] = "fan_out"


@dataclass(frozen=True, slots=True)
class Idle:
    """Connected readers get heartbeats only."""

    readers: int
    seconds: float
    task: Literal["idle"] = "idle"


@dataclass(frozen=True, slots=True)
class Storm:
    """All readers are cut off and reconnect at once, while events continue."""

    readers: int
    task: Literal["storm"] = "storm"


@dataclass(frozen=True, slots=True)
class Calls:
    """Requests on a number of connections, each sent as soon as the previous one is answered.

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
    """A worker's job with a number of rows, with reports and without."""

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
"""Measured values by name; the last part of a name is the unit. A phase's names begin with its name and a dot."""

ORDER: TypeAdapter[Order] = TypeAdapter(Order)
FIGURES: TypeAdapter[Figures] = TypeAdapter(Figures)


@dataclass(slots=True)
class Account:
    """A count and checksum of events: two are equal if no event was lost, repeated or swapped for another."""

    count: int = 0
    seq_sum: int = 0

    def add(self, seq: int) -> None:
        self.count += 1
        self.seq_sum += seq


@dataclass(slots=True)
class Tally:
    """The sum over all readers of one phase."""

    latencies_ns: list[int] = field(default_factory=list)
    received_bytes: int = 0


def lost(published: Account, got: Account) -> int:
    """The number of events that one reader did not get exactly once."""
    return abs(published.count - got.count) or int(published.seq_sum != got.seq_sum)


def percentile(ordered: list[int], per_mille: int) -> int:
    """The value that so many thousandths of an ordered, non-empty list do not exceed."""
    return ordered[max(0, -(-len(ordered) * per_mille // 1000) - 1)]
