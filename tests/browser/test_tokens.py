"""Browsers at a server that requires tokens to read: by the tracker's option, and by the element's property."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Locator, Playwright, async_playwright, expect

from tests.browser.axe import axe_violations, check_themes
from tests.browser.conftest import OpenPage
from tests.browser.following import following, moves_of, state_of, until_state, work
from tests.browser.page_driver import POLLING_ONLY, PageDriver
from tests.conftest import CHROMIUM, FLAGS
from tests.harness.chaos import ChaosProxy
from tests.harness.serving import Server, Worker
from tests.harness.tokens import CLOSED, make_token


@pytest.fixture(scope="module")
def server_settings() -> dict[str, Any]:
    """The server requires a token for everything."""
    return {"heartbeat_s": 1, "retry_ms": 300, **CLOSED}


def wire_of(proxy: ChaosProxy) -> bytes:
    """All bytes that browsers have sent."""
    return b"".join(bytes(link.requests) for link in proxy.links)


@pytest.mark.parametrize(
    "scripts", [pytest.param((), id="stream"), pytest.param((POLLING_ONLY,), id="polling", marks=pytest.mark.full)]
)
async def test_a_page_with_a_token_follows_its_session(
    proxy: ChaosProxy, worker: Worker, open_page: OpenPage, sid: str, scripts: tuple[str, ...]
) -> None:
    """PR-01: it resumes after a cut; and the token is sent in headers alone."""
    token = make_token(sessions=[sid])
    await worker.create(sid, total_steps=3)
    html = following(sid, token=token, transport="auto" if scripts else "sse")  # A poll may pass over a move.
    shown = await open_page(f"http://127.0.0.1:{proxy.port}/page", html=html, scripts=scripts)
    await expect(state_of(shown)).to_have_text("pending 0%")
    await until_state(shown, "polling" if scripts else "live")
    await work(worker, sid, 1)
    await expect(state_of(shown)).to_have_text("running 33%")
    proxy.cut()
    await work(worker, sid, 2)
    await expect(state_of(shown)).to_have_text("running 66%")
    await work(worker, sid, 3)
    await expect(state_of(shown)).to_have_text("completed 100%")
    assert await shown.evaluate("ends") == ["complete"]
    assert wire_of(proxy).count(token.encode()) == wire_of(proxy).count(f" Bearer {token}\r\n".encode()) > 0
    if not scripts:
        assert await shown.evaluate("moves") == moves_of(3, 3)
        assert sum("/events?" in url for url in shown.requests) >= 2, "it did not stream again after the cut"


async def test_a_token_for_something_else_is_refused_at_once(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """The tracker stops, reports that, and sends no more requests."""
    await worker.start(sid, 1)
    shown = await open_page(f"{server.url}/page", html=following(sid, token=make_token(sessions=["another"])))
    await until_state(shown, "denied")
    assert await shown.evaluate("[updates, ends, tracker.polling]") == [[], [], False]


async def test_an_element_has_its_token_as_a_property(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """It may be set and changed at any time, and the document does not show it."""
    await worker.start(sid, 1)
    html = f"""<!doctype html><html lang="en"><title>embedding</title>
    <script type="module" src="/web/define.js"></script>
    <progress-steps session="{sid}">please wait</progress-steps>"""
    shown = await open_page(f"{server.url}/embedding", html=html)
    await expect(shown.part("headline")).to_have_text("You are not allowed to see this job")
    token = make_token(sessions=[sid])
    await shown.evaluate("token => { document.querySelector('progress-steps').token = token; }", token)
    await expect(shown.part("headline")).to_contain_text("Step 1 of 7")
    await expect(shown.part("connection")).to_have_text("live")
    assert token not in json.dumps(await shown.page.content())
    await shown.evaluate("() => { document.querySelector('progress-steps').token = null; }")
    await expect(shown.part("headline")).to_have_text("You are not allowed to see this job")


@pytest.mark.full
async def test_an_element_goes_on_when_its_token_function_is_replaced(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """Frameworks set a new function at each render; the next token comes from the latest."""
    await worker.start(sid, 1)
    html = f"""<!doctype html><html lang="en"><title>embedding</title>
    <script type="module" src="/web/define.js"></script>
    <progress-steps session="{sid}"></progress-steps>"""
    count = """window.states = []; window.calls = [];
    document.addEventListener("progress-statechange", ({ detail }) => { states.push(detail.state); });"""
    shown = await open_page(f"{server.url}/embedding", html=html, scripts=(count,))
    await expect(shown.part("headline")).to_have_text("You are not allowed to see this job")
    await shown.evaluate("states.length = 0")
    set_function = """([number, token]) => {
        document.querySelector("progress-steps").token = async () => { calls.push(number); return token; };
    }"""
    await shown.evaluate(set_function, [1, make_token(sessions=[sid], exp=int(time.time()) + 3)])
    await expect(shown.part("connection")).to_have_text("live")
    for number in range(2, 20):
        await shown.evaluate(set_function, [number, make_token(sessions=[sid])])
    assert await shown.evaluate("[states, calls]") == [["connecting", "live"], [1]]
    await shown.until("calls.length > 1")
    await worker.complete(sid, 1)
    await expect(shown.part("percent")).to_have_text("14%")
    assert await shown.evaluate("calls") == [1, 19]


# The page, which admits its visitors by a cookie

INSECURE = "Object.defineProperty(window, 'isSecureContext', {value: false})"
"""Runs before the page's scripts: makes the page believe that its network has no TLS."""

