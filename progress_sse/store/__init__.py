"""Stored sessions: the operations on them, and the backends that commit."""
