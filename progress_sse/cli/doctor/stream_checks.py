"""Checks of the stream: its kind, when its events come, and whether it stays open. Pure."""

from datetime import datetime
from itertools import pairwise
from typing import Final

from progress_sse.cli.doctor.connection_checks import SHARE_STORE
from progress_sse.cli.doctor.findings import Finding, fault, ok, skipped, warning
from progress_sse.cli.doctor.observations import Observations, Stream, media_type_of, values_of
from progress_sse.cli.doctor.proxies import proxies_in, remedy
from progress_sse.core.durations import in_words
from progress_sse.story.session_state import parsed

_MINUTE_S: Final = 60

SLOW_S: Final = 3.0
"""Seconds after which a viewer calls the beginning slow."""

HELD_S: Final = 3.0
"""Seconds after which an update has been held back, rather than been under way."""

LONGEST_WAIT_S: Final = 35.0
"""Seconds that the doctor waits for heartbeats."""

SKEW_S: Final = 5.0
"""Seconds by which the clocks of a server and of the machine that makes its tokens may differ."""

USUAL_SILENCE_S: Final = 60.0
"""Seconds without a byte after which many proxies and load balancers cut an answer."""

REFUSED_RETRY_MS: Final = 30_000
"""The `retry` with which a server without room ends a stream at once."""

ADD_ROOM: Final = (
    "raise `max_streams`, `max_streams_per_caller` or `read_rate` of the server; behind a proxy all readers are one "
    "caller, until `trusted_proxies` names the proxy."
)

SEVERAL_STORES: Final = "Servers that share no store answer."
NO_STREAM: Final = "There is no stream."


def check_content_type(seen: Observations) -> Finding:
    """Whether the answer is an event stream."""
    stream = seen.stream
    if stream is None or (not stream.status and not stream.error):
        return skipped("No head of a stream came.")
    if not stream.status:
        return fault(f"The stream cannot be opened: {stream.error}.", "see the log of the proxy and of the server.")
    if stream.is_event_stream:
        return ok("text/event-stream.")
    if stream.status == 200:
        kind = media_type_of(stream.headers) or "none"
        return fault(
            f"The content type of the stream is {kind}; an EventSource gives up.",
            remedy("response header", seen.headers, "Content-Type"),
        )
    return fault(
        f"The stream is answered with {stream.status}, although polls work; an EventSource gives up.",
        "the rules of the proxy for paths that end in /events.",
    )


def check_first_byte(seen: Observations) -> Finding:
    """How soon the stream begins."""
    stream = _opened(seen)
    if stream is None or stream.head_at is None:
        return skipped(NO_STREAM)
    head_s = stream.head_at - stream.began
    text = f"The stream begins after {head_s:.2f} s"
    if head_s > SLOW_S:
        return warning(f"{text}.", _slowness_remedy(seen))
    return ok(f"{text}.")


def check_snapshot(seen: Observations) -> Finding:
    """How soon the session's state comes, and whether it is that of the session."""
    stream = _opened(seen)
    if stream is None:
        return skipped(NO_STREAM)
    snapshots = stream.of("snapshot")
    if not snapshots:
        return _without_snapshot(seen, stream)
    after_s = snapshots[0].at - stream.began
    if seen.is_moving and _status_in(snapshots[0].event.data) == "not_found":
        return fault(
            "The stream does not know the session that was just created: several servers that share no store answer.",
            SHARE_STORE,
        )
    if after_s > SLOW_S:
        return warning(f"The snapshot comes after {after_s:.2f} s.", _slowness_remedy(seen))
    return ok(f"The snapshot comes after {after_s:.2f} s.")


def _without_snapshot(seen: Observations, stream: Stream) -> Finding:
    if is_refused(stream):
        return fault("The server has no room for the stream, and asks to come back later.", ADD_ROOM)
    return fault("No snapshot came.", _slowness_remedy(seen))


def is_refused(stream: Stream) -> bool:
    """Return whether a server without room has ended the stream."""
    return stream.ended_at is not None and (stream.retry_ms or 0) >= REFUSED_RETRY_MS


