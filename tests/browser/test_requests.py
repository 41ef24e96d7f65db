"""What readers ask of the worker: the buttons, the question before, and what becomes of a request."""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.axe import axe_violations
from tests.browser.conftest import OpenPage
from tests.browser.page_driver import PageDriver
from tests.browser.session_page import page_of
from tests.browser.stubbed_session import StubbedSession
from tests.harness.serving import Server, Worker
from tests.harness.tokens import CLOSED, PUBLISH_TOKEN, make_token

pytestmark = pytest.mark.full

STEPS = [{"name": name} for name in ("Find", "Resize", "Upload")]
ASKED_AT = "2026-01-01T00:00:00+00:00"
STOPPED = {
    "status": "error",
    "completed_at": "2026-01-01T00:00:09+00:00",
    "conclusion": "cancelled",
    "error": "stopped",
}
FAILED = {"status": "error", "completed_at": "2026-01-01T00:00:09+00:00", "error": "disk full"}


async def running(worker: Worker, session_id: str) -> dict[str, Any]:
    await worker.create(session_id, steps=STEPS, accepts=["cancel", "retry"])
    await worker.run(session_id, 1)
    await worker.start(session_id, 2)
    polled: dict[str, Any] = await worker.poll(session_id)
    return polled


def ended(state: dict[str, Any], **step: Any) -> dict[str, Any]:
    first, second, third = state["steps"]
    return {"status": "error", "steps": [first, second | step, third]}


def cancel_button(page: Page) -> Locator:
    return page.get_by_role("button", name="Cancel", exact=True)


def said(shown: PageDriver) -> Locator:
    return shown.part("request-text")


