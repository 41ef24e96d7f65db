"""Record the outputs of the programs at a terminal of 80 by 24 characters, and write their table into the documents.

`python -m tests.programs.record [NAME ...]` records some or all of them.
"""

import os
import re
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final

from tests.programs.commands import PROGRAMS, Program
from tests.programs.table import PAGE, RECORDINGS, with_table

MAX_BYTES: Final = 20_000
"""Bytes of a recording."""

LIMIT_S: Final = 120
PIECE_BYTES: Final = 20_000
PAUSE_S: Final = 0.04
"""The server writes a piece, and pauses: half a megabyte a second."""

OURS: Final = re.compile(r"PIP_|npm_|PYTEST|PYTHON|GIT_|COLUMNS|LINES|.*_proxy|CI$|GITHUB", re.IGNORECASE)
"""Variables of this machine's settings, which the programs do not get."""


class _SlowFiles(SimpleHTTPRequestHandler):
    def copyfile(self, source: Any, outputfile: Any) -> None:
        while piece := source.read(PIECE_BYTES):
            outputfile.write(piece)
            time.sleep(PAUSE_S)

    def log_message(self, *_: object) -> None:
        """Write nothing."""


def main(names: list[str]) -> None:
    """Record these programs, or all of them."""
    for program in PROGRAMS:
        if names and program.name not in names:
            continue
        output = recorded(program)
        if len(output) > MAX_BYTES:
            sys.exit(f"{program.name}: {len(output)} bytes, which are too many")
        (RECORDINGS / program.name).write_bytes(output)
        print(f"{program.name}: {len(output)} bytes")  # noqa: T201  # a command of its own
    PAGE.write_text(with_table(PAGE.read_text("utf-8")), "utf-8")


def recorded(program: Program) -> bytes:
    """Run a program, and return what it writes to its terminal."""
    with prepared(program) as (folder, environment):
        output = _run_at_terminal(program.command, folder, environment)
    names = {environment["SITE"].removeprefix("http://"): "files.test:8080", str(folder): "/home/worker/jobs"}
    return _anonymous(output, {**names, sys.prefix: "/usr/python"})


@contextmanager
def prepared(program: Program) -> Iterator[tuple[Path, dict[str, str]]]:
    """Yield a folder with the files of a program, and the environment in which it runs there."""
    subprocess.run([".ci/need", *program.needs], check=True)
    with tempfile.TemporaryDirectory(prefix="job-") as name:
        folder = Path(name)
        (folder / "served").mkdir()
        with ThreadingHTTPServer(("127.0.0.1", 0), partial(_SlowFiles, directory=folder / "served")) as server:
            Thread(target=server.serve_forever, daemon=True).start()
            environment = _environment(f"127.0.0.1:{server.server_port}", folder)
            prepare = ["sh", "-ec", program.prepare]
            subprocess.run(prepare, cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True, timeout=LIMIT_S)
            yield folder, environment
            server.shutdown()


def _environment(site: str, folder: Path) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not OURS.match(name)},
        "SITE": f"http://{site}",
        "PYTHON": sys.executable,
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "TERM": "xterm-256color",
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CEILING_DIRECTORIES": str(folder.parent),
    }


def _run_at_terminal(command: str, folder: Path, environment: dict[str, str]) -> bytes:
    ours, its = os.openpty()
    termios.tcsetwinsize(its, (24, 80))
    process = subprocess.Popen(
        ["setsid", "--ctty", "--wait", "sh", "-c", command],
        cwd=folder,
        env=environment,
        stdin=its,
        stdout=its,
        stderr=its,
    )
    os.close(its)
    output = b""
    try:
        while True:
            output += os.read(ours, 65_536)
    except OSError:  # Every process has closed the terminal.
        pass
    finally:
        os.close(ours)
    if status := process.wait(LIMIT_S):
        sys.exit(f"exit status {status} of {command}:\n{output.decode(errors='replace')}")
    return output


def _anonymous(output: bytes, names: dict[str, str]) -> bytes:
    """Replace names of this machine by others of equal length, so that each line keeps its form."""
    for name, other in names.items():
        output = output.replace(name.encode(), other[-len(name) :].rjust(len(name), "x").encode())
    return output


if __name__ == "__main__":
    main(sys.argv[1:])