def _slowness_remedy(seen: Observations) -> str:
    return "see buffering." if is_held_back(seen) else "the load of the server and its store."


def check_buffering(seen: Observations) -> Finding:
    """Whether each event comes when it is sent."""
    stream = _awaited(seen)
    if stream is None:
        return skipped(NO_STREAM)
    if seen.is_lost:
        return skipped(SEVERAL_STORES)
    if is_held_back(seen):
        return fault(
            f"{_held_back(seen, stream)} Something between buffers the stream, so pages poll instead.",
            remedy("buffering", seen.headers),
        )
    delays = _delays_s(seen, stream)
    if not delays and (seen.reports or not stream.arrivals):
        return skipped("The stream ended before an update came.")
    if not delays:
        return ok("The beginning of the stream is not held back; no update was tried.")
    return ok(f"{len(delays)} updates came, the slowest {max(delays) * 1000:.0f} ms after its report.")


def is_held_back(seen: Observations) -> bool:
    """Return whether events came late, or not before the end of the stream."""
    stream = _awaited(seen)
    if stream is None:
        return False
    if not stream.arrivals:
        return stream.ended_at is None
    round_trip_s = seen.poll.ended - seen.poll.began
    is_late = stream.arrivals[0].at - stream.began > HELD_S + round_trip_s
    return is_late or (not seen.is_lost and any(delay > HELD_S for delay in _delays_s(seen, stream)))


def _delays_s(seen: Observations, stream: Stream) -> list[float]:
    """Return how long after its report each update came; for ever if it did not come while the stream was open."""
    arrivals = [each.at for each in stream.of("step")]
    delays = []
    for index, reported_at in enumerate(seen.reports):
        if index < len(arrivals):
            delays.append(max(0.0, arrivals[index] - reported_at))
        elif stream.ended_at is None or stream.ended_at > reported_at + HELD_S:
            delays.append(float("inf"))
    return delays


def _held_back(seen: Observations, stream: Stream) -> str:
    if not stream.arrivals:
        return "Nothing of the stream came."
    late = [delay for delay in _delays_s(seen, stream) if delay > HELD_S]
    if not late:
        return f"The first event came only after {stream.arrivals[0].at - stream.began:.1f} s."
    if max(late) == float("inf"):
        return f"{len(late)} of {len(seen.reports)} updates never came."
    if len({each.at for each in stream.arrivals}) == 1:
        return "The whole stream came at once, with its end."
    return f"Updates came late, up to {max(late):.1f} s after their report."


def check_compression(seen: Observations) -> Finding:
    """Whether a proxy compresses the stream: that delays events, and costs memory for each stream."""
    stream = _opened(seen)
    if stream is None:
        return skipped(NO_STREAM)
    encodings = ", ".join(values_of(stream.headers, "content-encoding"))
    if encodings in ("", "identity"):
        return ok("The stream is not compressed.")
    change = remedy("compression", seen.headers)
    if is_held_back(seen):
        return fault(f"A proxy compresses the stream ({encodings}), and holds events back for it.", change)
    return warning(f"A proxy compresses the stream ({encodings}): it may hold events back for it.", change)


def check_query(seen: Observations) -> Finding:
    """Whether the query of a URL arrives: heartbeats as events, tickets and positions need it."""
    stream = _opened(seen)
    if stream is None or not stream.arrivals:
        return skipped("No event came.")
    if stream.of("heartbeat"):
        return ok("The query of the URL arrives.")
    return fault(
        "The query of the URL does not arrive: the stream brings no heartbeats as events, and takes no ticket.",
        remedy("query", seen.headers),
    )


