"""Push: the button of the page, and its service worker in Chromium, to which the debugger delivers messages."""

import asyncio
import json
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import CDPSession, Page, expect

from progress_sse.notices.web_push import PushKey, base64url
from tests.browser.conftest import OpenPage
from tests.browser.session_page import page_of
from tests.harness.serving import Server, Worker
from tests.notices.test_push import ENDPOINT
from tests.notices.test_web_push import Browser

DEADLINE_MS = 30_000

BROWSER = Browser.new()

VENDOR = """
  // Stands in for the vendor, which the machine of the tests does not reach.
  let subscription = null;
  PushManager.prototype.getSubscription = async () => subscription;
  PushManager.prototype.subscribe = async ({ applicationServerKey }) => {
    const text = applicationServerKey.replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
    subscription = {
      options: { applicationServerKey: bytes.buffer },
      toJSON: () => (SUBSCRIPTION),
      unsubscribe: async () => { subscription = null; return true; },
    };
    return subscription;
  };
"""


def vendor() -> str:
    keys = {"p256dh": BROWSER.p256dh, "auth": base64url(BROWSER.auth)}
    return VENDOR.replace("SUBSCRIPTION", json.dumps({"endpoint": ENDPOINT, "expirationTime": None, "keys": keys}))


@pytest.fixture(scope="module")
def server_settings() -> dict[str, Any]:
    key = Path(tempfile.mkdtemp()) / "key.pem"
    key.write_bytes(PushKey.generate())
    return {"push": True, "push_contact": "mailto:ops@example.org", "push_key_file": key}


@pytest.fixture
async def page(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> Page:
    """The page of a session with a title, in a browser that allows notifications."""
    await worker.create(sid, total_steps=1, title="Nightly import")
    await worker.start(sid, 1)
    shown = await open_page(page_of(server, sid), scripts=(vendor(),), permissions=["notifications"])
    return shown.page


async def test_the_button_turns_push_on_and_off(page: Page, sid: str) -> None:
    """It shows the state that the server has, after a reload too."""
    button = page.locator("#notify")
    await expect(button).to_have_text("Notify me when it ends")
    await expect(button).to_have_attribute("aria-pressed", "false")
    await button.click()
    await expect(button).to_have_text("You will be notified", timeout=DEADLINE_MS)
    await expect(button).to_have_attribute("aria-pressed", "true")
    await page.reload()
    await expect(button).to_have_text("You will be notified", timeout=DEADLINE_MS)
    await button.click()
    await expect(button).to_have_text("Notify me when it ends", timeout=DEADLINE_MS)
    await page.reload()
    await expect(button).to_have_attribute("aria-pressed", "false")
    assert await page.evaluate("JSON.parse(localStorage.getItem('progress-push'))") == {}


async def test_a_refusal_is_shown(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    await worker.create(sid, total_steps=1)
    denied = "Notification.requestPermission = async () => 'denied';"
    page = (await open_page(page_of(server, sid), scripts=(vendor(), denied))).page
    await page.locator("#notify").click()
    await expect(page.locator("#notify")).to_have_text("Notifications are blocked in this browser")
    await expect(page.locator("#notify")).to_be_disabled()


class ServiceWorker:
    """The page's service worker, to which the debugger delivers messages."""

    def __init__(self, page: Page, session: CDPSession, registration_id: str) -> None:
        self._page = page
        self._session = session
        self._registration_id = registration_id

    async def push(self, **message: Any) -> None:
        origin = await self._page.evaluate("location.origin")
        data = json.dumps({"language": "en", **message})
        await self._session.send(
            "ServiceWorker.deliverPushMessage",
            {"origin": origin, "registrationId": self._registration_id, "data": data},
        )

    async def shows(self, title: str) -> None:
        """Wait until that is the one notification that it shows."""
        await self._page.wait_for_function(
            """async (title) => {
              const shown = await (await navigator.serviceWorker.ready).getNotifications();
              return shown.length === 1 && shown[0].title === title;
            }""",
            arg=title,
            timeout=DEADLINE_MS,
        )

    async def notifications(self) -> list[dict[str, Any]]:
        """What it shows."""
        shown: list[dict[str, Any]] = await self._page.evaluate(
            """async () => (await (await navigator.serviceWorker.ready).getNotifications())
              .map(({ title, tag, data, lang }) => ({ title, tag, data, lang }))"""
        )
        return shown


@pytest.fixture
async def service_worker(page: Page) -> ServiceWorker:
    session = await page.context.new_cdp_session(page)
    registered: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def note(event: dict[str, Any]) -> None:
        for each in event["registrations"]:
            if not registered.done() and not each["isDeleted"]:
                registered.set_result(each["registrationId"])

    session.on("ServiceWorker.workerRegistrationUpdated", note)
    await session.send("ServiceWorker.enable")
    await page.locator("#notify").click()
    await expect(page.locator("#notify")).to_have_attribute("aria-pressed", "true", timeout=DEADLINE_MS)
    return ServiceWorker(page, session, await registered)


async def test_a_message_becomes_a_notification(
    page: Page, service_worker: ServiceWorker, server: Server, sid: str
) -> None:
    """With the title that the reader may see; a later one of the session takes its place."""
    await service_worker.push(event="stalled", session_id=sid)

    await service_worker.shows("Nightly import gives no sign of life")
    await service_worker.push(event="completed", session_id=sid, language="ja-JP")
    await service_worker.shows("Nightly import が終わりました")
    (shown,) = await service_worker.notifications()
    assert shown == {"title": shown["title"], "tag": sid, "data": page_of(server, sid), "lang": "ja-JP"}


async def test_what_a_reader_may_not_see(page: Page, service_worker: ServiceWorker) -> None:
    """Still one notification, without a name."""
    await service_worker.push(event="failed", session_id="missing")
    await service_worker.shows("A job has ended")


@pytest.mark.usefixtures("service_worker")
async def test_the_worker_sees_no_requests_of_the_page(page: Page, server: Server) -> None:
    """It has no handler for them, and no scope but the mount."""
    (worker,) = page.context.service_workers
    assert await worker.evaluate("self.registration.scope") == f"{server.url}/"
    source = await (await page.request.get(worker.url)).text()
    assert "push" in source
    assert "fetch" not in re.findall(r"(?:addEventListener\(\W*|\bon)(\w+)", source)
