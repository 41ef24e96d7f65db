"""Bytes: how sessions, events, positions and headers are written and read. Pure code; no I/O."""
