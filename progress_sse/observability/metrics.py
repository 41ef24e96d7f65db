"""What an operator watches, in the form of Prometheus. Nothing is counted here: that is done where it happens.

Everything hangs on one service, so that several in one process do not mix. No label tells of a single session, and
each has few values.
"""

import asyncio
import os
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from itertools import product
from math import isinf
from typing import Any, Final, get_args

from prometheus_client import ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from progress_sse._internal.histogram import Histogram
from progress_sse.core.model import SessionStatus
from progress_sse.service import PollAnswer, ProgressService
from progress_sse.store.command_queue import CommandName, CommandOutcome
from progress_sse.streaming.event_stream import Ending
from progress_sse.streaming.hub import Resync
from progress_sse.streaming.registry import Refusal

PREFIX: Final = "progress_sse_"


def exposition(
    service: ProgressService, sessions: Mapping[SessionStatus, int] | None, accept: str
) -> tuple[bytes, str]:
    """Return all metrics and their media type, in the format that an `Accept` asks for.

    Args:
        service: What they are of.
        sessions: How many there are; `None` where the store does not say.
        accept: What the client can read; empty for the plain text format.
    """
    try:
        encode, media_type = choose_encoder(accept)
    except (TypeError, ValueError):  # An `Accept` that nobody can make sense of.
        encode, media_type = choose_encoder("")
    return encode(_Metrics(service, sessions)), media_type


class _Metrics(Collector):
    """A service as it is now."""

    def __init__(self, service: ProgressService, sessions: Mapping[SessionStatus, int] | None) -> None:
        self._service = service
        self._sessions = sessions

    def collect(self) -> Iterator[Metric]:
        # Whoever asks several processes behind one socket is answered by any of them.
        labels = {"pid": str(os.getpid())} if self._service.settings.workers > 1 else {}
        for family in self._families():
            family.samples = [sample._replace(labels={**sample.labels, **labels}) for sample in family.samples]
            yield family

    def _families(self) -> Iterator[Metric]:
        yield from self._of_readers()
        yield from self._of_workers()
        refusals: dict[Any, int] = {**self._service.refusals, **self._service.streams.refusals}
        yield _counters("refusals", "What was refused, by the problem.", ["reason"], refusals, get_args(Refusal))
        yield _gauge("tasks", "Tasks in the event loop.", len(asyncio.all_tasks()))
        store = self._service.settings.store.partition(":")[0]
        info = {(version("progress-sse"), store): 1}
        yield _gauges("info", "What serves, and from what kind of store.", ["version", "store"], info)
        yield from ProcessCollector(registry=None).collect()

    def _of_readers(self) -> Iterator[Metric]:
        streams, hub = self._service.streams, self._service.streams.hub
        yield _gauge("streams", "Streams that are open.", len(streams))
        yield _gauge("subscribers", "Readers, each once for each session that it follows.", hub.reader_count)
        yield _gauge("followed_sessions", "Sessions that have readers here.", hub.channel_count)
        yield _gauge("queued_bytes", "What waits for readers who do not keep up.", streams.queued_bytes)
        endings = streams.endings
        yield _counters("streams_ended", "Streams that have ended, by why.", ["reason"], endings, get_args(Ending))
        yield _counters("deliveries", "Events handed to readers, each to each of them.", [], {(): hub.deliveries})
        what = "From the news of a commit until it was written to all readers who keep up."
        yield _histogram("delivery_seconds", what, hub.delivery_seconds)
        yield _counters("replays", "Readers who came back and got exactly what they had missed.", [], {(): hub.replays})
        what = "Snapshots that took the place of missed transitions, by why."
        yield _counters("resyncs", what, ["reason"], hub.resyncs, get_args(Resync))
        yield _counters("polls", "Polls, by their answer.", ["answer"], self._service.polls, get_args(PollAnswer))

    def _of_workers(self) -> Iterator[Metric]:
        store = self._service.store
        if self._sessions is not None:
            sessions = {**dict.fromkeys(get_args(SessionStatus), 0), **self._sessions}
            yield _gauges("sessions", "Sessions in the store, by status.", ["status"], sessions)
        what, known = "Commands, by what became of them.", product(get_args(CommandName), get_args(CommandOutcome))
        yield _counters("commands", what, ["action", "outcome"], store.commands, known)
        yield _gauge("commands_waiting", "Commands that wait for one before them.", store.waiting_count)
        yield _histogram("commit_seconds", "How long the store took to commit.", store.commit_seconds)


def _gauge(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, what, value=value)


def _gauges(name: str, what: str, labels: list[str], values: Mapping[Any, float]) -> Metric:
    return _filled(GaugeMetricFamily(PREFIX + name, what, labels=labels), values)


def _counters(
    name: str, what: str, labels: list[str], counts: Mapping[Any, float], known: Iterable[Any] = ()
) -> Metric:
    """Return a family of counters; those that are `known` are shown as 0 before they count anything."""
    return _filled(CounterMetricFamily(PREFIX + name, what, labels=labels), {**dict.fromkeys(known, 0), **counts})


def _filled(family: GaugeMetricFamily | CounterMetricFamily, values: Mapping[Any, float]) -> Metric:
    for key, value in values.items():
        family.add_metric([key] if isinstance(key, str) else key, value)
    return family


def _histogram(name: str, what: str, durations: Histogram) -> Metric:
    buckets = [("+Inf" if isinf(bound) else str(bound), float(count)) for bound, count in durations.cumulated()]
    return HistogramMetricFamily(PREFIX + name, what, buckets=buckets, sum_value=durations.total_s)
