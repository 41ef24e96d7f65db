"""Browsers that open a link: `/s/nightly#token=…` follows one session, and its token stays in no place but a cookie."""

import asyncio
import subprocess
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.async_api import Locator, Route, async_playwright, expect

from tests.browser.axe import check_themes
from tests.browser.conftest import OpenPage
from tests.browser.page_driver import POLLING_ONLY, PageDriver
from tests.browser.test_tokens import DENIED, INSECURE, field_of, open_persistent, paste, wire_of
from tests.browser.traffic import STREAM
from tests.conftest import CHROMIUM, FLAGS
from tests.harness.chaos import ChaosProxy
from tests.harness.http1 import HOST, free_port
from tests.harness.nginx import NginxServer
from tests.harness.serving import Server, Worker, eventually
from tests.harness.tokens import CLOSED, PUBLISH_TOKEN, make_token

pytestmark = pytest.mark.full

EXPIRED = "This link has expired, or is not valid. Ask for a new one."


@pytest.fixture(scope="module")
def server_settings() -> dict[str, Any]:
    """The server requires a token for everything."""
    return {"heartbeat_s": 1, "retry_ms": 300, **CLOSED}


def link_to(base: str, session_id: str, **claims: Any) -> str:
    return f"{base}/s/{session_id}#token={make_token(sessions=[session_id], **claims)}"


def token_of(link: str) -> str:
    return link.partition("#token=")[2]


def note_of(shown: PageDriver) -> Locator:
    return shown.page.locator("#link-note")


async def cookies_of(shown: PageDriver) -> dict[str, Any]:
    return {f"{each['name']} {each['path']}": each for each in await shown.page.context.cookies()}


@pytest.mark.parametrize(
    "scripts", [pytest.param((), id="stream"), pytest.param((POLLING_ONLY,), id="polling", marks=pytest.mark.full)]
)
async def test_a_link_shows_its_session_and_leaves_no_token(
    proxy: ChaosProxy, worker: Worker, open_page: OpenPage, sid: str, scripts: tuple[str, ...]
) -> None:
    """PR-01: the server gets it in one header, and then in a cookie; no script and no entry of the history has it."""
    base = f"http://127.0.0.1:{proxy.port}"
    link = link_to(base, sid)
    await worker.start(sid, 1)
    shown = await open_page(link, scripts=scripts)
    await expect(shown.headline).to_contain_text("Step 1 of 7")
    await expect(shown.connection).to_have_text("updating every 2 s" if scripts else "live")
    assert await shown.evaluate("[location.href, document.cookie, history.length]") == [f"{base}/s/{sid}", "", 2]
    kept = "JSON.stringify([localStorage, sessionStorage, history.state, document.documentElement.outerHTML])"
    assert token_of(link) not in await shown.evaluate(kept)
    [cookie] = (await cookies_of(shown)).values()
    assert (cookie["name"], cookie["path"]) == ("progress_sse_link", f"/api/progress/{sid}")
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["expires"]) == (True, "Strict", -1)
    await worker.complete(sid, 1)
    await expect(shown.bar).to_have_text("14%")
    assert wire_of(proxy).count(f" Bearer {token_of(link)}\r\n".encode()) == 1
    in_cookies = wire_of(proxy).count(f"progress_sse_link={token_of(link)}".encode())
    assert wire_of(proxy).count(token_of(link).encode()) == 1 + in_cookies
    assert in_cookies == sum(f"/api/progress/{sid}" in request.target for request in proxy.asked()) - 1
    assert shown.errors == []