DENIED = "You are not allowed to see this job"
REFUSED = "This token does not let you see this, or it has expired."


def field_of(shown: PageDriver) -> Locator:
    return shown.page.get_by_label("You need a token to see this. Paste it here:")


async def paste(shown: PageDriver, token: str) -> None:
    await field_of(shown).fill(token)
    await shown.page.get_by_role("button", name="Show").click()


async def test_a_pasted_token_admits_the_visitor(
    proxy: ChaosProxy, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """PR-01: it is sent in one header, and then in cookies, and nowhere else."""
    token = make_token(prefixes=[sid])
    url = f"http://127.0.0.1:{proxy.port}"
    await worker.start(sid, 1)
    shown = await open_page(f"{url}/s/{sid}")
    await paste(shown, token)
    await expect(shown.connection).to_have_text("live")
    await expect(shown.headline).to_contain_text("Step 1 of 7")
    shown.errors.clear()  # The refusals before are expected.
    assert await shown.evaluate("[location.href, document.cookie]") == [f"{url}/s/{sid}", ""]
    assert token not in await shown.evaluate("JSON.stringify([localStorage, sessionStorage, history.state])")
    await shown.page.goto(f"{url}/?session_id={sid}&session_id={sid}-2")  # The cookie is used from now on.
    await expect(shown.part("connection")).to_have_text(["live", "live"])
    assert shown.errors == []
    in_cookies = wire_of(proxy).count(f"progress_sse={token}".encode())
    assert in_cookies > 0
    assert wire_of(proxy).count(token.encode()) == 1 + in_cookies
    assert wire_of(proxy).count(f" Bearer {token}\r\n".encode()) == 1


async def test_a_page_of_a_session_that_is_not_there_admits_the_visitor_too(shown: PageDriver) -> None:
    """A token for other sessions does not cover it."""
    await paste(shown, make_token(sessions=["another"]))
    await expect(shown.headline).to_have_text(DENIED)
    await expect(shown.page.get_by_text(REFUSED)).to_be_visible()
    await paste(shown, make_token(prefixes=[""]))
    await expect(shown.page.locator("#milestone")).to_have_text("Connecting")
    await expect(shown.headline).to_have_text("Waiting for the job to start")


async def test_a_page_without_a_token_asks_for_one(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """It shows what is wrong with a token that is refused, nothing of the job, and no offer to tell of its end."""
    await worker.start(sid, 1)
    shown = await open_page(f"{server.url}/s/{sid}")
    await expect(shown.headline).to_have_text(DENIED)
    note = shown.page.get_by_role("alert").filter(has_text="token")
    await expect(field_of(shown)).to_be_visible()
    await expect(note).to_be_hidden()
    for hidden in (shown.progressbar, shown.page.locator("#notify")):
        await expect(hidden).to_be_hidden()
    for wrong in ("nonsense", "\u65e5\u672c", make_token(sessions=[sid], exp=int(time.time()) - 60)):
        await paste(shown, wrong)
        await expect(note).to_have_text(REFUSED)
        await shown.evaluate("document.getElementById('entrance-note').textContent = ''")
    await paste(shown, make_token(sessions=["another"]))
    await expect(note).to_have_text(REFUSED)
    await check_themes(shown)
    await expect(shown.headline).to_have_text(DENIED)
    await paste(shown, make_token(sessions=[sid]))
    await expect(shown.headline).to_contain_text("Step 1 of 7")
    await expect(shown.connection).to_have_text("live")
    await expect(field_of(shown)).to_be_hidden()
    for visible in (shown.progressbar, shown.page.locator("#notify")):
        await expect(visible).to_be_visible()


@pytest.mark.full
async def test_a_page_asks_in_japanese(server: Server, open_page: OpenPage, sid: str) -> None:
    """The form is checked light and dark."""
    for scheme in ("light", "dark"):
        shown = await open_page(f"{server.url}/s/{sid}", locale="ja-JP", color_scheme=scheme)
        await expect(
            shown.page.get_by_label("表示するにはトークンが必要です。ここに貼り付けてください。")
        ).to_be_visible()
        await shown.page.get_by_role("textbox").fill("nonsense")
        await shown.page.get_by_role("button", name="表示").click()
        await expect(shown.page.get_by_text("このトークンでは表示できないか、有効期限が切れています。")).to_be_visible()
        assert await axe_violations(shown) == []


@pytest.mark.full
async def test_a_token_that_could_not_be_sent_stays_in_the_form(server: Server, shown: PageDriver, sid: str) -> None:
    """The visitor can try again."""
    await shown.page.route("**/api/cookie", lambda route: route.abort())
    await paste(shown, make_token(sessions=[sid]))
    await expect(shown.page.get_by_text("The server did not answer. Try again.")).to_be_visible()
    await shown.page.unroute("**/api/cookie")
    await shown.page.get_by_role("button", name="Show").click()
    await expect(shown.headline).to_have_text("Waiting for the job to start")


async def test_a_page_without_tls_sends_no_token(proxy: ChaosProxy, open_page: OpenPage, sid: str) -> None:
    """Others could read it, and the browser would reject the cookie; the page says so."""
    token = make_token(sessions=[sid])
    shown = await open_page(f"http://127.0.0.1:{proxy.port}/s/{sid}", scripts=(INSECURE,))
    await paste(shown, token)
    await expect(shown.page.get_by_text("The token was not sent: without HTTPS others could read it.")).to_be_visible()
    assert token.encode() not in wire_of(proxy)


@pytest.mark.full
async def test_a_page_whose_token_has_ended_asks_for_another(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """The shown state stays; with the next token the page continues."""
    await worker.start(sid, 1)
    shown = await open_page(f"{server.url}/s/{sid}")
    await paste(shown, make_token(sessions=[sid], exp=int(time.time()) + 3))
    await expect(shown.connection).to_have_text("live")
    await expect(shown.connection).to_have_text("no access", timeout=20_000)
    await expect(shown.headline).to_contain_text("Step 1 of 7")
    await worker.complete(sid, 1)
    await paste(shown, make_token(sessions=[sid]))
    await expect(shown.bar).to_have_text("14%")
    await expect(shown.connection).to_have_text("live")


async def test_a_browser_stores_no_token(server: Server, worker: Worker, tmp_path: Path, sid: str) -> None:
    """PR-01: no file of its profile has a pasted token, a tracker's token, or a ticket."""
    pasted, brought = make_token(sessions=[sid], sub="pasted"), make_token(sessions=[sid], sub="brought")
    await worker.start(sid, 1)
    async with async_playwright() as playwright:
        shown = await open_persistent(playwright, tmp_path)
        await shown.page.goto(f"{server.url}/s/{sid}")
        await paste(shown, pasted)
        await expect(shown.connection).to_have_text("live")
        await shown.go(f"{server.url}/page", following(sid, token=brought))
        await until_state(shown, "live")
        await shown.page.goto(f"{server.url}/livez")  # Leaving the page writes it to the profile at the latest.
        await shown.page.context.close()
    files = contents_of(tmp_path)
    assert any(f"{server.url}/s/{sid}".encode() in file for file in files), "the browser has written no history"
    for secret in (pasted, brought, "ticket="):
        assert not any(secret.encode() in file for file in files), secret


def contents_of(folder: Path) -> list[bytes]:
    """All files in and below a folder."""
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


async def open_persistent(playwright: Playwright, profile: Path) -> PageDriver:
    flags = [flag for flag in FLAGS if flag != "--headless"]
    context = await playwright.chromium.launch_persistent_context(
        profile, executable_path=CHROMIUM, headless=False, args=["--headless=new", *flags], locale="en-GB"
    )
    return PageDriver(await context.new_page())
