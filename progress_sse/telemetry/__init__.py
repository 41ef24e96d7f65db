"""What an operator sees: counts, metrics and the log."""
