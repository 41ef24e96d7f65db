"""A wall clock that a test sets for the programs that it starts; their monotonic clock is not changed."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path


class WallClock:
    """The time that those programs see. They read it at each call, so it can be set while they run."""

    def __init__(self, folder: Path, *, zone: str = "UTC") -> None:
        """Begin with the true time; a file in `folder` holds it."""
        self._file = folder / "wall-clock"
        self._zone = zone
        self._offset = timedelta()
        self.shift(timedelta())

    def shift(self, offset: timedelta) -> None:
        """Set the clock so far ahead of the true time, or behind it."""
        self._offset = offset
        fresh = self._file.with_suffix(".fresh")
        fresh.write_text(f"{offset.total_seconds():+.6f}\n")
        fresh.replace(self._file)

    def set(self, moment: datetime) -> None:
        """Set the clock to a moment, from which it runs on."""
        self.shift(moment - datetime.now(UTC))

    def now(self) -> datetime:
        """The time that the programs see."""
        return datetime.now(UTC) + self._offset

    def command(self, *arguments: str) -> list[str]:
        """A command whose process, the one that is started, uses this clock."""
        return [
            "env",
            f"LD_PRELOAD={_library()}",
            f"FAKETIME_TIMESTAMP_FILE={self._file}",
            "FAKETIME_NO_CACHE=1",
            "FAKETIME_DONT_FAKE_MONOTONIC=1",
            # Python's threads wait on the monotonic clock, which faketime would else take for the wall clock.
            "FAKETIME_FORCE_MONOTONIC_FIX=0",
            f"TZ={self._zone}",
            *arguments,
        ]


def _library() -> Path:
    """The library of the command `faketime`, which itself fails now and then where several run at once."""
    command = shutil.which("faketime")
    assert command is not None, "faketime is not installed"
    (library,) = Path(command).parent.parent.glob("lib/**/faketime/libfaketimeMT.so.1")
    return library
