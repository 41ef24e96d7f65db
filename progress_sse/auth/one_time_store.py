"""Values that are kept for a moment and can be taken once."""

from typing import Final, Protocol, runtime_checkable

from progress_sse._internal.clock import Clock

MAX_VALUES: Final = 10_000
"""Values that one process keeps at a time; beyond that the oldest is dropped."""


@runtime_checkable
class OneTimeStore(Protocol):
    """Keeps values for a moment; the first caller that takes a value removes it."""

    async def put(self, name: str, value: bytes, lifetime_s: int) -> None:
        """Keep `value` for `lifetime_s` seconds."""

    async def take(self, name: str) -> bytes | None:
        """Remove and return the value; `None` if there is none, or no longer."""


class MemoryOneTimeStore:
    """The store of a single process; all its values have the same lifetime."""

    def __init__(self, clock: Clock) -> None:
        """Measure by `clock`."""
        self._clock = clock
        self._kept: dict[str, tuple[float, bytes]] = {}

    def __len__(self) -> int:
        """Return the number of values, expired ones included."""
        return len(self._kept)

    async def put(self, name: str, value: bytes, lifetime_s: int) -> None:
        """Keep `value`, and drop expired values and the oldest beyond the limit."""
        now = self._clock.monotonic()
        while self._kept and (len(self._kept) >= MAX_VALUES or self._oldest_until <= now):
            del self._kept[next(iter(self._kept))]
        self._kept[name] = (now + lifetime_s, value)

    @property
    def _oldest_until(self) -> float:
        return next(iter(self._kept.values()))[0]

    async def take(self, name: str) -> bytes | None:
        """Remove and return the value; `None` if there is none, or it has expired."""
        until, value = self._kept.pop(name, (0.0, None))
        return value if self._clock.monotonic() < until else None
