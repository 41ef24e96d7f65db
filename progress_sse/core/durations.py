"""Durations as people read them."""

from typing import Final

_MINUTE_MS: Final = 60_000
_UNITS: Final = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))
"""Units of durations, with their seconds."""


def in_words(seconds: float) -> str:
    """Return a duration cut to its two largest units: 34 s, 2 min 13 s, 1 h 2 min."""
    rest = max(0, int(seconds))
    parts: list[str] = []
    largest = next((place for place, (_, size) in enumerate(_UNITS) if rest >= size), len(_UNITS))
    for unit, size in _UNITS[largest : largest + 2]:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts) or "0 s"


def to_the_tenth(elapsed_ms: int) -> str:
    """Return a duration in words, below a minute with tenths of a second, rounded down."""
    return f"{elapsed_ms // 100 / 10:.1f} s" if elapsed_ms < _MINUTE_MS else in_words(elapsed_ms / 1000)
