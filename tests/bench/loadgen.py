"""The load generator: a process of its own that reads thousands of streams, and publishes to them.

It takes one order as its only argument and answers with figures on stdout, both JSON. (CPU per delivery does not depend
on the generator's speed; deliveries per second and latencies do, in the same way for every server.)
"""

import gc
import itertools
import os
import re
import sys
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from time import monotonic, monotonic_ns

from tests.bench.clients import Caller, Loop, Reader, RefusedError
from tests.bench.gauges import TICKS_PER_S, cpu_s, kernel_kib, pss_kib
from tests.bench.job import measure_job
from tests.bench.peers.base import HOST
from tests.bench.plan import (
    FIGURES,
    ORDER,
    Account,
    Calls,
    Dialect,
    FanOut,
    Figures,
    Idle,
    Job,
    Order,
    Phase,
    Storm,
    Tally,
    lost,
    percentile,
    stamp,
)

NEWCOMERS = 256
"""The number of readers that may be connecting at once; fewer than any server's backlog."""
STORM_NEWCOMERS = 1000
SETTLE_S = 0.3
SETTLE_IDLE_S = 3.0
WARM_UP_S = 0.3
"""Seconds of publishing before the measurement: the first events pay for effects of the new connections."""
MISSED_IN_STORM = 10
DURING_STORM = 5
OPEN_LOOP_CALLERS = 16

_ETAG = re.compile(rb"\r\netag: *([^\r]+)", re.IGNORECASE)
_IDS = re.compile(rb"(?:^|\n)id: ?([^\r\n]+)\r?\n")


