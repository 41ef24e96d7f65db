"""The requests that a page sends through a proxy."""

import asyncio
import itertools
import re

from tests.harness.chaos import ChaosProxy, Request
from tests.harness.serving import eventually

STREAM = "/events?"
"""Part of the target of each request for a stream."""

INTERVAL_MS = 2000
LATE_MS = 2 * INTERVAL_MS + 5000
"""How late the right state may come after the network has recovered: two intervals, and a margin for load."""


def address(proxy: ChaosProxy) -> str:
    return f"http://127.0.0.1:{proxy.port}/page"


def now() -> float:
    """The clock of the proxy's record of requests."""
    return asyncio.get_running_loop().time()


def polls(requests: list[Request]) -> list[Request]:
    return [request for request in requests if re.fullmatch(r"/api/progress/[^/]+", request.target)]


def since(requests: list[Request], t: float) -> list[Request]:
    return [request for request in requests if request.t > t]


async def next_request(proxy: ChaosProxy, part: str, t: float) -> Request:
    """Wait for the first request after this time whose target contains this, and return it."""
    await eventually(lambda: bool(since(proxy.asked(part), t)), 20)
    return since(proxy.asked(part), t)[0]


def assert_spaced(requests: list[Request]) -> None:
    """Check that attempts are a second apart, within the precision of a busy machine."""
    assert all(later.t - earlier.t > 0.8 for earlier, later in itertools.pairwise(requests)), requests


def assert_modest(proxy: ChaosProxy, t: float) -> None:
    """Check that since then there was at most a poll per interval, a stream attempt per second, and a few more."""
    assert len(since(proxy.asked(), t)) <= (now() - t) * (1 + 1000 / (0.9 * INTERVAL_MS)) + 5