def check_heartbeats(seen: Observations) -> Finding:
    """Whether a silent stream stays open, by heartbeats that come in time."""
    stream = _opened(seen)
    if stream is None or stream.interval_s is None:
        return skipped("No heartbeat came as an event.")
    interval_s = stream.interval_s
    if stream.ended_at is not None and not stream.of("end"):
        return _cut(seen, stream, interval_s)
    if is_held_back(seen):
        return skipped("Events are held back.")
    limit_s = min((proxy.silence_s for proxy in proxies_in(seen.headers) if proxy.silence_s), default=USUAL_SILENCE_S)
    if interval_s >= limit_s:
        return warning(
            f"A heartbeat comes every {_span(interval_s)}, and proxies cut streams that are silent for "
            f"{_span(limit_s)}.",
            f"a `heartbeat_s` of the server well below {limit_s:g}.",
        )
    if interval_s > LONGEST_WAIT_S:
        return skipped(f"A heartbeat comes every {_span(interval_s)}, longer than the doctor waits.")
    return _spacing(seen, stream, interval_s)


def _spacing(seen: Observations, stream: Stream, interval_s: float) -> Finding:
    times = [each.at for each in stream.of("heartbeat")]
    if len(times) == 1:
        if stream.of("end"):
            return skipped("The session was completed before a heartbeat was due.")
        return fault(f"No heartbeat came within {_span(interval_s)}.", remedy("buffering", seen.headers))
    longest_s = max(later - earlier for earlier, later in pairwise(times))
    if longest_s > 1.5 * interval_s + HELD_S:
        return fault(
            f"Heartbeats come {_span(longest_s)} apart instead of {_span(interval_s)}.",
            remedy("buffering", seen.headers),
        )
    return ok(f"A heartbeat comes every {_span(interval_s)}; the stream stays open between them.")


def _cut(seen: Observations, stream: Stream, interval_s: float) -> Finding:
    assert stream.ended_at is not None
    lasted_s = stream.ended_at - stream.began
    silent_s = stream.ended_at - (stream.last_byte_at or stream.began)
    reason = f"; {stream.error}" if stream.error else ""
    return fault(
        f"The stream was cut after {_span(lasted_s)}, the last {_span(silent_s)} without a byte; the server sends a "
        f"heartbeat every {_span(interval_s)}{reason}.",
        f"{remedy('silence', seen.headers)} Or a lower `heartbeat_s` of the server.",
    )


def check_clock(seen: Observations) -> Finding:
    """Whether both clocks agree. Pages correct running times by the server's clock; tokens expire by it."""
    stream = seen.stream
    heartbeats = stream.of("heartbeat") if stream is not None else []
    if stream is None or not heartbeats or is_held_back(seen):
        return skipped("No heartbeat came in time as an event.")
    at, event = heartbeats[0]
    try:
        server = datetime.fromisoformat(parsed(event.data)["now"]).timestamp()
    except (ValueError, LookupError, TypeError, OverflowError):
        return skipped("The heartbeat does not tell the server's time.")
    ahead_s = server - ((stream.began + at) / 2 + seen.wall_offset_s)
    uncertain_s = (at - stream.began) / 2
    if abs(ahead_s) <= max(SKEW_S, uncertain_s):
        return ok(f"The server's clock agrees with this one within {_span(max(abs(ahead_s), uncertain_s, 0.1))}.")
    which = "ahead of" if ahead_s > 0 else "behind"
    return warning(
        f"The server's clock is {_span(abs(ahead_s))} {which} this one: it may refuse valid tokens, or accept expired "
        "ones.",
        "synchronise both clocks, as by NTP.",
    )


def _span(seconds: float) -> str:
    return in_words(seconds) if seconds >= _MINUTE_S else f"{round(seconds, 1):g} s"


def _awaited(seen: Observations) -> Stream | None:
    """Return the stream, also if not even its head has come; `None` if an error or another answer came in its place."""
    stream = seen.stream
    if stream is None or (stream.status == 0 and not stream.error):
        return stream
    return _opened(seen)


def _opened(seen: Observations) -> Stream | None:
    return seen.stream if seen.stream is not None and seen.stream.is_event_stream else None


def _status_in(data: str) -> str:
    try:
        return str(parsed(data)["status"])
    except (ValueError, LookupError, TypeError):
        return ""