async def test_a_link_shows_the_log_of_its_session(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """The lines that are there, and those that come."""
    await worker.start(sid, 1)
    await worker.update(sid, action="log", step=1, lines=["one"])
    shown = await open_page(link_to(server.url, sid))
    await shown.page.locator(".steps .log summary").click()
    lines = shown.page.locator(".steps .log-text")
    await expect(lines).to_have_text(["one"])
    await expect(shown.connection).to_have_text("live")
    await worker.update(sid, action="log", step=1, lines=["two"])
    await expect(lines).to_have_text(["one", "two"])
    assert shown.errors == []


async def test_a_page_that_was_opened_by_a_link_loads_again(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """By the same cookie; so does the address without the token, in another tab of the browser.

    The list of all jobs, which is not for its visitor, is not offered.
    """
    await worker.start(sid, 1)
    shown = await open_page(link_to(server.url, sid))
    await expect(shown.headline).to_contain_text("Step 1 of 7")
    await expect(shown.part("home-link")).to_be_hidden()
    await shown.page.reload()
    await expect(shown.headline).to_contain_text("Step 1 of 7")
    await expect(shown.part("home-link")).to_be_hidden()
    assert shown.errors == []
    beside = await open_page(f"{server.url}/s/{sid}", beside=shown)
    await expect(beside.headline).to_contain_text("Step 1 of 7")
    await expect(field_of(beside)).to_be_hidden()


async def test_a_link_and_the_visitors_own_token_stay_apart(
    proxy: ChaosProxy, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """Tabs by both are live side by side, on streams of their own, and neither shows what the other may see."""
    base, other = f"http://127.0.0.1:{proxy.port}", f"{sid}-other"
    own = make_token(sessions=[sid, other])
    for session_id in (sid, other):
        await worker.create(session_id, total_steps=7, accepts=["cancel"])
        await worker.start(session_id, 1)
    mine = await open_page(f"{base}/s/{sid}")
    await paste(mine, own)
    await expect(mine.connection).to_have_text("live")
    before = await cookies_of(mine)
    by_link = await open_page(link_to(base, sid, actions=["read", "control"]), beside=mine)
    await expect(by_link.connection).to_have_text("live")
    both = await open_page(f"{base}/?session_id={sid}&session_id={other}", beside=mine)
    await expect(both.part("connection")).to_have_text(["live", "live"])
    # The visitor's own cookie is what it was; the link's is sent to its session's paths alone.
    after = await cookies_of(mine)
    assert {name: after[name]["value"] for name in before} == {name: each["value"] for name, each in before.items()}
    assert set(after) - set(before) == {f"progress_sse_link /api/progress/{sid}"}
    # Only the link lets its visitor ask the worker.
    await expect(by_link.page.get_by_role("button", name="Cancel")).to_be_visible()
    await expect(mine.page.get_by_role("button", name="Cancel")).to_be_hidden()
    await eventually(lambda: proxy.busy_with(STREAM) == 2, 20)
    await worker.complete(sid, 1)
    for shown in (mine, by_link):
        await expect(shown.bar).to_have_text("14%")
    # In a tab by link, the visitor's own token opens no other session.
    assert await by_link.evaluate(f"fetch('/api/progress/{other}?link=1').then(({{ status }}) => status)") == 401


async def test_a_link_shows_a_session_of_any_id(server: Server, worker: Worker, open_page: OpenPage) -> None:
    """Browsers ignore a path of more than 1024 bytes, and then take that of the request."""
    for session_id in ("\U0001f680" * 128, "a b;c=d'(e)!*~%2e&link=0#x?"):
        await worker.start(session_id, 1)
        token = make_token(sessions=[session_id])
        shown = await open_page(f"{server.url}/s/{quote(session_id, safe='')}#token={token}")
        await expect(shown.connection).to_have_text("live")
        [cookie] = (await cookies_of(shown)).values()
        assert cookie["path"] == f"/api/progress/{quote(session_id, safe=chr(39) + '!()*~')}"


async def test_tabs_by_links_of_one_session_share_a_stream(
    proxy: ChaosProxy, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """Over HTTP/1.1 a browser has six connections to a server: here are eight tabs."""
    link = link_to(f"http://127.0.0.1:{proxy.port}", sid)
    await worker.start(sid, 1)
    tabs: list[PageDriver] = []
    for _ in range(8):
        tabs.append(await open_page(link, beside=tabs[0] if tabs else None))
        await expect(tabs[-1].connection).to_have_text("live")
    await eventually(lambda: proxy.busy_with(STREAM) == 1, 20)
    await worker.complete(sid, 1)
    for tab in tabs:
        await expect(tab.bar).to_have_text("14%")
    await tabs[0].page.close()
    await worker.run(sid, 2)
    await expect(tabs[-1].bar).to_have_text("28%")


async def test_an_expired_link_says_so(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """Also one that is not valid. The visitor may have a token of their own."""
    await worker.start(sid, 1)
    for token in (make_token(sessions=[sid], exp=int(time.time()) - 60), "nonsense", make_token(sessions=["another"])):
        shown = await open_page(f"{server.url}/s/{sid}#token={token}")
        await expect(note_of(shown)).to_have_text(EXPIRED)
        await expect(shown.headline).to_have_text(DENIED)
        assert shown.page.url == f"{server.url}/s/{sid}"
    await expect(field_of(shown)).to_be_visible()
    await check_themes(shown)
    await paste(shown, make_token(sessions=[sid]))
    await expect(shown.headline).to_contain_text("Step 1 of 7")
    await expect(note_of(shown)).to_be_hidden()
    await expect(shown.part("home-link")).to_be_visible()


async def test_a_link_that_expires_says_so(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """In Japanese too. What was shown stays, and a new link goes on in the same tab, without a load."""
    await worker.start(sid, 1)
    shown = await open_page(link_to(server.url, sid, exp=int(time.time()) + 4), locale="ja-JP")
    await expect(shown.bar).to_have_text("0%")
    await expect(note_of(shown)).to_contain_text("有効期限", timeout=20_000)
    await check_themes(shown)
    await expect(shown.bar).to_have_text("0%")
    await shown.evaluate("link => { window.isSame = true; location.href = link; }", link_to(server.url, sid))
    await expect(note_of(shown)).to_be_hidden()
    await worker.complete(sid, 1)
    await expect(shown.bar).to_have_text("14%")
    assert await shown.evaluate("[location.href, isSame]") == [f"{server.url}/s/{sid}", True]
    await shown.page.go_back()
    assert "token" not in shown.page.url


async def test_a_link_waits_for_a_server_that_is_away(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """The address no longer has the token, so that the visitor could not try again."""
    await worker.start(sid, 1)
    refused = asyncio.Event()

    async def refuse(route: Route) -> None:
        if refused.is_set():
            await route.continue_()
            return
        refused.set()
        await route.fulfill(status=503)

    shown = await open_page(f"{server.url}/livez")
    await shown.page.route("**/link", refuse)
    await shown.page.goto(link_to(server.url, sid))
    await expect(shown.headline).to_contain_text("Step 1 of 7")
    assert refused.is_set()


async def test_a_link_without_tls_sends_no_token(proxy: ChaosProxy, open_page: OpenPage, sid: str) -> None:
    """Others could read it."""
    link = link_to(f"http://127.0.0.1:{proxy.port}", sid)
    shown = await open_page(link, scripts=(INSECURE,))
    await expect(note_of(shown)).to_have_text("The token was not sent: without HTTPS others could read it.")
    assert token_of(link).encode() not in wire_of(proxy)


async def test_a_link_works_where_readers_need_no_token(open_page: OpenPage, sid: str, tmp_path: Path) -> None:
    """It lets its visitor ask the worker. One that has expired says so, and the page is shown all the same."""
    settings = {**CLOSED, "read": "open"}
    with Server(tmp_path / "open", heartbeat_s=1, **settings) as server:
        async with Worker.at(server, PUBLISH_TOKEN) as worker:
            await worker.create(sid, total_steps=2, accepts=["cancel"])
            await worker.start(sid, 1)
        shown = await open_page(link_to(server.url, sid, actions=["read", "control"]))
        await expect(shown.page.get_by_role("button", name="Cancel")).to_be_visible()
        late = await open_page(link_to(server.url, sid, exp=int(time.time()) - 60))
        await expect(note_of(late)).to_have_text(EXPIRED)
        await expect(late.headline).to_contain_text("Step 1 of 2")
        await expect(late.page.get_by_role("button", name="Cancel")).to_be_hidden()


async def test_a_browser_writes_the_token_of_a_link_to_no_file_but_its_list_of_addresses(
    server: Server, worker: Worker, tmp_path: Path, sid: str
) -> None:
    """PR-01: what was opened is in there before a page runs, as with every link; no page can take it out."""
    link = link_to(server.url, sid)
    await worker.start(sid, 1)
    async with async_playwright() as playwright:
        shown = await open_persistent(playwright, tmp_path)
        await shown.page.goto(link)
        await expect(shown.connection).to_have_text("live")
        await shown.page.goto(f"{server.url}/livez")  # Leaving the page writes it to the profile at the latest.
        await shown.page.context.close()
    assert files_with(tmp_path, f"{server.url}/s/{sid}") != set()
    assert files_with(tmp_path, token_of(link)) <= ADDRESSES


async def test_a_link_works_behind_a_proxy_with_tls(server: Server, worker: Worker, sid: str, tmp_path: Path) -> None:
    """The browser takes the name that pages without TLS cannot set, also where the proxy hides the name of its host."""
    port = free_port()
    certificate, key = tmp_path / "site.pem", tmp_path / "site.key"
    request = f"openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -days 2 -keyout {key} -out {certificate}"
    await asyncio.to_thread(subprocess.run, request.split(), check=True, capture_output=True)
    block = f"""server {{
        listen 80;
        listen {HOST}:{port} ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        location / {{ proxy_pass http://{HOST}:{server.port}; proxy_http_version 1.1; }}
    }}"""
    await worker.start(sid, 1)
    with NginxServer(tmp_path / "nginx", block):
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            context = await browser.new_context(ignore_https_errors=True)
            shown = PageDriver(await context.new_page())
            await shown.page.goto(link_to(f"https://localhost:{port}", sid))
            await expect(shown.connection).to_have_text("live")
            [cookie] = await context.cookies()
            assert (cookie["name"], cookie["secure"]) == ("__Secure-progress_sse_link", True)
            await browser.close()


ADDRESSES = {"History", "History-journal", "Favicons", "Favicons-journal", "Sessions", "ukm_db", "ukm_db-wal"}
"""The files and folders in which Chromium keeps what was visited, by address."""


def files_with(folder: Path, text: str) -> set[str]:
    """The names of the files below a folder that contain a text; of those in `Sessions`, the folder's."""
    paths = [path for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]
    return {"Sessions" if path.parent.name == "Sessions" else path.name for path in paths}
