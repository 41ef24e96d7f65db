"""The applications that are written for the benchmark."""

import pytest

from tests.bench.__main__ import Run
from tests.bench.peers.roster import SIXTY_LINES
from tests.bench.plan import FanOut, Phase
from tests.bench.workloads import Workload


@pytest.mark.full
@pytest.mark.processes
def test_the_sixty_lines_deliver_each_update_once() -> None:
    """Their events have about the length of the others' events."""
    task = FanOut(3, 2, (Phase("jobs", 0.5, publishers=2),))
    run = Run([Workload("few jobs", SIXTY_LINES, task, None, ())], [], is_quick=False)
    run.install()
    run.measure(rounds=1)
    assert not run.results.failures
    for peer in SIXTY_LINES:
        [figures] = run.results.figures["few jobs", peer.name]
        assert figures["jobs.deliveries"] > 0
        assert figures["jobs.lost"] == 0
        assert figures["jobs.event_bytes"] == pytest.approx(425, abs=10)
