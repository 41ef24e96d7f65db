"""Record the outputs of the programs at a terminal, and write what is recognised in them as a table of the documents.

`python -m tests.programs.record [NAME ...]` records some or all of them.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final

from progress_sse.cli.output_progress import Found, OutputProgress
from tests.harness.terminal import Terminal
from tests.programs.commands import PROGRAMS, Program

RECORDINGS: Final = Path(__file__).parent / "recordings"
PAGE: Final = (Path(__file__).parents[2] / "docs/how-to/report-from-a-shell").with_suffix(".md")

LIMIT_S: Final = 120
PIECE_BYTES: Final = 20_000
PAUSE_S: Final = 0.04
"""The server writes a piece, and pauses: half a megabyte a second."""

OURS: Final = re.compile(r"PIP_|npm_|PYTEST|PYTHON|GIT_|COLUMNS|LINES|.*_proxy|CI$|GITHUB", re.IGNORECASE)
"""Variables of this machine's settings, which the programs do not get."""

_TABLE: Final = re.compile(r"(?<=<!-- Written by make recordings. -->\n\n).*?(?=\n\n)", re.DOTALL)


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
        (RECORDINGS / program.name).write_bytes(recorded(program))
    PAGE.write_text(with_table(PAGE.read_text("utf-8")), "utf-8")


def recorded(program: Program) -> bytes:
    """Run a program, and return what it writes to its terminal.

    Names of this machine are replaced by others of equal length, so that each line keeps its form.
    """
    with prepared(program) as (folder, environment), Terminal() as terminal:
        status, output = terminal.run(["sh", "-c", program.command], environment, cwd=folder)
    if status:
        sys.exit(f"exit status {status} of {program.command}:\n{output.decode(errors='replace')}")
    names = {environment["SITE"].removeprefix("http://"): "files.test:8080", str(folder): "/home/worker/jobs"}
    for name, other in {**names, sys.prefix: "/usr/python"}.items():
        output = output.replace(name.encode(), other[-len(name) :].rjust(len(name), "x").encode())
    return output


@contextmanager
def prepared(program: Program) -> Iterator[tuple[Path, dict[str, str]]]:
    """Yield a folder with the files of a program, and the environment in which it runs there."""
    subprocess.run([".ci/need", *program.needs], check=True)
    with tempfile.TemporaryDirectory(prefix="job-") as name:
        folder = Path(name)
        (folder / "served").mkdir()
        with ThreadingHTTPServer(("127.0.0.1", 0), partial(_SlowFiles, directory=folder / "served")) as server:
            Thread(target=server.serve_forever, daemon=True).start()
            environment = {
                **{name: value for name, value in os.environ.items() if not OURS.match(name)},
                "SITE": f"http://127.0.0.1:{server.server_port}",
                "PYTHON": sys.executable,
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                "TERM": "xterm-256color",
                "LC_ALL": "C.UTF-8",
                "GIT_CONFIG_GLOBAL": os.devnull,
                "GIT_CEILING_DIRECTORIES": str(folder.parent),
            }
            prepare = ["sh", "-ec", program.prepare]
            subprocess.run(prepare, cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True, timeout=LIMIT_S)
            yield folder, environment
            server.shutdown()


def recording(name: str) -> bytes:
    """Return what a program has written."""
    return (RECORDINGS / name).read_bytes()


def found_in(*chunks: bytes) -> tuple[str | None, list[Found]]:
    """Return what is recognised in an output of these pieces, in words, and each report."""
    reports: list[Found] = []
    progress = OutputProgress(reports.append)
    receive = progress.receiver()
    for chunk in (*chunks, b""):
        receive(chunk)
    return progress.recognised, reports


def with_table(page: str) -> str:
    """Return the page with the table that follows from the recordings."""
    commands: dict[tuple[str, str], set[str]] = {}
    for program in PROGRAMS:
        words, reports = found_in(recording(program.name))
        unit = {None: "a number", 100: "%"}.get(reports[-1].total, "n of m")
        commands.setdefault((str(words), unit), set()).add(f"`{program.shown}`")
    rows = [f"| {words} | {', '.join(sorted(them))} | {unit} |" for (words, unit), them in sorted(commands.items())]
    return _TABLE.sub("\n".join(["| Recognised | Of | Gives |", "| --- | --- | --- |", *rows]), page)


if __name__ == "__main__":
    main(sys.argv[1:])
