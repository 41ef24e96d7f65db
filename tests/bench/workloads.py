"""The measurements, their peers, and the figures that are shown."""

from dataclasses import dataclass, replace
from typing import Literal

from tests.bench.peers.base import Peer
from tests.bench.peers.nchan import Nchan
from tests.bench.peers.roster import (
    BARE,
    CALLED,
    FOLLOWED,
    IDLING,
    POLLED,
    REPLAYING,
    REPORTED,
    SHARING,
    SPREADING,
    STREAMING,
)
from tests.bench.plan import Calls, FanOut, Idle, Job, Phase, Storm, Task

CONNECTIONS = 32
"""Concurrent workers or pollers."""

PUBLISHERS = 16
UPDATES_PER_S = 2000

FEWEST_TO_WEIGH = 1000
"""Below this number, the memory of the readers is lost in that of the process."""

Ratio = Literal["cpu_us", "own_cpu_us", "calls_per_s"]


@dataclass(frozen=True, slots=True)
class Column:
    """A figure in a table; its name follows that of its phase."""

    title: str
    figure: str
    digits: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """The presentation of one phase of a workload, or of the whole workload where the phase is empty.

    Attributes:
        ratio: The figure to compare; `None` compares nothing.
        reference: The peer to compare with, besides the best Python peer.
    """

    title: str
    phase: str
    columns: tuple[Column, ...]
    ratio: Ratio | None = None
    reference: str = ""
    is_plotted: bool = False


@dataclass(frozen=True, slots=True)
class Workload:
    """One task for several peers, in the full form and in the quick one; `None` leaves out the quick one."""

    name: str
    peers: tuple[Peer, ...]
    full: Task
    quick: Task | None
    tables: tuple[Table, ...]


NCHAN = Nchan.name
_LOST = Column("lost", "lost")
# A server that was not always busy waited for the load, and could have done more.
_BUSY = Column("busy %", "busy_percent")
_CONNECTIONS = (
    Column("connects/s", "connects_per_s"),
    Column("KiB per connection", "pss_kib", 1),
    Column("and of the kernel", "kernel_kib", 1),
)
_DELIVERIES = (
    Column("deliveries/s", "deliveries_per_s"),
    _BUSY,
    Column("p50 ms", "p50_ms", 1),
    Column("p99 ms", "p99_ms", 1),
    Column("max ms", "max_ms", 1),
    Column("deliveries", "deliveries"),
    _LOST,
    Column("bytes per event", "event_bytes"),
)
_CPU = Column("CPU µs per delivery", "cpu_us", 2)


def _delivery_table(title: str, phase: str) -> Table:
    return Table(title, phase, (_CPU, *_DELIVERIES), ratio="cpu_us", reference=NCHAN, is_plotted=True)


def _fan_out(readers: int, seconds: float, quick_s: float | None, open_loop_s: float = 0) -> Workload:
    def task(seconds: float, open_loop_s: float) -> FanOut:
        phases = [Phase("one", seconds), Phase("ten", seconds, burst=10)]
        if open_loop_s:
            phases.append(Phase("open", open_loop_s, rate=20))
        return FanOut(1, readers, tuple(phases))

    title = f"One session, {readers} readers"
    tables = [
        _delivery_table(f"{title}, one event at a time", "one"),
        _delivery_table(f"{title}, bursts of ten events", "ten"),
    ]
    if readers >= FEWEST_TO_WEIGH:
        tables.append(Table(f"{title}, connecting", "", _CONNECTIONS))
    if open_loop_s:
        tables.append(replace(_delivery_table(f"{title}, 20 events/s whatever comes", "open"), is_plotted=False))
    return Workload(
        f"readers-{readers}",
        STREAMING,
        task(seconds, open_loop_s),
        None if quick_s is None else task(quick_s, 0),
        tuple(tables),
    )


def _calls(name: str, kind: str, title: str, peers: tuple[Peer, ...], *columns: Column) -> Workload:
    shown = (Column("requests/s", "calls_per_s"), _BUSY, Column("CPU µs per request", "cpu_us", 1), *columns)
    return Workload(
        name,
        peers,
        Calls(kind, CONNECTIONS, 3),
        Calls(kind, CONNECTIONS, 0.5),
        (Table(f"{title} on {CONNECTIONS} connections", "", shown, ratio="calls_per_s", reference=BARE.name),),
    )


_MANY = Table(
    "1000 sessions, 2 readers each, 50 events at once",
    "many",
    (Column("CPU µs per delivery, less the publish", "own_cpu_us", 2), replace(_CPU, title="with it"), *_DELIVERIES),
    ratio="own_cpu_us",
    reference=NCHAN,
    is_plotted=True,
)


