"""Visitors with tokens in each engine: pasted into the page, and in a link."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.test_links import link_to, token_of
from tests.browser.test_tokens import DENIED, REFUSED, wire_of
from tests.engines.browser import Browser, Tab
from tests.engines.conftest import OpenTab
from tests.harness.chaos import ChaosProxy
from tests.harness.serving import Server, Worker
from tests.harness.tokens import CLOSED, make_token

pytestmark = [pytest.mark.full, pytest.mark.alone]

KEPT = "JSON.stringify([location.href, document.cookie, localStorage, sessionStorage, history.state, \
document.documentElement.outerHTML])"
"""Where a script, or another visitor of this browser, could find a token."""


@pytest.fixture(scope="module")
def server_settings(pages: Path) -> dict[str, Any]:
    """The server requires a token for everything."""
    return {"heartbeat_s": 1, "retry_ms": 300, "www": pages, **CLOSED}


@pytest.fixture(autouse=True)
async def _without_cookie(server: Server, browser: Browser) -> AsyncIterator[None]:
    """Take the visitor's cookie away after each test: a browser sends it to all ports of the machine."""
    yield
    tab = await browser.open(server.url)
    forget = "fetch('/api/cookie', {method: 'DELETE'}).then(({status}) => status)"
    assert await tab.evaluate(forget) == 204
    await tab.close()


async def paste(tab: Tab, token: str) -> None:
    await tab.click("#entrance-token")
    await tab.evaluate("void document.querySelector('#entrance-token').select()")
    await tab.type(token)
    await tab.click("#entrance button")


async def test_a_pasted_token_admits_the_visitor(
    proxy: ChaosProxy, worker: Worker, open_tab: OpenTab, sid: str
) -> None:
    """PR-01: it is sent in one header, and then in cookies; the page has it nowhere, and loads again without it."""
    token, url = make_token(sessions=[sid]), f"http://127.0.0.1:{proxy.port}/s/{sid}"
    await worker.start(sid, 1)
    tab = await open_tab(url)
    await tab.until_text(".headline", DENIED)
    await paste(tab, make_token(sessions=["another"]))
    await tab.until_text("#entrance-note", REFUSED)
    await paste(tab, token)
    await tab.until_text("#connection", "live")
    await tab.until("document.querySelector('.headline').textContent.startsWith('Step 1 of 7')")
    assert token not in await tab.evaluate(KEPT)
    await tab.go(url)
    await tab.until_text("#connection", "live")
    await worker.complete(sid, 1)
    await tab.until_text("#progress-bar", "14%")
    in_cookies = wire_of(proxy).count(f"progress_sse={token}".encode())
    assert in_cookies > 0
    assert wire_of(proxy).count(f" Bearer {token}\r\n".encode()) == 1
    assert wire_of(proxy).count(token.encode()) == 1 + in_cookies


async def test_a_link_opens_its_session_alone(proxy: ChaosProxy, worker: Worker, open_tab: OpenTab, sid: str) -> None:
    """PR-01: its token leaves the address and the history; the cookie alone shows the session, and no other one."""
    base = f"http://127.0.0.1:{proxy.port}"
    link = link_to(base, sid)
    for session_id in (sid, f"{sid}-other"):
        await worker.start(session_id, 1)
    tab = await open_tab(f"{base}/livez")
    entries = await tab.evaluate("history.length")
    await tab.go(link)
    await tab.until_text("#connection", "live")
    assert await tab.evaluate("[location.href, history.length]") == [f"{base}/s/{sid}", entries + 1]
    assert token_of(link) not in await tab.evaluate(KEPT)
    await worker.complete(sid, 1)
    await tab.until_text("#progress-bar", "14%")

    await tab.go_back()
    await tab.until(f"location.href === '{base}/livez'")
    await tab.evaluate("void setTimeout(() => history.forward())")
    await tab.until(f"location.href === '{base}/s/{sid}'")
    await tab.until_text("#connection", "live")
    beside = await open_tab(f"{base}/s/{sid}")
    await beside.until_text("#progress-bar", "14%")

    await beside.go(f"{base}/s/{sid}-other")
    await beside.until_text(".headline", DENIED)
    await beside.until("document.querySelector('#entrance').checkVisibility()")
    token = token_of(link).encode()
    requests = [part for each in proxy.links for part in re.split(rb"(?<=\r\n\r\n)", bytes(each.requests))]
    assert [request.count(token) for request in requests if b" Bearer " in request] == [1]
    with_cookie = [request for request in requests if b"progress_sse_link=" + token in request]
    assert len(with_cookie) == wire_of(proxy).count(token) - 1 > 0
    assert all(re.match(rf"[A-Z]+ /api/progress/{sid}[/? ]".encode(), request) for request in with_cookie)
