"""The metrics, in the format of Prometheus. Nothing is counted here; each part of the service counts for itself.

The metrics belong to one service, so that several in one process do not mix. No label identifies a session, and each
label has few values.
"""

import asyncio
import os
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from itertools import product
from math import isinf
from typing import TYPE_CHECKING, Any, Final, get_args

from prometheus_client import ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from progress_sse._internal.histogram import Histogram
from progress_sse.core.asks import AskKind, AskState
from progress_sse.core.commands import ACTIONS
from progress_sse.core.model import SessionStatus
from progress_sse.notices.schedule import SendResult
from progress_sse.service import PollResult, ProgressService
from progress_sse.store.command_queue import CommandOutcome
from progress_sse.store.lease_watcher import Verdict
from progress_sse.streaming.event_stream import EndReason
from progress_sse.streaming.publisher import ResyncReason
from progress_sse.streaming.registry import RefusalReason
from progress_sse.streaming.waits import WaitOutcome

if TYPE_CHECKING:
    from progress_sse.notices.sender import HookSender

PREFIX: Final = "progress_sse_"

HELP: Final[Mapping[str, str]] = {
    "streams": "Open streams.",
    "subscribers": "Readers, each counted for each session that it follows.",
    "followed_sessions": "Sessions that have readers in this process.",
    "list_readers": "Readers that follow lists of sessions.",
    "followed_lists": "Different lists that have readers in this process.",
    "queued_bytes": "Bytes that wait for readers that do not keep up.",
    "streams_ended": "Streams that have ended, by reason: the session is `completed`; the reader has left (`gone`), or "
    "took nothing for `send_timeout_s` (`stuck`); the server stops (`drained`); the token has `expired`; or `failed`.",
    "waiting_requests": "Requests that wait for a change. They take places as streams do.",
    "waits": "Requests that would wait for a change, by outcome: it came (`met`), or did not (`unmet`); the client has "
    "left (`gone`); the server stops (`drained`); the token has `expired`; or no place was free (`refused`).",
    "deliveries": "Events delivered to readers, counted once per reader.",
    "delivery_seconds": "From the notification of a commit until it was written to all readers that keep up.",
    "replays": "Readers that came back and got exactly the events that they had missed.",
    "resyncs": "Snapshots in place of missed transitions, by reason: the reader fell `behind`; its position is "
    "`forgotten`; this process missed a notification (`gap`).",
    "log_lines": "Lines that workers wrote into logs here.",
    "log_lines_delivered": "Lines of logs delivered to readers, counted once per reader.",
    "log_gaps": "Readers that did not keep up with a log, and got its newest lines in place of others.",
    "polls": "Polls, by answer.",
    "sessions": "Sessions in the store, by status; in a large store perhaps a moment old.",
    "reader_requests": "Requests of readers to a worker, by kind and by each state that they got to.",
    "commands": "Commands of workers and readers, and of the server on silent workers, by action and outcome; `failed` "
    "means that the store did.",
    "commands_waiting": "Commands that wait for an earlier one of their session.",
    "silent_workers": "Workers that gave no sign of life in time, by the verdict of this server: `stalled` or `lost`.",
    "commit_seconds": "Seconds that the store took to commit.",
    "runs_learned": "Runs of a profile that were completed here, and taught what their steps take.",
    "damaged": "Sessions and profiles in the store that another program or a fault has damaged, each counted when it "
    "is found and logged.",
    "hook_notices": "Tries to send a notice to a hook, by result: it was `delivered`, or the try `failed`; "
    "notices that are `dead` after their last try; and those that were `lost` unsent, as too many or too old.",
    "hook_waiting": "Notices of a hook that wait in the store.",
    "hook_up": "1 if notices are sent to a hook; 0 while it counts as down, or is turned off by its 410.",
    "refusals": "Refused requests, by the last part of their problem's `type`; or, where a stream was asked to come "
    "later, by `streams-full`, `streams-of-caller-full`, `streams-rate-exceeded` or `draining`.",
    "tasks": "Tasks in the event loop.",
    "info": "The version, and the kind of the store.",
}
"""The meaning of each metric."""


def exposition(
    service: ProgressService, sessions: Mapping[SessionStatus, int] | None, accept: str
) -> tuple[bytes, str]:
    """Return all metrics and their media type, in the format that an `Accept` asks for.

    Args:
        service: The service that they describe.
        sessions: The number of sessions by status; `None` where the store does not answer.
        accept: The client's `Accept` header; empty for the plain text format.
    """
    try:
        encode, media_type = choose_encoder(accept)
    except (TypeError, ValueError):  # The `Accept` header is malformed.
        encode, media_type = choose_encoder("")
    return encode(_Metrics(service, sessions)), media_type


def families(service: ProgressService, sessions: Mapping[SessionStatus, int] | None) -> Iterator[Metric]:
    """Return all metrics of a service at this moment, as `exposition` shows them."""
    return _Metrics(service, sessions).collect()


