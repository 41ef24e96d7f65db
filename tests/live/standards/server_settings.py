"""Settings of the servers that these tests share."""

HEARTBEAT_S = 0.5

ORIGIN = "https://app.example"
