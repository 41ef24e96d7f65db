"""Push to visitors who hold a link: their requests, and those of the service worker, go by the link's cookie."""

import asyncio
from typing import Any

import pytest
from playwright.async_api import Route

from tests.browser.conftest import OpenPage
from tests.browser.test_links import link_to
from tests.browser.test_push import ON, expect_button, push_settings, sent, service_worker_of, vendor
from tests.harness.serving import Server, Worker
from tests.harness.tokens import CLOSED


@pytest.fixture(scope="module")
def server_settings() -> dict[str, Any]:
    """The server requires a token for everything."""
    return {**push_settings(), **CLOSED}


async def test_a_visitor_by_a_link(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """The state is asked for once its token is exchanged, and the title is loaded by the way of the message."""
    await worker.create(sid, total_steps=1, title="Nightly import")
    link = link_to(server.url, sid)
    shown = await open_page(link, scripts=(vendor(),), permissions=["notifications"])
    service_worker = await service_worker_of(shown)
    await service_worker.push(event="stalled", session_id=sid, link=True)
    await service_worker.shows("Nightly import gives no sign of life")
    await service_worker.push(event="stalled", session_id=sid)
    await service_worker.shows("A job has ended")
    assert sent(shown) == [f"{sid}/push?link=1"]

    async def exchange_late(route: Route) -> None:
        await asyncio.sleep(0.5)
        await route.continue_()

    again = await open_page("about:blank", beside=shown)
    await again.page.route("**/link", exchange_late)
    await again.page.goto(link)
    await expect_button(again, ON, on=True)
    (asked,) = sent(again)
    assert asked.startswith(f"{sid}/push/")
    assert asked.endswith("?link=1")
    assert [*shown.errors, *again.errors] == []
