"""better-sse on Node, from npm."""

import shutil
import subprocess
from pathlib import Path

from tests.bench.peers.base import MissingError, Peer
from tests.bench.plan import Dialect, Request

SOURCE = Path(__file__).parent / "better_sse"


class BetterSse(Peer):
    """A channel per session on `node:http`."""

    name = "better-sse"
    dialect = Dialect(
        subscribe=Request("GET", "/{session}"),
        publish=Request("POST", "/{session}", '{"message":"{text}"}'),
        # Its first event; the session joins its channel in the same turn.
        ready_mark="\n\n",
        text_bytes=379,
    )

    def __init__(self) -> None:
        """Have no folder yet: `install` sets it."""
        self._folder = SOURCE

    def install(self, folder: Path) -> None:
        """Copy `better_sse/` to the folder, and let npm install the locked versions."""
        node, npm = shutil.which("node"), shutil.which("npm")
        if node is None or npm is None:
            raise MissingError("it needs Node 20 or newer, with npm")
        self._folder = folder / "better-sse"
        shutil.copytree(SOURCE, self._folder, dirs_exist_ok=True)
        command = [npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"]
        result = subprocess.run(command, cwd=self._folder, capture_output=True, text=True, check=False)
        if result.returncode:
            raise MissingError(f"npm could not install better-sse: {result.stderr.strip()[-200:]}")

    def command(self, port: int, folder: Path) -> list[str]:
        """Start Node on the server's file."""
        return ["node", str(self._folder / "server.js"), str(port)]
