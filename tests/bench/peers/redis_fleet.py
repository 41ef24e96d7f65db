"""Servers on one Redis, at PORT and the ports after it: `python -m tests.bench.peers.redis_fleet PORT COUNT`."""

import signal
import subprocess
import sys

from tests.bench.peers.base import HOST, free_port, is_listening


def main() -> None:
    """Serve until told to stop."""
    port, count = int(sys.argv[1]), int(sys.argv[2])
    redis_port = free_port()
    redis = ["redis-server", "--bind", HOST, "--port", str(redis_port), "--save", ""]
    processes = [subprocess.Popen(redis, stdout=subprocess.DEVNULL)]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        _expect(redis_port)
        # The first server starts last, so that the others are ready when its port is.
        for number in reversed(range(count)):
            serve = [sys.executable, "-m", "progress_sse", "serve", "--port", str(port + number)]
            processes.append(
                subprocess.Popen([*serve, "--store", f"redis://{HOST}:{redis_port}/0"], stdout=subprocess.DEVNULL)
            )
            _expect(port + number)
        processes[-1].wait()
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


def _expect(port: int) -> None:
    if not is_listening(port):
        sys.exit(f"no server at port {port}")


if __name__ == "__main__":
    main()
