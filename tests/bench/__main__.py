"""Measure this project's server and its peers on this machine: `python -m tests.bench [--quick]`.

The server under test has one core, and the load generator another. Each measurement starts its server anew, and rounds
are interleaved, so that a drift of the machine affects all servers alike.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import click

from tests.bench.gauges import machine, raise_descriptor_limit, two_cores
from tests.bench.peers.base import ROOT, MissingError, Peer, running
from tests.bench.plan import FIGURES, ORDER, Figures, Order, Task
from tests.bench.report import Results, markdown, svg
from tests.bench.workloads import WORKLOADS, Workload, fitted, readers_of

FOLDER = ROOT / "build" / "bench"
RESERVED_DESCRIPTORS = 200
ROUNDS = 3
MEASUREMENT_S = 300
NAMES = list(dict.fromkeys(peer.name for workload in WORKLOADS for peer in workload.peers))


class Run:
    """One run of the benchmark."""

    def __init__(self, workloads: Sequence[Workload], peers: Sequence[str], *, is_quick: bool) -> None:
        """Choose the measurements; no peers named means all of them."""
        self.results = Results()
        self._is_quick = is_quick
        self._server_core, self._load_core = two_cores()
        self._max_readers = raise_descriptor_limit() - RESERVED_DESCRIPTORS
        self._tasks = [(each, task) for each in workloads if (task := each.quick if is_quick else each.full)]
        self._peers = set(peers)
        self._rounds = 0

    def install(self) -> None:
        FOLDER.mkdir(parents=True, exist_ok=True)
        for peer in {peer.name: peer for workload, _ in self._tasks for peer in self._chosen(workload)}.values():
            try:
                peer.install(FOLDER)
            except MissingError as error:
                self.results.missing[peer.name] = str(error)

    def measure(self, rounds: int = ROUNDS) -> None:
        self._rounds = rounds
        for number in range(1, rounds + 1):
            for workload, task in self._tasks:
                for peer in self._chosen(workload):
                    if peer.name not in self.results.missing:
                        click.echo(f"round {number} of {rounds}: {workload.name}, {peer.name}", err=True)
                        self._measure_one(workload, task, peer)

    def preface(self) -> list[str]:
        kind = "The quick form: small differences mean nothing. " if self._is_quick else ""
        lines = [
            f"{machine()}, Python {sys.version.split()[0]}. progress_sse {version('progress_sse')}, sse-starlette "
            f"{version('sse-starlette')}, uvicorn {version('uvicorn')}, uvloop {version('uvloop')}.",
            f"{kind}Medians of {self._rounds} interleaved rounds; for losses, the worst round. Server on core "
            f"{self._server_core}, load generator on core {self._load_core}. CPU is that of the server's process in "
            "total, with the publishing requests, per delivery. Best Python: the better of the two "
            "sse-starlette servers. The floor is no server, but the minimum that Python needs. A server not busy "
            "all the time waited for the load generator, and could have done more in a second.",
        ]
        if self._server_core == self._load_core:
            lines.append("**There is only one core: the load generator took time from the server.**")
        if any(readers_of(task) > self._max_readers for _, task in self._tasks):
            lines.append(
                f"**The limit of open descriptors (`ulimit -Hn`) allows {self._max_readers} readers: where a title "
                "says more, there were so many.**"
            )
        return lines

    def write(self) -> str:
        workloads = [workload for workload, _ in self._tasks]
        tables = markdown(workloads, self.results, self.preface())
        (FOLDER / "bench.md").write_text(tables)
        (FOLDER / "bench.svg").write_text(svg(workloads, self.results))
        return tables

    def _chosen(self, workload: Workload) -> list[Peer]:
        return [peer for peer in workload.peers if not self._peers or peer.name in self._peers]

    def _measure_one(self, workload: Workload, task: Task, peer: Peer) -> None:
        with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
            try:
                with running(peer, Path(folder), self._server_core) as (port, pid):
                    order = Order(port, pid, self._load_core, peer.dialect, fitted(task, self._max_readers))
                    self.results.add(workload.name, peer.name, _generate_load(order))
            except (OSError, subprocess.SubprocessError) as error:
                self.results.failures[workload.name, peer.name] = str(error)
                click.echo(f"  failed: {error}", err=True)


def _generate_load(order: Order) -> Figures:
    command = [sys.executable, "-m", "tests.bench.loadgen", ORDER.dump_json(order).decode()]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=MEASUREMENT_S, check=False)
    if result.returncode:
        raise OSError(f"no figures: {result.stderr.decode(errors='replace').strip()[-300:]}")
    return FIGURES.validate_json(result.stdout)


@click.command()
@click.option("--quick", is_flag=True, help="Fewer sizes and shorter runs: about two minutes.")
@click.option("--workload", "names", multiple=True, type=click.Choice([each.name for each in WORKLOADS]))
@click.option("--peer", "peers", multiple=True, type=click.Choice(NAMES))
def main(*, quick: bool, names: tuple[str, ...], peers: tuple[str, ...]) -> None:
    """Measure this project's server beside its peers, and write build/bench/bench.md and bench.svg."""
    started = time.monotonic()
    run = Run([each for each in WORKLOADS if not names or each.name in names], peers, is_quick=quick)
    run.install()
    run.measure()
    click.echo(run.write())
    click.echo(f"{time.monotonic() - started:.0f} s; {os.path.relpath(FOLDER)}/bench.md and bench.svg", err=True)


if __name__ == "__main__":
    main()
