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

QUESTION = "No job has reported here yet; is the id right?"


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
    ("locale", "question", "heading", "state"),
    [
        ("en-GB", "No job has reported here yet; is the id right?", "Newest jobs", "failed"),
        ("ja-JP", "この ID のジョブからはまだ報告がありません。ID に間違いはありませんか？", "最新のジョブ", "失敗"),
    ],
    ids=["en", "ja"],
)
async def test_a_mistyped_id_is_doubted_beside_the_newest_jobs(
    serve: Serve, open_page: OpenPage, locale: str, question: str, heading: str, state: str
) -> None:
    """At most five; their names are text. What is doubted goes with the first report."""
    server = serve(heartbeat_s=1)
    async with Worker.at(server) as worker:
        for number in range(6):
            await worker.create(f"nightly {number}", steps=["Find"], **({"title": MARKUP[0]} if number == 5 else {}))
        await worker.update("nightly 4", action="finish", success=False, error="disk full")
        shown = await open_page(page_of(server, "nightyl"), locale=locale)
        unknown = shown.page.locator("#unknown")
        await expect(unknown.get_by_role("paragraph")).to_have_text(question)
        await expect(unknown.get_by_role("heading", name=heading)).to_be_visible()
        await expect(unknown.get_by_role("link")).to_have_text([MARKUP[0], *(f"nightly {n}" for n in (4, 3, 2, 1))])
        await expect(unknown.get_by_role("listitem").nth(1)).to_contain_text(state)
        await expect(unknown.get_by_role("link").nth(1)).to_have_attribute("href", page_of(server, "nightly 4"))
        await check_themes(shown)
        await worker.start("nightyl", 1)
        await expect(unknown).to_be_hidden()
    assert shown.errors == []


async def test_a_mistyped_id_shows_no_job_that_the_visitor_may_not_list(serve: Serve, open_page: OpenPage) -> None:
    """Those of a token are shown to its owner; who comes by a link to one job sees no other."""
    server = serve(token_key=KEY, publish_token=PUBLISH_TOKEN)
    token = make_token(prefixes=["alice-"], actions=["list", "read"])
    async with Worker.at(server, PUBLISH_TOKEN) as worker:
        for name in ("bob-1", "alice-1", "alice-2", "bob-2"):
            await worker.start(name, 1)
    shown = await open_page(page_of(server, "alice-3"))
    unknown = shown.page.locator("#unknown")
    await expect(unknown).to_have_text(QUESTION)
    answered = await shown.evaluate(
        "token => fetch('api/cookie', {method: 'POST', headers: {Authorization: `Bearer ${token}`}}).then(r => r.status)",
        token,
    )
    assert answered == 204
    await shown.page.reload()
    await expect(unknown.get_by_role("link")).to_have_text(["alice-2", "alice-1"])
    beside = await open_page(f"{page_of(server, 'alice-3')}#token={token}", beside=shown)
    await expect(beside.page.locator("#unknown")).to_have_text(QUESTION)
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
