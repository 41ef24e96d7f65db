"""Browsers that vanish silently, since their network is away or they are stopped, and come back."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright, expect

from tests.browser.conftest import OpenPage
from tests.browser.following import following, state_of, until_state, work
from tests.browser.page_driver import PageDriver
from tests.conftest import CHROMIUM, FLAGS
from tests.harness.metrics import metrics_of
from tests.harness.network import FarNetwork
from tests.harness.serving import Server, Worker

pytestmark = [pytest.mark.full, pytest.mark.guarantee(42)]

HEARTBEAT_S = 1
SEND_TIMEOUT_S = 2
RETRY_S = 1
MARGIN_S = 5
"""The margin for a busy machine."""

RELEASED_WITHIN_S = 2 * HEARTBEAT_S + SEND_TIMEOUT_S + MARGIN_S
"""Within this the server has released a lost browser's stream."""

NOTICED_WITHIN_MS = (3 * HEARTBEAT_S + MARGIN_S) * 1000
"""Within this the tracker reports that its stream is dead."""

RIGHT_WITHIN_MS = (RETRY_S + 2 + MARGIN_S) * 1000
"""Within this the page is right after the network has recovered."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that is reachable from the far network, too."""
    with Server(
        tmp_path_factory.mktemp("server"),
        host="0.0.0.0",  # noqa: S104 - reachable from the far network
        insecure=True,
        heartbeat_s=HEARTBEAT_S,
        send_timeout_s=SEND_TIMEOUT_S,
        retry_ms=RETRY_S * 1000,
    ) as running:
        yield running


@pytest.fixture(scope="module")
def network() -> Iterator[FarNetwork]:
    with FarNetwork() as network:
        yield network


@pytest.fixture(scope="module")
def program(network: FarNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return network.program(tmp_path_factory.mktemp("far") / "chromium", CHROMIUM)


@pytest.fixture(scope="module")
async def chromium(program: Path) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        await browser.close()


async def follow_from_afar(open_page: OpenPage, server: Server, network: FarNetwork, sid: str) -> PageDriver:
    shown = await open_page(f"http://{network.address}:{server.port}/page", html=following(sid, interval=2000))
    await until_state(shown, "live")
    return shown


async def until_no_stream_is_open(server: Server) -> None:
    async with asyncio.timeout(RELEASED_WITHIN_S):
        while (await metrics_of(server.port))["progress_sse_streams"]:  # noqa: ASYNC110 - asks the server
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("away_s", [0, pytest.param(90, marks=pytest.mark.timeout(240))])
async def test_a_network_that_goes_and_comes_back(
    server: Server, network: FarNetwork, worker: Worker, open_page: OpenPage, sid: str, away_s: int
) -> None:
    """FT-11: both sides detect the silence; afterwards the page is soon right, and live."""
    await worker.create(sid, total_steps=7)
    shown = await follow_from_afar(open_page, server, network, sid)
    network.pull()
    await until_state(shown, "reconnecting", timeout_ms=NOTICED_WITHIN_MS)
    await until_no_stream_is_open(server)
    await work(worker, sid, 1, 2, 3)
    await asyncio.sleep(away_s)  # The network stays away.
    network.plug()
    await expect(state_of(shown)).to_have_text("running 42%", timeout=RIGHT_WITHIN_MS)
    await until_state(shown, "live")
    await work(worker, sid, 4)
    await expect(state_of(shown)).to_have_text("running 57%")


async def test_a_browser_that_is_stopped_and_goes_on(
    server: Server, network: FarNetwork, program: Path, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """FT-11: its processes are stopped, and the kernel takes bytes until its buffers are full; then they go on."""
    await worker.create(sid, total_steps=7)
    shown = await follow_from_afar(open_page, server, network, sid)
    group = os.getpgid(int(program.with_suffix(".pid").read_text()))
    os.killpg(group, signal.SIGSTOP)
    try:
        await worker.start(sid, 1)
        for number in range(60):
            await worker.complete(sid, 1, message=f"{number}" + "大" * 8000)
        await until_no_stream_is_open(server)
        await work(worker, sid, 2)
    finally:
        os.killpg(group, signal.SIGCONT)
    await expect(state_of(shown)).to_have_text("running 28%", timeout=RIGHT_WITHIN_MS)
    await until_state(shown, "live")