class Bench:
    """Readers and publishers of one server."""

    def __init__(self, port: int, pid: int, dialect: Dialect) -> None:
        self._pid = pid
        self._dialect = dialect
        self._loop = Loop(port)
        self._publish_port = port + dialect.publish_port
        self._reader_ports = itertools.cycle(range(port, port + dialect.reader_ports))
        self._readers: list[Reader] = []
        self._readers_of: Counter[int] = Counter()
        self._tally = Tally()
        self._callers = [Caller(self._loop, self._publish_port)]
        self._seqs = itertools.count(1)
        self._published: dict[int, Account] = {}
        self._expected = 0

    def fan_out(self, task: FanOut) -> Figures:
        self._prepare(task.sessions * (1 if all(phase.has_readers for phase in task.phases) else 2))
        figures = self._open_measured([*range(task.sessions)] * task.readers_per_session)
        self._run(Phase("warm-up", WARM_UP_S), task.sessions)
        alone_us = 0.0
        for phase in task.phases:
            result = self._run(phase, task.sessions)
            if phase.has_readers:
                result["own_cpu_us"] = result["cpu_us"] - alone_us / task.readers_per_session
            else:
                alone_us = result["publish_cpu_us"]
            figures |= {f"{phase.name}.{name}": value for name, value in result.items()}
        return figures

    def idle(self, task: Idle) -> Figures:
        """Open the readers, and measure their cost while nothing is published."""
        self._prepare(1)
        figures = self._open_measured([0] * task.readers)
        self._loop.run_for(SETTLE_IDLE_S)
        used_s = cpu_s(self._pid)
        self._loop.run_for(task.seconds)
        open_readers = sum(reader.sock.fileno() >= 0 for reader in self._readers)
        return figures | {
            "cpu_percent": (cpu_s(self._pid) - used_s) / task.seconds * 100,
            "lost": task.readers - open_readers,
        }

    def storm(self, task: Storm) -> Figures:
        """Cut off all readers, publish meanwhile, and reconnect all at once where they were."""
        self._prepare(1)
        self._open([0] * task.readers)
        self._begin_phase(callers=1)
        self._publish_in_turn(1)
        *_, last_id = _IDS.findall(self._readers[0].last_read)
        for reader in self._readers:
            self._loop.close(reader.sock)
        self._readers.clear()
        self._readers_of.clear()
        self._begin_phase(callers=1)
        self._publish_in_turn(MISSED_IN_STORM)
        started, used_s = monotonic(), cpu_s(self._pid)
        self._open([0] * task.readers, at_once=STORM_NEWCOMERS, last_id=last_id, during=DURING_STORM)
        self._expected = task.readers * (MISSED_IN_STORM + DURING_STORM)
        self._loop.run_until(self._has_all)
        took_s = monotonic() - started
        return {
            "back_s": took_s,
            "back_per_s": task.readers / took_s,
            "cpu_s": cpu_s(self._pid) - used_s,
            "deliveries": len(self._tally.latencies_ns),
            "lost": self._lost(),
        }

    def calls(self, task: Calls) -> Figures:
        """Send a request on every connection as soon as the previous one is answered."""
        self._prepare(task.connections)
        callers = [_Repeating(self, self._loop, task.kind, session) for session in range(task.connections)]
        self._loop.run_for(SETTLE_S)
        before, started, used_s = sum(each.answers for each in callers), monotonic(), cpu_s(self._pid)
        self._loop.run_for(task.seconds)
        count = sum(each.answers for each in callers) - before
        took_s, used_s = monotonic() - started, cpu_s(self._pid) - used_s
        not_modified = sum(each.status == 304 for each in callers)
        return {
            "calls_per_s": count / took_s,
            "cpu_us": used_s * 1e6 / max(1, count),
            "busy_percent": used_s / took_s * 100,
            "not_modified_percent": not_modified / len(callers) * 100,
        }

    def publish_request(self, session: int, sent_ns: int) -> bytes:
        seq = next(self._seqs)
        if (account := self._published.get(session)) is None:
            account = self._published[session] = Account()
        account.add(seq)
        text = stamp(seq, sent_ns).ljust(self._dialect.text_bytes, ".")
        return self._dialect.publish.to_bytes(_name(session), text=text, seq=seq)

    def expect_deliveries(self, session: int) -> None:
        self._expected += self._readers_of[session]

    def poll_request(self, session: int, kind: str) -> bytes:
        """The request that reads a session, with `If-None-Match` if the kind is `unchanged`."""
        assert self._dialect.poll is not None
        if kind == "poll":
            return self._dialect.poll.to_bytes(_name(session))
        etag = _ETAG.search(self._callers[0].call(self._dialect.poll.to_bytes(_name(session))))
        return self._dialect.poll.to_bytes(
            _name(session), headers=(f"If-None-Match: {etag[1].decode() if etag else '-'}",)
        )

    def _prepare(self, sessions: int) -> None:
        for session in range(sessions):
            for request in self._dialect.prepare:
                self._callers[0].call(request.to_bytes(_name(session)))

    def _open_measured(self, sessions: list[int]) -> Figures:
        self._loop.run_for(SETTLE_S)
        before_kib, kernel_before_kib = pss_kib(self._pid), kernel_kib()
        took_s = self._open(sessions)
        self._loop.run_for(SETTLE_S)
        return {
            "connects_per_s": len(sessions) / took_s,
            "pss_kib": (pss_kib(self._pid) - before_kib) / len(sessions),
            # Both ends of each connection are on this machine.
            "kernel_kib": (kernel_kib() - kernel_before_kib) / (2 * len(sessions)),
        }

    def _open(
        self, sessions: list[int], *, at_once: int = NEWCOMERS, last_id: bytes | None = None, during: int = 0
    ) -> float:
        """Open a reader for each of the numbers, and return the duration in seconds.

        Args:
            sessions: The session of each reader.
            at_once: The number of readers that may be connecting at once.
            last_id: Sent as `Last-Event-ID`; such readers are ready with the head of the response.
            during: The number of events published to session 0 meanwhile.
        """
        started = monotonic()
        ready_mark = self._dialect.ready_mark.encode() if last_id is None else b"\r\n\r\n"
        headers = ["Accept: text/event-stream"] + ([f"Last-Event-ID: {last_id.decode()}"] if last_id else [])
        publish_at = {len(sessions) * (each + 1) // (during + 1) for each in range(during)}
        waiting: deque[Reader] = deque()
        for number, session in enumerate(sessions):
            request = self._dialect.subscribe.to_bytes(_name(session), headers=tuple(headers))
            port = next(self._reader_ports)
            waiting.append(Reader(self._loop, port, session, request, ready_mark, self._tally))
            self._readers.append(waiting[-1])
            self._readers_of[session] += 1
            if number in publish_at:
                self._loop.run_until(lambda: not self._callers[0].is_busy)
                self._publish([0])
            if len(waiting) >= at_once:
                self._await_ready(waiting, at_once * 3 // 4)
        self._await_ready(waiting, 0)
        return monotonic() - started

    def _await_ready(self, waiting: deque[Reader], at_most: int) -> None:
        def is_done() -> bool:
            while waiting and waiting[0].is_ready:
                waiting.popleft()
            return len(waiting) <= at_most

        if not self._loop.run_until(is_done):
            raise RefusedError(f"{len(waiting)} readers got no answer")

    def _begin_phase(self, callers: int) -> None:
        for caller in self._callers:  # A server may close one that has been idle, just as it is used again.
            caller.close()
        self._callers = [Caller(self._loop, self._publish_port) for _ in range(callers)]
        self._tally.latencies_ns.clear()
        self._tally.received_bytes = 0
        self._expected = 0
        self._published.clear()
        for reader in self._readers:
            reader.got = Account()
        gc.collect()

    def _run(self, phase: Phase, sessions: int) -> Figures:
        self._begin_phase(max(phase.burst, OPEN_LOOP_CALLERS if phase.rate else 1))
        turns = itertools.cycle(range(sessions) if phase.has_readers else range(sessions, sessions * 2))
        started, used_s = monotonic(), cpu_s(self._pid)
        publishes = self._publish_all(phase, turns)
        took_s, used_s = monotonic() - started, cpu_s(self._pid) - used_s
        return {"publish_cpu_us": used_s * 1e6 / publishes, "lost": self._lost()} | self._deliveries(took_s, used_s)

    def _publish_all(self, phase: Phase, turns: Iterator[int]) -> int:
        if phase.rate is not None:
            return self._run_open(phase.rate, phase.seconds, turns)
        return self._run_publishers(phase, turns) if phase.publishers else self._run_closed(phase, turns)

    def _run_publishers(self, phase: Phase, turns: Iterator[int]) -> int:
        """Publish on each connection, one event after the other, and return the number of events."""
        end = monotonic() + phase.seconds
        publishers = [_Publisher(self, self._loop, self._publish_port, turns, end) for _ in range(phase.publishers)]
        self._loop.run_until(lambda: self._has_all() and not any(each.is_busy for each in publishers))
        return sum(each.answers for each in publishers)

    def _run_closed(self, phase: Phase, turns: Iterator[int]) -> int:
        """Publish burst after burst, each when the previous one has arrived, and return the number of events."""
        publishes = 0
        end = monotonic() + phase.seconds
        while monotonic() < end:
            self._publish(itertools.islice(turns, phase.burst))
            publishes += phase.burst
            if not self._loop.run_until(self._has_all):
                break
        return publishes

    def _run_open(self, rate: float, seconds: float, turns: Iterator[int]) -> int:
        """Publish at a fixed rate, whatever has arrived; a stamp holds the time an event was due, so waiting counts."""
        count = int(rate * seconds)
        started_ns = monotonic_ns()
        for number in range(count):
            due_ns = started_ns + int(number * 1e9 / rate)
            self._loop.run_for((due_ns - monotonic_ns()) / 1e9)
            self._loop.run_until(lambda: any(not caller.is_busy for caller in self._callers))
            self._publish([next(turns)], due_ns)
        self._loop.run_until(self._has_all)
        return count

    def _publish_in_turn(self, count: int) -> None:
        for _ in range(count):
            self._publish([0])
            if not self._loop.run_until(self._has_all):
                raise RefusedError("what was published did not come")

    def _publish(self, sessions: Iterable[int], sent_ns: int | None = None) -> None:
        """Publish one event to each session at once, each on a free connection; there must be enough of them."""
        free = iter([caller for caller in self._callers if not caller.is_busy])
        for session in sessions:
            caller = next(free)
            self.expect_deliveries(session)
            caller.send(self.publish_request(session, monotonic_ns() if sent_ns is None else sent_ns))

    def _has_all(self) -> bool:
        return len(self._tally.latencies_ns) >= self._expected and not any(each.is_busy for each in self._callers)

    def _deliveries(self, took_s: float, used_s: float) -> Figures:
        latencies = sorted(self._tally.latencies_ns)
        if not latencies:
            return {}
        return {
            "deliveries": len(latencies),
            "deliveries_per_s": len(latencies) / took_s,
            "cpu_us": used_s * 1e6 / len(latencies),
            "capacity_per_s": len(latencies) / max(used_s, 1 / TICKS_PER_S),
            "busy_percent": used_s / took_s * 100,
            "p50_ms": percentile(latencies, 500) / 1e6,
            "p99_ms": percentile(latencies, 990) / 1e6,
            "max_ms": latencies[-1] / 1e6,
            "event_bytes": self._tally.received_bytes / len(latencies),
        }

    def _lost(self) -> int:
        none = Account()
        return sum(lost(self._published.get(reader.session, none), reader.got) for reader in self._readers)


class _Repeating(Caller):
    """A connection that sends its next request as soon as the last one is answered."""

    def __init__(self, bench: Bench, loop: Loop, kind: str, session: int) -> None:
        super().__init__(loop)
        self._bench = bench
        self._session = session
        self._poll = b"" if kind == "update" else bench.poll_request(session, kind)
        self.on_answer()

    def on_answer(self) -> None:
        self.send(self._poll or self._bench.publish_request(self._session, monotonic_ns()))


class _Publisher(Caller):
    """A connection that publishes to the next session as soon as its last event is accepted, until a point in time."""

    def __init__(self, bench: Bench, loop: Loop, port: int, turns: Iterator[int], end: float) -> None:
        super().__init__(loop, port)
        self._bench = bench
        self._turns = turns
        self._end = end
        self.on_answer()

    def on_answer(self) -> None:
        now_ns = monotonic_ns()
        if now_ns < self._end * 1e9:
            session = next(self._turns)
            self._bench.expect_deliveries(session)
            self.send(self._bench.publish_request(session, now_ns))


def _name(session: int) -> str:
    return f"s{session:04d}"


def measure(order: Order) -> Figures:
    if isinstance(order.task, Job):
        return measure_job(order.task, f"http://{HOST}:{order.port + order.dialect.publish_port}", os.getpid())
    bench = Bench(order.port, order.pid, order.dialect)
    match order.task:
        case FanOut():
            return bench.fan_out(order.task)
        case Idle():
            return bench.idle(order.task)
        case Storm():
            return bench.storm(order.task)
        case Calls():
            return bench.calls(order.task)


def main() -> None:
    """Carry out the order in the only argument."""
    order = ORDER.validate_json(sys.argv[1])
    os.sched_setaffinity(0, {order.core})
    gc.freeze()
    try:
        figures = measure(order)
    except (OSError, RefusedError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
    sys.stdout.buffer.write(FIGURES.dump_json(figures))


if __name__ == "__main__":
    main()