class _Metrics(Collector):
    """The metrics of a service at this moment."""

    def __init__(self, service: ProgressService, sessions: Mapping[SessionStatus, int] | None) -> None:
        self._service = service
        self._sessions = sessions

    def collect(self) -> Iterator[Metric]:
        # Of several processes behind one socket, any may get the request.
        labels = {"pid": str(os.getpid())} if self._service.settings.workers > 1 else {}
        for family in self._families():
            family.samples = [sample._replace(labels={**sample.labels, **labels}) for sample in family.samples]
            yield family

    def _families(self) -> Iterator[Metric]:
        yield from self._stream_metrics()
        yield from self._store_metrics()
        if self._service.notifier is not None:
            yield from self._hook_metrics(self._service.notifier.senders)
        refusals: dict[Any, int] = {**self._service.refusals, **self._service.streams.refusals}
        yield _counters("refusals", ["reason"], refusals, get_args(RefusalReason))
        yield _gauge("tasks", len(asyncio.all_tasks()))
        store = self._service.settings.store.partition(":")[0]
        yield _gauges("info", ["version", "store"], {(version("progress-sse"), store): 1})
        yield from ProcessCollector(registry=None).collect()

    def _stream_metrics(self) -> Iterator[Metric]:
        streams = self._service.streams
        hub = streams.hub
        yield _gauge("streams", len(streams))
        yield _gauge("subscribers", hub.subscription_count)
        yield _gauge("followed_sessions", hub.channel_count)
        yield _gauge("list_readers", hub.lists.subscription_count)
        yield _gauge("followed_lists", hub.lists.count)
        yield _gauge("queued_bytes", streams.queued_bytes)
        yield _counters("streams_ended", ["reason"], streams.ended, get_args(EndReason))
        yield _gauge("waiting_requests", len(streams.waits))
        yield _counters("waits", ["outcome"], streams.waits.ended, get_args(WaitOutcome))
        yield _counters("deliveries", [], {(): hub.counts.deliveries})
        yield _histogram("delivery_seconds", hub.counts.delivery_seconds)
        yield _counters("replays", [], {(): hub.counts.replays})
        yield _counters("resyncs", ["reason"], hub.counts.resyncs, get_args(ResyncReason))
        yield _counters("log_lines_delivered", [], {(): hub.counts.lines})
        yield _counters("log_gaps", [], {(): hub.counts.line_gaps})
        yield _counters("polls", ["answer"], self._service.polls, get_args(PollResult))

    def _store_metrics(self) -> Iterator[Metric]:
        store = self._service.store
        if self._sessions is not None:
            sessions = {**dict.fromkeys(get_args(SessionStatus), 0), **self._sessions}
            yield _gauges("sessions", ["status"], sessions)
        known = product(ACTIONS, get_args(CommandOutcome))
        yield _counters("commands", ["action", "outcome"], store.commands, known)
        states = product(get_args(AskKind), get_args(AskState))
        yield _counters("reader_requests", ["kind", "state"], store.committer.reader_requests, states)
        yield _gauge("commands_waiting", store.queues.waiting_count)
        yield _counters("silent_workers", ["verdict"], self._service.verdicts, get_args(Verdict))
        yield _histogram("commit_seconds", store.committer.commit_seconds)
        yield _counters("log_lines", [], {(): store.committer.line_count})
        yield _counters("runs_learned", [], {(): store.committer.runs_learned})
        yield _counters("damaged", [], {(): store.backend.damage_count})

    def _hook_metrics(self, senders: "Mapping[str, HookSender]") -> Iterator[Metric]:
        counts = {(name, result): count for name, each in senders.items() for result, count in each.results.items()}
        lost = {(name, "lost"): each.lost for name, each in senders.items()}
        yield _counters("hook_notices", ["hook", "result"], {**counts, **lost}, product(senders, get_args(SendResult)))
        waiting = {name: each.waiting for name, each in senders.items() if each.waiting is not None}
        yield _gauges("hook_waiting", ["hook"], waiting)
        yield _gauges("hook_up", ["hook"], {name: each.state == "up" for name, each in senders.items()})


def _gauge(name: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, HELP[name], value=value)


def _gauges(name: str, labels: list[str], values: Mapping[Any, float]) -> Metric:
    return _filled(GaugeMetricFamily(PREFIX + name, HELP[name], labels=labels), values)


def _counters(name: str, labels: list[str], counts: Mapping[Any, float], known: Iterable[Any] = ()) -> Metric:
    """Return a family of counters; the `known` ones are shown as 0 until they count."""
    return _filled(CounterMetricFamily(PREFIX + name, HELP[name], labels=labels), {**dict.fromkeys(known, 0), **counts})


def _filled(family: GaugeMetricFamily | CounterMetricFamily, values: Mapping[Any, float]) -> Metric:
    for key, value in values.items():
        family.add_metric([key] if isinstance(key, str) else key, value)
    return family


def _histogram(name: str, durations: Histogram) -> Metric:
    buckets = [("+Inf" if isinf(bound) else str(bound), float(count)) for bound, count in durations.cumulated()]
    return HistogramMetricFamily(PREFIX + name, HELP[name], buckets=buckets, sum_value=durations.total_s)