def _jobs(sessions: int, seconds: float, open_loop_s: float) -> FanOut:
    phases = [Phase("jobs", seconds, publishers=PUBLISHERS)]
    if open_loop_s:
        phases.append(Phase("open", open_loop_s, rate=UPDATES_PER_S))
    return FanOut(sessions, 2, tuple(phases))


_JOBS = "1000 jobs, two readers each"

WORKLOADS: tuple[Workload, ...] = (
    Workload(
        "jobs-1000",
        FOLLOWED,
        _jobs(1000, 4, 8),
        _jobs(200, 0.5, 0),
        (
            _delivery_table(f"{_JOBS}, {PUBLISHERS} workers that each report as soon as they are answered", "jobs"),
            replace(_delivery_table(f"{_JOBS}, {UPDATES_PER_S} updates/s whatever comes", "open"), is_plotted=False),
            Table(f"{_JOBS}, connecting", "", _CONNECTIONS),
        ),
    ),
    _fan_out(100, seconds=2, quick_s=0.5),
    _fan_out(1000, seconds=3, quick_s=0.5, open_loop_s=5),
    _fan_out(10_000, seconds=5, quick_s=None),
    Workload(
        "sessions-1000",
        STREAMING,
        FanOut(1000, 2, (Phase("quiet", 2, burst=50, has_readers=False), Phase("many", 3, burst=50))),
        None,
        (_MANY,),
    ),
    Workload(
        "idle-10000",
        IDLING,
        Idle(10_000, 60),
        None,
        (
            Table(
                "10000 idle readers for a minute",
                "",
                (Column("CPU %", "cpu_percent", 2), *_CONNECTIONS, Column("lost connections", "lost")),
            ),
        ),
    ),
    Workload(
        "storm-5000",
        REPLAYING,
        Storm(5000),
        None,
        (
            Table(
                "5000 readers cut off, and back at once with what they missed (the others replay nothing)",
                "",
                (
                    Column("seconds", "back_s", 2),
                    Column("readers/s", "back_per_s"),
                    Column("CPU s", "cpu_s", 2),
                    Column("deliveries", "deliveries"),
                    _LOST,
                ),
            ),
        ),
    ),
    Workload(
        "processes",
        SHARING,
        FanOut(1, 50, (Phase("open", 10, rate=20),)),
        None,
        (
            Table(
                "From an update to 50 readers, 20 times a second: within a process, and from one to another",
                "open",
                _DELIVERIES,
            ),
        ),
    ),
    Workload(
        "processes-1000",
        SHARING,
        FanOut(1000, 1, (Phase("many", 3, burst=50),)),
        None,
        (
            Table(
                "1000 sessions with one reader each, of the process that the readers are at",
                "many",
                (_CPU, *_DELIVERIES),
            ),
        ),
    ),
    Workload(
        "spread-1000",
        SPREADING,
        FanOut(1, 1000, (Phase("one", 5),)),
        None,
        (
            Table(
                "One session, 1000 readers spread over 1, 2 and 4 processes, which share a core here",
                "one",
                (
                    replace(_CPU, title="one process's CPU µs over all deliveries"),
                    Column("deliveries/s that makes, with a core for each", "capacity_per_s"),
                    *_DELIVERIES,
                ),
            ),
        ),
    ),
    _calls("updates", "update", "Updates over HTTP", CALLED),
    _calls("polls", "poll", "Polls", POLLED),
    Workload(
        "job",
        REPORTED,
        Job(10_000),
        None,
        (
            Table(
                "A job of 10000 rows with `Progress`, against the same one without",
                "",
                (
                    Column("cost %", "cost_percent", 2),
                    Column("seconds without", "plain_s", 2),
                    Column("seconds with", "reported_s", 2),
                    Column("and the end of the block", "end_s", 2),
                    Column("KiB grown", "grown_kib"),
                    Column("reports lost", "lost"),
                ),
            ),
        ),
    ),
    _calls(
        "unchanged", "unchanged", "Polls with If-None-Match", POLLED, Column("answered 304, %", "not_modified_percent")
    ),
)


def readers_of(task: Task) -> int:
    match task:
        case FanOut():
            return task.sessions * task.readers_per_session
        case Idle() | Storm():
            return task.readers
        case Calls() | Job():
            return 0


def fitted(task: Task, max_readers: int) -> Task:
    if readers_of(task) <= max_readers:
        return task
    match task:
        case FanOut(sessions=1):
            return replace(task, readers_per_session=max_readers)
        case FanOut():
            return replace(task, sessions=max_readers // task.readers_per_session)
        case Idle() | Storm():
            return replace(task, readers=max_readers)
        case Calls() | Job():
            return task
