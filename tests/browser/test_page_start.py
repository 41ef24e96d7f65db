"""The page of an id without a job: a session that is reported by hand, a mistyped id, and a deleted session."""

import re
from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.axe import check_themes
from tests.browser.conftest import OpenPage
from tests.browser.page_driver import MARKUP, PageDriver
from tests.browser.session_page import page_of, run
from tests.conftest import Serve
from tests.harness.serving import Server, Worker
from tests.harness.tokens import KEY, PUBLISH_TOKEN, make_token

pytestmark = pytest.mark.full

QUESTIONS = {
    "en-GB": "No job has reported here yet; is the id right?",
    "ja-JP": "この ID のジョブからはまだ報告がありません。ID に間違いはありませんか\N{FULLWIDTH QUESTION MARK}",
}


async def open_by_hand(url: str, open_page: OpenPage, **options: Any) -> PageDriver:
    shown = await open_page(url, **options)
    panel = shown.page.locator("#start")
    await panel.evaluate("panel => { panel.open = true; }")  # A page without jobs opens it, too.
    await panel.get_by_role("link", name="Report one by hand").click()
    return shown


async def test_the_shown_commands_move_a_session_of_the_visitors_own(server: Server, open_page: OpenPage) -> None:
    """The session outlives a reload; pasted commands name its steps, and move its bar from one to the next."""
    shown = await open_by_hand(server.url, open_page)
    session_id = await shown.page.locator("#session-id").inner_text()
    assert re.fullmatch(r"[0-9a-z]{4}(-[0-9a-z]{4}){2}", session_id)
    assert shown.page.url == page_of(server, session_id)
    await expect(shown.headline).to_have_text("Waiting for the job to start")
    create = await shown.offered("steps")
    assert create == (
        f"curl -X PUT {server.url}/api/progress/{session_id}"
        """ -H 'Content-Type: application/json' -d '{"steps":["Download","Convert","Upload"]}'"""
    )
    run(create)
    start = await shown.offered("start")
    assert start == (
        f"curl -X POST {server.url}/api/progress/{session_id}/update"
        """ -H 'Content-Type: application/json' -d '{"action":"start","step":1}'"""
    )
    run(start)
    await expect(shown.headline).to_have_text("Step 1 of 3: Download")
    run(await shown.offered("complete"))
    await expect(shown.bar).to_have_text("33%")
    await expect(shown.command).to_contain_text('"action":"start","step":2')

    await shown.page.reload()
    await expect(shown.bar).to_have_text("33%")
    assert await shown.page.locator("#session-id").inner_text() == session_id
    assert shown.errors == []


async def test_commands_take_the_token_from_the_environment(serve: Serve, open_page: OpenPage) -> None:
    """The page says that workers need a token, and does not contain it."""
    server = serve(publish_token="s3cret")
    shown = await open_page(page_of(server, "by-hand"))
    await expect(shown.page.locator(".token-hint")).to_be_visible()
    for offer in ("steps", "start", "complete"):
        command = await shown.offered(offer)
        assert '-H "Authorization: Bearer $PROGRESS_SSE_TOKEN"' in command
        run(command, PROGRESS_SSE_TOKEN="s3cret")
    assert "s3cret" not in await shown.page.content()
    await expect(shown.bar).to_have_text("33%")


@pytest.mark.parametrize(
    "script",
    ["", pytest.param("Object.defineProperty(navigator, 'clipboard', {value: undefined})", marks=pytest.mark.full)],
    ids=["secure", "insecure"],
)
async def test_copy_copies_the_command(server: Server, open_page: OpenPage, script: str) -> None:
    """It does so in a secure context, and over plain HTTP, where there is no clipboard interface."""
    permissions = ["clipboard-read", "clipboard-write"]
    shown = await open_by_hand(server.url, open_page, scripts=(script,), permissions=permissions)
    button = shown.page.get_by_role("button", name="Copy: Create the job")
    await button.click()
    await expect(button).to_have_text("Copied")
    await shown.evaluate("document.body.append(document.createElement('textarea'))")
    pasted = shown.page.locator("textarea")
    await pasted.press("Control+V")
    assert await pasted.input_value() == await shown.offered("steps")
    await expect(button).to_have_text("Copy")


async def test_the_page_works_without_storage(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """A browser may deny storage by an exception."""
    denied = "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('denied'); }})"
    shown = await open_by_hand(server.url, open_page, scripts=(denied,))
    await expect(shown.headline).to_have_text("Waiting for the job to start")
    await shown.page.goto(page_of(server, sid))
    await worker.start(sid, 1)
    await expect(shown.headline).to_contain_text("Step 1")
    assert shown.errors == []


@pytest.mark.parametrize(
    ("locale", "heading", "state"), [("en-GB", "Newest jobs", "failed"), ("ja-JP", "最新のジョブ", "失敗")]
)
async def test_a_mistyped_id_is_doubted_beside_the_newest_jobs(
    serve: Serve, open_page: OpenPage, locale: str, heading: str, state: str
) -> None:
    """Five that the visitor may list; who came by a link to one job sees no other. It goes with the first report."""
    server = serve(token_key=KEY, publish_token=PUBLISH_TOKEN)
    token = make_token(prefixes=["alice-"], actions=["list", "read"])
    shown = await open_page(page_of(server, "alice-x"), locale=locale)
    unknown = shown.page.locator("#unknown")
    async with Worker.at(server, PUBLISH_TOKEN) as worker:
        for number in range(6):
            await worker.create(f"alice-{number}", steps=["Find"], title=MARKUP[0])
        await worker.create("bob", steps=["Find"])
        await worker.update("alice-4", action="finish", success=False, error="disk full")
        await expect(unknown).to_have_text(QUESTIONS[locale])
        await shown.evaluate(f"fetch('api/cookie', {{method: 'POST', headers: {{Authorization: 'Bearer {token}'}}}})")
        await shown.page.reload()
        await expect(unknown.get_by_role("heading", name=heading)).to_be_visible()
        await expect(unknown.get_by_role("link")).to_have_text([MARKUP[0]] * 5)
        await expect(unknown.get_by_role("link").nth(1)).to_have_attribute("href", page_of(server, "alice-4"))
        await expect(unknown.get_by_role("listitem").nth(1)).to_contain_text(state)
        await check_themes(shown)
        beside = await open_page(f"{page_of(server, 'alice-x')}#token={token}", beside=shown)
        await expect(beside.page.locator("#unknown")).to_have_text(QUESTIONS[locale])
        await worker.start("alice-x", 1)
        await expect(unknown).to_be_hidden()
    assert shown.errors == []


async def test_a_deleted_session_says_so_when_it_is_opened_afresh(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """It is no mistyped id."""
    await worker.start(sid, 1)
    await worker.delete(sid)
    shown = await open_page(page_of(server, sid))
    await expect(shown.headline).to_have_text("This job was deleted")
    await expect(shown.page.locator("#unknown")).to_be_hidden()
    html = f"""<!doctype html><script type="module" src="/web/define.js"></script>
<progress-steps session="{sid}"></progress-steps>"""
    embedded = await open_page(f"{server.url}/embedding", html=html)
    await expect(embedded.part("headline")).to_have_text("This job was deleted")