async def test_a_reader_cancels_by_keyboard(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """Escape leaves the job alone. Each state has its look, is announced, and keeps the focus."""
    session = await StubbedSession.open(await running(worker, sid), server, open_page)
    shown, page = session.shown, session.shown.page
    button, dialog = cancel_button(page), page.get_by_role("dialog")
    await button.focus()
    await page.keyboard.press("Enter")
    await expect(dialog).to_have_accessible_name(f"Cancel {sid}?")
    await expect(page.get_by_role("button", name="Keep it running")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(button).to_be_focused()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")
    await expect(button).to_be_focused()
    assert session.asked == []
    looks = {await shown.part("request").screenshot()}

    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(said(shown)).to_have_text("Cancellation requested")
    await expect(said(shown)).to_be_focused()
    await expect(button).to_be_hidden()
    assert session.asked == [{"kind": "cancel"}]
    looks.add(await shown.part("request").screenshot())

    await session.settle("seen")
    await expect(said(shown)).to_have_text("The worker is stopping")
    await shown.page.clock.fast_forward(10_000)
    await expect(page.locator("#milestone")).to_have_text("The worker is stopping")
    looks.add(await shown.part("request").screenshot())
    assert len(looks) == 3

    await session.settle("honoured", **ended(session.state, **STOPPED), conclusion="cancelled")
    await expect(shown.headline).to_have_text("Cancelled by you")
    await expect(shown.headline).to_be_focused()
    await expect(said(shown)).to_be_hidden()
    await shown.page.clock.fast_forward(10_000)
    await expect(page.locator("#milestone")).to_have_text("Cancelled by you")
    assert shown.errors == []


async def test_a_request_may_come_to_nothing(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """A worker declines, a stalled one is not reached, and an end comes first."""
    session = await StubbedSession.open(await running(worker, sid), server, open_page)
    shown, button = session.shown, cancel_button(session.shown.page)
    confirm = session.shown.page.get_by_role("button", name="Cancel the job")
    await button.click()
    await confirm.click()
    await expect(said(shown)).to_have_text("Cancellation requested")
    session.state["requests"][0]["message"] = "<b>not now</b>"
    await session.settle("declined")
    await expect(said(shown)).to_have_text("The worker declined to stop: <b>not now</b>")

    await button.click()
    await confirm.click()
    step = session.state["steps"][1]
    step["liveness"] = {"state": "stalled", "since": step["started_at"]}
    await session.change()
    await expect(said(shown)).to_have_text("Cancellation requested, but no worker is listening")

    del step["liveness"]
    step |= {"status": "success", "completed_at": step["started_at"]}
    await session.settle("too_late", status="completed")
    await expect(said(shown)).to_have_text("Too late to cancel, it had finished")
    await expect(button).to_be_hidden()
    assert shown.errors == []


async def test_the_question_goes_when_the_job_ends(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """There is nothing left to cancel."""
    session = await StubbedSession.open(await running(worker, sid), server, open_page)
    await cancel_button(session.shown.page).click()
    await expect(session.shown.page.get_by_role("dialog")).to_be_visible()
    await session.change(status="completed")
    await session.shown.until("!document.querySelector('dialog').open")
    assert session.asked == []


async def test_a_failed_job_is_retried_on_request(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """The button stands in the report of the failure, and nothing can be cancelled."""
    state = await running(worker, sid)
    session = await StubbedSession.open(state | ended(state, **FAILED), server, open_page)
    shown, retry = session.shown, session.shown.page.get_by_role("button", name="Retry")
    await retry.focus()
    await expect(cancel_button(shown.page)).to_be_hidden()
    await shown.page.keyboard.press("Enter")
    await expect(said(shown)).to_have_text("Retry requested")
    await expect(said(shown)).to_be_focused()
    await expect(retry).to_be_hidden()
    assert session.asked == [{"kind": "retry"}]
    await session.settle("seen")
    await expect(said(shown)).to_have_text("The worker is about to try again")
    await session.settle("honoured", **ended(session.state, status="running", completed_at=None, error=""))
    await session.change(status="running")
    await expect(said(shown)).to_be_hidden()
    await expect(shown.headline).to_be_focused()
    await expect(cancel_button(shown.page)).to_be_visible()
    assert shown.errors == []


async def test_a_reader_without_the_right_sees_no_button(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """It sees what others ask. A right that is lost takes the button away."""
    session = await StubbedSession.open(await running(worker, sid), server, open_page)
    shown = session.shown
    await expect(cancel_button(shown.page)).to_be_visible()
    session.refusal = 403
    await cancel_button(shown.page).click()
    await shown.page.get_by_role("button", name="Cancel the job").click()
    await expect(said(shown)).to_have_text("You are not allowed to ask this of the worker")
    await expect(said(shown)).to_be_focused()
    await expect(cancel_button(shown.page)).to_be_hidden()
    await session.change(status="completed")
    await expect(said(shown)).to_be_hidden()
    session.state["status"] = "running"

    session.allow = "GET, HEAD"
    await shown.page.reload()
    await expect(shown.connection).to_be_visible()
    await expect(shown.part("request")).to_be_hidden()
    state = session.state
    await session.change(requests=[{"id": "a", "kind": "cancel", "step": None, "state": "seen", "asked_at": ASKED_AT}])
    await expect(said(shown)).to_have_text("The worker is stopping")
    await session.settle("honoured", **ended(state, **STOPPED), conclusion="cancelled")
    await expect(shown.headline).to_have_text("Cancelled at step 2")
    await expect(shown.page.get_by_role("button", name="Retry")).to_be_hidden()


async def test_a_job_that_takes_no_requests_has_no_button(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """The page does not even look for the right."""
    state = await running(worker, sid)
    del state["accepts"]
    session = await StubbedSession.open(state, server, open_page)
    await expect(session.shown.headline).to_have_text("Step 2 of 3: Resize")
    await session.change()
    await expect(session.shown.part("request")).to_be_hidden()
    assert not any("requests" in each for each in session.requests)


def embedding(session_id: str, lang: str) -> str:
    return (
        f'<!doctype html><html lang="{lang}"><title>embedding</title><meta name="color-scheme" content="light dark">'
        '<script type="module" src="/web/define.js"></script>'
        f'<main><h1>Jobs</h1><progress-steps session="{session_id}" label="Photos"></progress-steps></main>'
    )


async def test_the_element_asks_in_its_language(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """The question names the job as the page does; the focus returns within the shadow root."""
    state = await running(worker, sid)
    session = await StubbedSession.open(state, server, open_page, html=embedding(sid, "ja"))
    page = session.shown.page
    button = page.get_by_role("button", name="中止", exact=True)
    await button.click()
    await expect(page.get_by_role("dialog")).to_have_accessible_name("Photos を中止しますか？")  # noqa: RUF001
    await page.keyboard.press("Escape")
    await expect(button).to_be_focused()
    await button.click()
    await page.get_by_role("button", name="ジョブを中止する").click()
    await expect(said(session.shown)).to_have_text("中止を依頼しました")
    await expect(said(session.shown)).to_be_focused()
    await session.settle("honoured", **ended(session.state, **STOPPED))
    await expect(session.shown.part("headline")).to_have_text("あなたが中止しました")
    assert session.shown.errors == []


async def test_an_embedding_page_may_retry_by_itself(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """Then the button asks nothing of the worker."""
    state = await running(worker, sid)
    state |= ended(state, **FAILED)
    session = await StubbedSession.open(state, server, open_page, html=embedding(sid, "en"))
    page = session.shown.page
    await page.locator("progress-steps").evaluate("element => { element.onretry = (id) => { window.retried = id; }; }")
    await page.get_by_role("button", name="Retry").click()
    assert await session.shown.evaluate("retried") == sid
    assert session.asked == []


@pytest.mark.parametrize("where", ["page", "element"])
async def test_axe_finds_nothing_in_the_states_of_a_request(
    server: Server, worker: Worker, open_page: OpenPage, sid: str, where: str
) -> None:
    """The question is checked too, light and dark."""
    state = await running(worker, sid)
    for scheme in ("light", "dark"):
        html = "" if where == "page" else embedding(sid, "en")
        session = await StubbedSession.open(dict(state), server, open_page, html=html, color_scheme=scheme)
        shown = session.shown
        await cancel_button(shown.page).click()
        assert await axe_violations(shown) == [], scheme
        await shown.page.get_by_role("button", name="Cancel the job").click()
        for request_state in ("asked", "seen", "declined"):
            await session.settle(request_state)
            await expect(shown.part("request")).to_have_attribute(
                "data-look", request_state if request_state != "declined" else "ended"
            )
            assert await axe_violations(shown) == [], (scheme, request_state)


async def test_looks_are_distinct_under_forced_colours(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """With the few colours of a system the outlines remain; the words are taken away."""
    state = await running(worker, sid)
    state["requests"] = [{"id": "a", "kind": "cancel", "step": None, "state": "asked", "asked_at": ASKED_AT}]
    session = await StubbedSession.open(state, server, open_page, forced_colors="active")
    shown, looks = session.shown, set()
    await expect(said(shown)).to_have_text("Cancellation requested")
    # A copy, which the page does not draw again.
    await shown.page.locator(".request").evaluate("row => { row.replaceWith(row.cloneNode(true)); }")
    await shown.evaluate("() => { document.querySelector('.request-text').textContent = 'as long as the others'; }")
    for look in ("asked", "seen", "ended"):
        await shown.page.locator(".request").evaluate("(row, look) => { row.dataset.look = look; }", look)
        looks.add(await said(shown).screenshot())
    assert len(looks) == 3


async def acknowledge(worker: Worker, session_id: str, state: str, **more: Any) -> None:
    [request, *_] = (await worker.poll(session_id))["requests"]
    response = await worker.update(session_id, action="acknowledge", request=request["id"], state=state, **more)
    assert response.status_code == 200, response.text


async def test_requests_go_to_the_worker_and_back(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """A job is cancelled, tried again, not cancelled, and completed before it could be cancelled."""
    await running(worker, sid)
    shown, watching = await open_page(page_of(server, sid)), await open_page(page_of(server, sid))
    confirm = shown.page.get_by_role("button", name="Cancel the job")
    await cancel_button(shown.page).click()
    await confirm.click()
    await expect(said(shown)).to_have_text("Cancellation requested")
    await acknowledge(worker, sid, "seen")
    for page in (shown, watching):
        await expect(said(page)).to_have_text("The worker is stopping")
    await worker.complete(sid, 2, success=False, error="stopped", conclusion="cancelled")
    await expect(shown.headline).to_have_text("Cancelled by you")
    await expect(watching.headline).to_have_text("Cancelled at step 2")

    await watching.page.get_by_role("button", name="Retry").click()
    await expect(said(shown)).to_have_text("Retry requested")
    await worker.start(sid, 2)
    await expect(shown.headline).to_have_text("Step 2 of 3: Resize")
    await expect(said(shown)).to_be_hidden()

    await cancel_button(shown.page).click()
    await confirm.click()
    await expect(said(watching)).to_have_text("Cancellation requested")
    await acknowledge(worker, sid, "declined", message="nearly done")
    await expect(said(watching)).to_have_text("The worker declined to stop: nearly done")

    await cancel_button(shown.page).click()
    await confirm.click()
    await expect(said(watching)).to_have_text("Cancellation requested")
    await worker.update(sid, action="finish")
    for page in (shown, watching):
        await expect(said(page)).to_have_text("Too late to cancel, it had finished")
        assert page.errors == []


async def test_a_job_that_was_never_started_is_cancelled_at_once(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """The server does that itself."""
    await worker.create(sid, steps=STEPS, accepts=["cancel"])
    shown = await open_page(page_of(server, sid))
    await cancel_button(shown.page).click()
    await shown.page.get_by_role("button", name="Cancel the job").click()
    await expect(shown.headline).to_have_text("Cancelled by you")
    await expect(shown.part("request")).to_be_hidden()
    assert shown.errors == []


async def test_the_button_needs_a_token_with_the_right(tmp_path: Path, open_page: OpenPage, sid: str) -> None:
    """A reader who enters such a token gets the button, by the cookie."""
    with Server(tmp_path, **CLOSED) as server:
        async with Worker.at(server, token=PUBLISH_TOKEN) as worker:
            await running(worker, sid)
        for actions in (["read"], ["read", "control"]):
            shown = await open_page(page_of(server, sid))
            await shown.page.get_by_label("You need a token").fill(make_token(sessions=[sid], actions=actions))
            await shown.page.get_by_role("button", name="Show", exact=True).click()
            await expect(shown.headline).to_have_text("Step 2 of 3: Resize")
            if "control" in actions:
                await cancel_button(shown.page).click()
                await shown.page.get_by_role("button", name="Cancel the job").click()
                await expect(said(shown)).to_have_text("Cancellation requested")
            else:
                requests = f"{server.url}/api/progress/{sid}/requests"
                await shown.until(f"performance.getEntriesByName('{requests}').length")
                await expect(cancel_button(shown.page)).to_be_hidden()


async def test_a_request_that_was_refused_is_announced(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """The keyboard's focus stays on the button, and the text beside it is read only where it is looked for."""
    session = await StubbedSession.open(await running(worker, sid), server, open_page)
    shown, page = session.shown, session.shown.page
    session.refusal = 422
    await cancel_button(page).click()
    await page.get_by_role("button", name="Cancel the job").click()
    await expect(said(shown)).to_have_text("The server did not answer. Try again.")
    await page.clock.fast_forward(10_000)
    await expect(page.locator("#milestone")).to_have_text("The server did not answer. Try again.")
    assert len(session.asked) == 1
