"""Times and durations as people read them. Pure, but for the time zone."""

from datetime import datetime, tzinfo
from typing import Final

HALF_DAY_S: Final = 43_200


def seconds_of(timestamp: str) -> float:
    """Return a point of time in seconds since 1970."""
    return datetime.fromisoformat(timestamp).timestamp()


def clock(elapsed_ms: float) -> str:
    """Return a duration as a clock shows it, rounded down: 12.3s, 5:07, 1:05:07."""
    seconds = elapsed_ms / 1000
    if seconds < 60:
        return f"{int(seconds * 10) / 10:.1f}s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def in_words(seconds: float) -> str:
    """Return a duration in whole seconds, in words: 4 min, 13 sec."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{value} {unit}" for value, unit in ((hours, "hr"), (minutes, "min"), (rest, "sec")) if value]
    return ", ".join(parts) or "0 sec"


def moment(timestamp: str, now_s: float, zone: tzinfo | None = None) -> str:
    """Return a moment of the past to the minute here, with its day if it was half a day ago or more.

    In a `zone` other than that of the reader it is named.
    """
    time = datetime.fromisoformat(timestamp).astimezone(zone)
    hours = f"{time:%H:%M}" + (f" {time:%Z}" if zone else "")
    return hours if now_s - time.timestamp() < HALF_DAY_S else f"{time:%b} {time.day}, {hours}"


def span(first_s: float, last_s: float, now_s: float, zone: tzinfo | None = None) -> str:
    """Return the moments from one to another, both to come, as `moment` does; one moment if both are the same."""
    (day, first), (last_day, last) = (_day_and_hours(each, now_s, zone) for each in (first_s, last_s))
    until = "" if (day, first) == (last_day, last) else f"–{last_day if last_day != day else ''}{last}"
    return f"{day}{first}{until}" + (f" {datetime.fromtimestamp(now_s, zone):%Z}" if zone else "")


def _day_and_hours(time_s: float, now_s: float, zone: tzinfo | None) -> tuple[str, str]:
    time = datetime.fromtimestamp(time_s, zone)
    return "" if time_s - now_s < HALF_DAY_S else f"{time:%b} {time.day}, ", f"{time:%H:%M}"
