"""Times and durations as people read them. Pure, but for the time zone."""

from datetime import datetime, tzinfo
from typing import Final

HALF_DAY_S: Final = 43_200

_MINUTE_MS: Final = 60_000
_UNITS: Final = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))
"""Units of durations, with their seconds."""


def seconds_of(timestamp: str) -> float:
    """Return a point of time in seconds since 1970."""
    return datetime.fromisoformat(timestamp).timestamp()


def in_words(seconds: float) -> str:
    """Return a duration cut to its two largest units: 34 s, 2 min 13 s, 1 h 2 min."""
    rest, parts = max(0, int(seconds)), list[str]()
    largest = next((place for place, (_, size) in enumerate(_UNITS) if rest >= size), len(_UNITS))
    for unit, size in _UNITS[largest : largest + 2]:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts) or "0 s"


def to_the_tenth(elapsed_ms: int) -> str:
    """Return a duration in words, below a minute with tenths of a second, rounded down."""
    return f"{elapsed_ms // 100 / 10:.1f} s" if elapsed_ms < _MINUTE_MS else in_words(elapsed_ms / 1000)


def moment(timestamp: str, now_s: float, zone: tzinfo | None = None) -> str:
    """Return a moment of the past to the minute, with its day after half a day, and its `zone` if it is not ours."""
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
