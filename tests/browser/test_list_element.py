"""`<progress-list>` in third-party pages, under a policy as strict as ours."""

from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.axe import axe_violations
from tests.browser.conftest import OpenPage
from tests.browser.home_page import names_of
from tests.browser.page_driver import SOURCES, PageDriver
from tests.browser.session_page import page_of
from tests.conftest import Serve
from tests.harness.serving import Server, Worker
from tests.harness.tokens import CLOSED, PUBLISH_TOKEN, make_token

PAGE = """<!doctype html>
<html lang="{lang}"><meta charset="utf-8"><title>embedding</title><meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'self'">
<script type="module" src="/web/define-list.js"></script>
<main><h1>Mine</h1>{content}</main>"""


async def embed(server: Server, open_page: OpenPage, content: str, lang: str = "en", **options: Any) -> PageDriver:
    html = PAGE.format(content=content, lang=lang)
    return await open_page(f"{server.url}/embedding", html=html, **options)


async def test_element_lists_the_sessions_of_its_filter(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """Its children show while there are none; each attribute narrows it; a click leads to the session's page."""
    content = f'<progress-list prefix="{sid}"><i id="instead">nothing runs</i></progress-list>'
    shown = await embed(server, open_page, content)
    await expect(shown.page.locator("#instead")).to_be_visible()
    for number, team in enumerate(["a:b", "c", "a:b"]):
        await worker.create(f"{sid}-{number}", total_steps=2, labels={"team": team})
    await worker.start(f"{sid}-0", 1)
    await expect(names_of(shown)).to_have_text([f"{sid}-{number}" for number in (2, 1, 0)])
    await expect(shown.page.locator("#instead")).to_be_hidden()
    await shown.evaluate("document.querySelector('progress-list').label = 'team:a:b'")
    await expect(names_of(shown)).to_have_text([f"{sid}-2", f"{sid}-0"])
    await shown.evaluate("document.querySelector('progress-list').setAttribute('status', 'running lost')")
    await expect(names_of(shown)).to_have_text([f"{sid}-0"])
    assert await axe_violations(shown) == []
    await names_of(shown).click()
    assert shown.page.url == page_of(server, f"{sid}-0")
    assert shown.errors == []


async def test_element_sends_its_list_and_state(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """The events bubble; an element that is taken out of the page follows nothing."""
    await worker.create(f"{sid}-1", total_steps=2)
    script = """
    window.lists = []; window.states = [];
    addEventListener("progress-list", ({detail}) => lists.push(detail.sessions.map((each) => each.status).join()));
    addEventListener("progress-liststatechange", ({detail}) => states.push(detail.state));
    """
    content = f'<progress-list prefix="{sid}"></progress-list>'
    shown = await embed(server, open_page, content, scripts=(SOURCES, script))
    await shown.until("lists.at(-1) === 'pending'")
    await worker.start(f"{sid}-1", 1)
    await shown.until("lists.at(-1) === 'running'")
    assert await shown.evaluate("states") == ["connecting", "live"]
    await shown.evaluate("document.querySelector('progress-list').remove()")
    await shown.until("sources.at(-1).readyState === EventSource.CLOSED")


@pytest.mark.full
async def test_many_lists_leave_connections_to_the_page(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """HTTP/1.1 allows six connections: three lists stream, the others poll, and requests of the page pass."""
    numbers = range(7)
    for number in numbers:
        await worker.start(f"{sid}-{number}", 1)
    content = "".join(f'<progress-list prefix="{sid}-{number}"></progress-list>' for number in numbers)
    shown = await embed(server, open_page, content)
    await expect(names_of(shown)).to_have_text([f"{sid}-{number}" for number in numbers])
    badges = shown.part("connection")
    await expect(badges.filter(has_text="live")).to_have_count(3)
    await expect(badges.filter(has_text="updating every 3 s")).to_have_count(4)
    assert await shown.evaluate("fetch('/livez').then(({ ok }) => ok)")
    await shown.evaluate("document.querySelectorAll('progress-list')[0].remove()")
    await shown.evaluate("document.querySelectorAll('progress-list')[0].remove()")
    await expect(badges.filter(has_text="live")).to_have_count(3)


@pytest.mark.full
@pytest.mark.parametrize("lang", ["en", "ja"])
async def test_axe_finds_nothing_in_the_element(
    server: Server, worker: Worker, open_page: OpenPage, sid: str, lang: str
) -> None:
    """It is in a narrow column of a dark page."""
    await worker.create(f"{sid}-1", total_steps=2, title="Import", labels={"team": "web"})
    content = f'<progress-list prefix="{sid}"></progress-list>'
    viewport = {"width": 360, "height": 700}
    shown = await embed(server, open_page, content, lang, color_scheme="dark", viewport=viewport)
    await expect(names_of(shown)).to_have_text(["Import"])
    await expect(shown.part("list-word")).to_have_text("Waiting" if lang == "en" else "待機中")
    assert await axe_violations(shown) == []


@pytest.mark.full
async def test_element_lists_by_a_token(serve: Serve, open_page: OpenPage) -> None:
    """Without one, or beyond its prefix, it says that it may not."""
    server = serve(heartbeat_s=1, **CLOSED)
    async with Worker.at(server, PUBLISH_TOKEN) as worker:
        for name in ("alice-1", "bob-1"):
            await worker.start(name, 1)
    denied = "You are not allowed to list these jobs"
    shown = await embed(server, open_page, '<progress-list prefix="alice-"></progress-list>')
    await expect(shown.part("list-empty")).to_have_text(denied)
    token = make_token(prefixes=["alice-"], actions=["list"])
    await shown.evaluate("token => { document.querySelector('progress-list').token = token; }", token)
    await expect(names_of(shown)).to_have_text(["alice-1"])
    await expect(shown.part("connection")).to_have_text("live")
    await shown.evaluate("document.querySelector('progress-list').prefix = 'bob-'")
    await expect(shown.part("list-empty")).to_have_text(denied)
    await expect(names_of(shown)).to_have_count(0)
