"""The command `progress-sse`."""
