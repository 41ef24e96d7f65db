"""Where sessions are kept. Backends load and commit; what a command means is decided in ``machine`` alone."""
