"""The check of the server's clock against this machine's. Pure."""

from datetime import datetime
from typing import Final

from progress_sse.cli.doctor.findings import Finding, ok, skipped, warning
from progress_sse.cli.doctor.observations import Observations
from progress_sse.cli.doctor.stream_checks import is_held_back
from progress_sse.story.session_state import parsed

SKEW_S: Final = 5.0
"""Seconds by which the clocks of a server and of the machine that makes its tokens may differ."""


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
        return ok(f"The server's clock agrees with this one within {max(abs(ahead_s), uncertain_s, 0.1):.1f} s.")
    which = "ahead of" if ahead_s > 0 else "behind"
    return warning(
        f"The server's clock is {abs(ahead_s):.1f} s {which} this one: it may refuse valid tokens, or accept expired "
        "ones.",
        "synchronise both clocks, as by NTP.",
    )
