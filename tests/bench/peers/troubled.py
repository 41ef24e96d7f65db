"""Servers with faults, for reporting to: `python -m tests.bench.peers.troubled PORT slow|flapping FOLDER`."""

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.bench.peers.base import HOST, is_listening

ANSWERS_AFTER_S = 1.0
UP_S, DOWN_S = 1.0, 0.5


def main() -> None:
    """Serve until told to stop."""
    port, kind, folder = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    if kind == "slow":
        asyncio.run(_serve_slowly(port))
    else:
        _serve_now_and_then(port, folder)


async def _serve_slowly(port: int) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            await reader.readexactly(int(lengths[0].split(b":")[1]) if lengths else 0)
            await asyncio.sleep(ANSWERS_AFTER_S)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")

    server = await asyncio.start_server(answer, HOST, port)
    await server.serve_forever()


def _serve_now_and_then(port: int, folder: Path) -> None:
    """Serve, be killed and restart repeatedly; a database keeps what was answered."""
    serve = [sys.executable, "-m", "progress_sse", "serve", "--port", str(port)]
    command = [*serve, "--store", f"sqlite:///{folder / 'progress.db'}"]
    while True:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            is_listening(port)
            time.sleep(UP_S)
        finally:
            process.kill()
            process.wait()
        time.sleep(DOWN_S)


if __name__ == "__main__":
    main()
