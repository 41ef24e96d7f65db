"""What happens to the reports of a session, for the callers of an outbox to log or raise."""

from dataclasses import dataclass
from typing import TypeAlias

from progress_sse.client.errors import ReportError


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The server does not answer as it should; reports wait."""

    reason: str


@dataclass(frozen=True, slots=True)
class Reconnected:
    """The server answers again after `away_s` seconds, in which `lost` reports were dropped."""

    away_s: float
    lost: int


@dataclass(frozen=True, slots=True)
class ReportDropped:
    """One or more reports will never be sent."""

    error: ReportError


@dataclass(frozen=True, slots=True)
class Recreated:
    """The server had lost the session, and it was created again."""


@dataclass(frozen=True, slots=True)
class LinesRefused:
    """The server has refused lines of the log."""

    reason: str


Event: TypeAlias = Disconnected | Reconnected | ReportDropped | Recreated | LinesRefused
