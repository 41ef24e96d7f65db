"""Settings of the servers that these tests share."""

from __future__ import annotations

HEARTBEAT_S = 0.5

ORIGIN = "https://app.example"
