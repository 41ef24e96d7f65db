"""The files and commands of a how-to page, as a reader copies and runs them."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from tests.harness.http1 import HOST, free_port
from tests.harness.nginx import NginxServer
from tests.harness.rawsse import RawStream
from tests.harness.serving import ENV_PREFIX, ROOT

START_S = 90
"""Seconds within which an application must answer, on a busy machine too."""

SECRET = "a-secret-of-the-tests-that-has-more-than-32-bytes"
"""Stands for each secret that a page's commands make, so that all its shells have the same."""

STRICT_POLICY = "default-src 'self'"
"""A content security policy that allows nothing of other origins and nothing inline."""


class HowTo:
    """A page below `docs/how-to`, and a folder with its files.

    Nothing is changed but the ports, each of which becomes a free one, and the secrets.
    """

    def __init__(self, name: str, folder: Path, *ports: int, python: str = sys.executable) -> None:
        """Read a page, and take free ports in place of its `ports`; its commands are those beside `python`."""
        text = (ROOT / "docs" / "how-to" / name).read_text("utf-8")
        self._ports = {port: free_port() for port in ports}
        for port, free in self._ports.items():
            text = re.sub(rf"\b{port}\b", str(free), text)
        self.folder = folder
        file = r"^```\w+\n(?:# |\{# )([\w/]+\.\w+)(?: #\})?\n(.*?)^```$"
        self.files: dict[str, str] = dict(re.findall(file, text, re.MULTILINE | re.DOTALL))
        blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        self._blocks = [block.replace("$(progress-sse token secret)", SECRET) for block in blocks]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX)}
        path = f"{Path(python).parent}:{os.environ['PATH']}"
        self._environment = {**kept, "PATH": path, "PYTHONUNBUFFERED": "1"}

    def url(self, port: int) -> str:
        """The address at which the page uses a port."""
        return f"http://{HOST}:{self._ports[port]}"

    def write_files(self) -> None:
        for path, text in self.files.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(text, "utf-8")

    def _block(self, mark: str) -> int:
        [number] = [number for number, block in enumerate(self._blocks) if mark in block]
        return number

    def _script(self, mark: str, after: str) -> str:
        """A block of commands, after the variables that are set in the blocks before it and up to `after`."""
        block, last = self._block(mark), self._block(after)
        exports = re.findall(r"^export .*$", "".join(self._blocks[: max(block, last + 1)]), re.MULTILINE)
        *commands, server = self._blocks[block].splitlines()
        return "\n".join([*exports, *commands, f"exec {server}"])  # The process that gets signals is the server.

    def run(self, script: str) -> str:
        """Run commands to their end, with the key of tokens, and return what they print."""
        environment = {**self._environment, "PROGRESS_SSE_TOKEN_KEY": SECRET}
        return subprocess.check_output(["sh", "-euc", script], cwd=self.folder, env=environment, text=True)

    def run_block(self, mark: str) -> str:
        """Run a block of commands that end by themselves, and return what they print."""
        return self.run(self._blocks[self._block(mark)])

    @contextmanager
    def running(self, mark: str, *, port: int | None = None, after: str | None = None) -> Iterator[None]:
        """Run a block of commands until the end of the `with` block.

        Args:
            mark: A text that only this block of commands has.
            port: Wait until it answers there.
            after: The mark of a later block, whose variables it gets too.
        """
        log_path = self.folder / f"{re.sub(r'[^a-z]', '', mark)}.log"
        with log_path.open("ab") as log:
            process = subprocess.Popen(
                ["sh", "-euc", self._script(mark, after or mark)],
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            if port is not None:
                wait_for(self.url(port), process, log_path)
            yield
            assert process.poll() is None, log_path.read_text()
        finally:
            end(process)
        assert "Traceback" not in log_path.read_text(), log_path.read_text()


def wait_for(url: str, process: subprocess.Popen[bytes], log_path: Path) -> None:
    """Wait until a process answers.

    Raises:
        RuntimeError: It ended, or did not answer in time; with its log.
    """
    deadline = time.monotonic() + START_S
    while True:
        with suppress(httpx.TransportError):
            httpx.get(url)
            return
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"no answer at {url}:\n{log_path.read_text()}")
        time.sleep(0.05)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it has started, such as the child of a server that reloads."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)


@contextmanager
def below_a_path(prefix: str, url: str, policy: str) -> Iterator[str]:
    """Pass a path of a proxy on to an application, without that path, and return its address.

    Pages get the content security policy.
    """
    server = f"""server {{
        listen 80;
        location {prefix}/ {{
            proxy_pass {url}/;
            proxy_set_header Host $http_host;
            add_header Content-Security-Policy "{policy}" always;
        }}
    }}"""
    with tempfile.TemporaryDirectory() as folder, NginxServer(Path(folder), server) as proxy:
        yield proxy.url + prefix


async def follow(url: str, headers: dict[str, str]) -> list[tuple[str, str]]:
    """Follow a session until it is completed, and return the name and the status of each step."""
    address = httpx.URL(url)
    assert address.port is not None
    async with await RawStream.open(address.port, f"{address.path}/events", list(headers.items())) as stream:
        assert (await stream.received_head()).status == 200
        assert await stream.closed(timeout_s=90) == "end"
    async with httpx.AsyncClient() as client:
        session: Any = (await client.get(url, headers=headers)).json()
    assert session["status"] == "completed"
    return [(step["name"], step["status"]) for step in session["steps"]]


COMPLETED = [("Download", "success"), ("Save", "success")]
"""What `follow` returns for the job of each page."""
