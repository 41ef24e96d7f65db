"""Runs all commands of the README, in their order, in the checkout of the working directory, and checks what they do.

Needs the standard library alone, since it also runs where nothing is installed yet. Arguments: ``8000=PORT 8001=PORT``
for other ports than those of the README, and ``--installed`` where `env` has all that its installation would bring.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.error import URLError
from urllib.request import urlopen

README: Final = Path("README.md")
DEADLINE_S: Final = 600
"""Seconds within which a command must have answered or ended, its installations included."""

_BLOCK: Final = re.compile(
    r"^(?P<before>[^\n]*)\n\n```(?P<language>\w+)\n(?P<text>.*?)(?=^```$)", re.MULTILINE | re.DOTALL
)
_NAMED: Final = re.compile(r"as `(\w+\.py)`:")
_SERVERS: Final = ("make run", "make demo", "uvicorn ")
_INSTALLS: Final = ("python3 -m venv ", "pip install ")


class Block(NamedTuple):
    """A fenced block: its language, its text, and the line before it."""

    language: str
    text: str
    before: str


def blocks(text: str) -> list[Block]:
    """Return the blocks of a document."""
    return [Block(each["language"], each["text"], each["before"]) for each in _BLOCK.finditer(text)]


class Reader:
    """Does what the README says."""

    def __init__(self, ports: dict[str, str], *, is_installed: bool) -> None:
        self._ports = ports
        self._is_installed = is_installed
        self._prelude = ""
        self._servers = ExitStack()

    def read(self, text: str) -> None:
        """Follow the document from its first block to its last; an `AssertionError` where it is wrong."""
        found = blocks(re.sub(r"127\.0\.0\.1:(\d+)|--port (\d+)", self._with_port, text))
        with self._servers:
            for block, following in zip(found, [*found[1:], None], strict=True):
                if block.language == "sh":
                    expected = following.text if following is not None and following.language == "json" else None
                    self._run(block.text.splitlines(), expected)
                elif block.language == "python":
                    [name] = _NAMED.findall(block.before)
                    Path(name).write_text(block.text, "utf-8")
            _check_outcome(f"http://127.0.0.1:{self._ports.get('8001', '8001')}")

    def _with_port(self, match: re.Match[str]) -> str:
        port = match[1] or match[2]
        return match[0].replace(port, self._ports.get(port, port))

    def _run(self, lines: Sequence[str], expected: str | None) -> None:
        rest = []
        for line in lines:
            if line.startswith(_SERVERS):
                self._servers.enter_context(self._serving(line))
            elif not (self._is_installed and line.startswith(_INSTALLS)):
                rest.append(line)
        if rest:
            printed = self._output("\n".join(rest).replace("curl ", "curl --silent --show-error -w '\\n' "))
            pattern = re.escape(expected.strip()).replace("…", ".*") if expected is not None else ".*"
            assert re.fullmatch(pattern, printed.strip(), re.DOTALL), f"{rest} printed:\n{printed}"
        self._prelude += "".join(f"{line}\n" for line in rest if line.startswith(". "))  # For later terminals.

    def _output(self, script: str) -> str:
        print(script, flush=True)  # noqa: T201  # a reader's log
        command = ["sh", "-euc", self._prelude + script]
        return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=DEADLINE_S).stdout

    @contextmanager
    def _serving(self, line: str) -> Iterator[None]:
        """Run a server in a terminal of its own, from when it answers."""
        print(line, flush=True)  # noqa: T201  # a reader's log
        log = Path(f"{'-'.join(line.split()[:2])}.log")
        named = re.search(r"http://127\.0\.0\.1:(\d+)|--port (\d+)", line)
        environment = {**os.environ, "BROWSER": "true"}  # `make demo` would open one.
        if named:
            environment["PROGRESS_SSE_PORT"] = named[1] or named[2]
        script = ["sh", "-euc", f"{self._prelude}exec {line}"]
        with log.open("wb") as output:
            process = subprocess.Popen(
                script, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        try:
            port = (named[1] or named[2]) if named else _found(r"http://127\.0\.0\.1:(\d+)", log, process)
            prefix = "/jobs" if line.startswith("uvicorn") else ""
            _wait(f"http://127.0.0.1:{port}{prefix}/livez", log, process)
            yield
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(DEADLINE_S)
        assert "Traceback" not in log.read_text("utf-8"), log.read_text("utf-8")


def _found(pattern: str, log: Path, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + DEADLINE_S
    while not (match := re.search(pattern, log.read_text("utf-8"))):
        _check(deadline, log, process)
    return match[1]


def _wait(url: str, log: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while True:
        try:
            with urlopen(url, timeout=10):  # noqa: S310  # our own
                return
        except (URLError, OSError):
            _check(deadline, log, process)


def _check(deadline: float, log: Path, process: subprocess.Popen[bytes]) -> None:
    assert process.poll() is None and time.monotonic() < deadline, log.read_text("utf-8")  # noqa: PT018  # either one
    time.sleep(0.2)


def _get(url: str) -> str:
    with urlopen(url, timeout=30) as answer:  # noqa: S310  # our own
        text: str = answer.read().decode()
        return text


def _check_outcome(address: str) -> None:
    """Check what the README has brought about, while its servers run."""
    page = _get(f"{address}/")
    [script] = re.findall(r'src="([^"]+)"', page)
    assert "progress-steps" in _get(f"{address}/{script}")
    for session_id, steps in (("photos", ["Find", "Resize", "Publish"]), ("mine", ["My job"])):
        session: Any = json.loads(_get(f"{address}/jobs/api/progress/{session_id}"))
        assert session["status"] == "completed", session
        assert [step["name"] for step in session["steps"]] == steps
    assert _get(f"{address}/jobs/s/mine").startswith("<!doctype html>")


def main() -> None:
    """Read the README; see above."""
    ports = dict(each.split("=") for each in sys.argv[1:] if "=" in each)
    Reader(ports, is_installed="--installed" in sys.argv).read(README.read_text("utf-8"))


if __name__ == "__main__":
    main()
