"""Times as people read them. Pure, but for the time zone."""

from datetime import datetime, tzinfo
from typing import Final

HALF_DAY_S: Final = 43_200


def seconds_of(timestamp: str) -> float:
    """Return a point of time in seconds since 1970."""
    return datetime.fromisoformat(timestamp).timestamp()


def moment(timestamp: str, now_s: float, zone: tzinfo | None = None) -> str:
    """Return a moment of the past to the minute, with its day if it was half a day ago or more.

    It is a moment of the `zone`, which is named then; `None` is the zone of this machine.
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
