"""The domain: sessions, steps, commands and their rules. Pure code; no I/O, no bytes, no clock."""
