"""Push: the button of the page, and its service worker in Chromium, to which the debugger delivers messages."""

import asyncio
import json
import re
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import CDPSession, Locator, Page, Route, expect

from progress_sse.notices.web_push import PushKey, base64url
from tests.browser.conftest import OpenPage
from tests.browser.page_driver import TIMEOUT_S, PageDriver
from tests.browser.session_page import page_of
from tests.browser.test_element import PAGE as EMBEDDING
from tests.browser.test_element import steps_for
from tests.harness.serving import Server, Worker
from tests.notices.test_push import ENDPOINT
from tests.notices.test_web_push import Browser

OFFER = "Tell me when it is done"
ON = "You will be notified"
BLOCKED = "Notifications are blocked in this browser"
FAILED = "That did not work. Try again"

BROWSER = Browser.new()

VENDOR = """
  // Stands in for the vendor, which the machine of the tests does not reach; its subscription outlives a page.
  const bytesOf = (key) => Uint8Array.from(atob(key.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  const subscriptionOf = ({ endpoint, key }) => ({
    endpoint,
    options: { applicationServerKey: bytesOf(key).buffer },
    toJSON: () => ({ endpoint, expirationTime: null, keys: KEYS }),
    unsubscribe: async () => { localStorage.removeItem("vendor"); return true; },
  });
  PushManager.prototype.getSubscription = async () =>
    localStorage.vendor ? subscriptionOf(JSON.parse(localStorage.vendor)) : null;
  PushManager.prototype.subscribe = async ({ applicationServerKey: key }) => {
    localStorage.vendor = JSON.stringify({ endpoint: ENDPOINT, key });
    return subscriptionOf({ endpoint: ENDPOINT, key });
  };
"""

ASKED = """
  window.asked = 0;
  window.answer = "granted";
  window.permission = "PERMISSION";
  Object.defineProperty(Notification, "permission", { get: () => permission });
  Notification.requestPermission = async () => { asked += 1; return permission = answer; };
"""
"""Runs before the page's scripts: the visitor's answer to the browser's question."""


def vendor() -> str:
    keys = {"p256dh": BROWSER.p256dh, "auth": base64url(BROWSER.auth)}
    return VENDOR.replace("KEYS", json.dumps(keys)).replace("ENDPOINT", json.dumps(ENDPOINT))


def asked(permission: str = "default") -> str:
    return ASKED.replace("PERMISSION", permission)


def push_settings() -> dict[str, Any]:
    key = Path(tempfile.mkdtemp()) / "key.pem"
    key.write_bytes(PushKey.generate())
    return {"push": True, "push_contact": "mailto:ops@example.org", "push_key_file": key}


@pytest.fixture(scope="module")
def server_settings() -> dict[str, Any]:
    return push_settings()


@pytest.fixture
async def shown(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> PageDriver:
    """The page of a session with a title, in a browser that allows notifications."""
    await worker.create(sid, total_steps=1, title="Nightly import")
    await worker.start(sid, 1)
    return await open_page(page_of(server, sid), scripts=(vendor(),), permissions=["notifications"])


def button_of(shown: PageDriver) -> Locator:
    return shown.page.locator("#notify")


async def expect_button(shown: PageDriver, text: str, *, on: bool = False) -> None:
    await expect(button_of(shown)).to_have_text(text)
    await expect(button_of(shown)).to_be_visible()
    await expect(button_of(shown)).to_have_attribute("aria-pressed", str(on).lower())


async def turn_on(shown: PageDriver) -> None:
    await button_of(shown).click()
    await expect_button(shown, ON, on=True)


async def kept_of(shown: PageDriver) -> dict[str, dict[str, str]]:
    """What the page keeps of its subscriptions, by session."""
    kept: str = await shown.evaluate("localStorage[`progress-push ${document.baseURI}`] ?? '{}'")
    parsed: dict[str, dict[str, str]] = json.loads(kept)
    return parsed


def sent(shown: PageDriver) -> list[str]:
    """The requests about subscriptions that a page has sent, each from the id of its session on."""
    return re.findall(r"/api/progress/(\S+?/push\S*)", "\n".join(shown.requests))


async def test_the_button_turns_push_on_and_off(shown: PageDriver) -> None:
    """Again and again, and on and off look different. It shows the state that the server has after a reload too."""
    await expect_button(shown, OFFER)
    colour = "getComputedStyle(document.getElementById('notify')).color"
    off = await shown.evaluate(colour)
    await turn_on(shown)
    await shown.page.mouse.move(0, 0)
    assert await shown.evaluate(colour) != off
    await button_of(shown).click()
    await expect_button(shown, OFFER)
    assert await kept_of(shown) == {}
    await turn_on(shown)
    await shown.page.reload()
    await expect_button(shown, ON, on=True)
    await button_of(shown).click()
    await expect_button(shown, OFFER)
    await shown.page.reload()
    await expect_button(shown, OFFER)
    assert shown.errors == []


async def test_a_page_in_japanese(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    await worker.create(sid, total_steps=1)
    shown = await open_page(page_of(server, sid), scripts=(vendor(),), permissions=["notifications"], locale="ja-JP")
    await expect_button(shown, "終わったら知らせる")


@pytest.mark.parametrize("permission", ["default", "granted"])
async def test_the_visitor_is_asked_only_after_a_click(
    server: Server, worker: Worker, open_page: OpenPage, sid: str, permission: str
) -> None:
    await worker.create(sid, total_steps=1)
    shown = await open_page(page_of(server, sid), scripts=(vendor(), asked(permission)))
    await expect_button(shown, OFFER)
    await shown.page.reload()
    await expect_button(shown, OFFER)
    assert await shown.evaluate("asked") == 0
    await turn_on(shown)
    assert await shown.evaluate("asked") == 1


async def test_a_refusal_is_shown(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """A question that was closed is none, and may be asked again."""
    await worker.create(sid, total_steps=1)
    shown = await open_page(page_of(server, sid), scripts=(vendor(), asked()))
    await shown.evaluate("window.answer = 'default'")
    await button_of(shown).click()
    await expect(shown.page.locator("#milestone")).to_have_text(OFFER)
    await expect_button(shown, OFFER)
    await shown.evaluate("window.answer = 'denied'")
    await button_of(shown).click()
    await expect_button(shown, BLOCKED)
    await expect(button_of(shown)).to_be_disabled()


async def test_a_permission_that_was_taken_back(shown: PageDriver, server: Server, open_page: OpenPage) -> None:
    """The server may not know it yet, and is not asked."""
    await turn_on(shown)
    beside = await open_page(shown.page.url, beside=shown, scripts=(asked("denied"),))
    await expect_button(beside, BLOCKED)
    assert sent(beside) == []


async def test_a_failure_may_be_tried_again(shown: PageDriver, sid: str) -> None:
    """Nothing is kept of what failed, and nothing forgotten that the server still has."""
    refuse = True

    async def answer(route: Route) -> None:
        await (route.fulfill(status=503) if refuse else route.continue_())

    await shown.page.route("**/push", answer)
    await button_of(shown).click()
    await expect_button(shown, FAILED)
    assert await kept_of(shown) == {}
    refuse = False
    await turn_on(shown)
    await shown.page.route("**/push/*", answer)
    refuse = True
    await button_of(shown).click()
    await expect_button(shown, FAILED, on=True)
    assert list(await kept_of(shown)) == [sid]
    refuse = False
    await button_of(shown).click()
    await expect_button(shown, OFFER)
    assert await kept_of(shown) == {}


async def test_storage_that_is_full(shown: PageDriver) -> None:
    await shown.evaluate(
        """() => {
          const { setItem } = Storage.prototype;
          Storage.prototype.setItem = function (key, value) {
            if (key.startsWith("progress-push")) throw new DOMException("full", "QuotaExceededError");
            setItem.call(this, key, value);
          };
        }"""
    )
    await turn_on(shown)
    assert shown.errors == []


async def test_a_replacement_begins_without_subscriptions(shown: PageDriver, worker: Worker, sid: str) -> None:
    """While its page is open too."""
    await turn_on(shown)
    await worker.create(sid, total_steps=2, replace=True)
    await expect_button(shown, OFFER)


async def test_a_browser_without_its_subscription(shown: PageDriver) -> None:
    """As after the data of sites was cleared in part; the server does not know that yet."""
    await turn_on(shown)
    await shown.evaluate("localStorage.removeItem('vendor')")
    await shown.page.reload()
    await expect_button(shown, OFFER)


async def test_another_endpoint_is_subscribed_again(shown: PageDriver, sid: str) -> None:
    await turn_on(shown)
    before = (await kept_of(shown))[sid]
    assert before["endpoint"] == ENDPOINT
    await shown.evaluate(
        "endpoint => { localStorage.vendor = JSON.stringify({ ...JSON.parse(localStorage.vendor), endpoint }); }",
        f"{ENDPOINT}2",
    )
    await shown.page.reload()
    await expect_button(shown, ON, on=True)
    after = (await kept_of(shown))[sid]
    assert after["endpoint"] == f"{ENDPOINT}2"
    assert after["id"] != before["id"]


async def test_another_key_is_subscribed_to(shown: PageDriver, sid: str) -> None:
    """Without a click, where the visitor was notified before."""
    await turn_on(shown)
    key = base64url(bytes([4, *range(64)]))
    await shown.page.route("**/api/push", lambda route: route.fulfill(json={"key": key}))
    await shown.page.reload()
    await expect_button(shown, ON, on=True)
    assert (await kept_of(shown))[sid]["key"] == key
    assert json.loads(await shown.evaluate("localStorage.vendor"))["key"] == key


async def test_a_page_of_several_sessions(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """Those that have ended, or are not there, are left out; also where the page does not know that yet."""
    names = [f"{sid}-{part}" for part in ("ended", "runs", "missing", "ending")]
    for name in (names[0], names[1], names[3]):
        await worker.create(name, total_steps=1)
    await worker.run(names[0], 1)
    url = f"{server.url}/?{'&'.join(f'session_id={name}' for name in names)}"
    shown = await open_page(url, scripts=(vendor(),), permissions=["notifications"])
    await expect(shown.part("connection")).to_have_text(["finished", "live", "live", "live"])
    problem = {"type": "/problems/request-out-of-time", "title": "x", "status": 409}
    await shown.page.route(f"**/{names[3]}/push", lambda route: route.fulfill(status=409, json=problem))
    await turn_on(shown)
    assert list(await kept_of(shown)) == [names[1]]
    assert {path.partition("/")[0] for path in sent(shown)} == {names[1], names[3]}


async def test_too_many_subscriptions(shown: PageDriver) -> None:
    """They are no end of a session: the visitor would wait in vain."""
    problem = {"type": "/problems/too-many-subscriptions", "title": "x", "status": 409}
    await shown.page.route("**/push", lambda route: route.fulfill(status=409, json=problem))
    await button_of(shown).click()
    await expect_button(shown, FAILED)


async def test_servers_of_one_origin_keep_their_own(shown: PageDriver, server: Server) -> None:
    await turn_on(shown)
    assert await shown.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('progress-push'))") == [
        f"progress-push {server.url}/"
    ]


FRAME = "<!doctype html><title>embedding</title><iframe src='/s/{sid}'></iframe>"


async def test_no_button_where_the_browser_cannot(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """Nor in a frame, nor where the script does not come."""
    await worker.create(sid, total_steps=1)
    framed = await open_page(f"{server.url}/embedding", html=FRAME.format(sid=sid))
    frame = framed.page.frame_locator("iframe")
    without = await open_page(page_of(server, sid), scripts=("delete window.PushManager;",))
    for button, manifest in (
        (frame.locator("#notify"), frame.locator("link[rel=manifest]")),
        (button_of(without), without.page.locator("link[rel=manifest]")),
    ):
        await expect(manifest).to_have_count(1)  # The script is there.
        await expect(button).to_be_hidden()
    failing = await open_page("about:blank")
    await failing.page.route("**/later-*.js", lambda route: route.abort())
    async with failing.page.expect_event("requestfailed"):
        await failing.page.goto(page_of(server, sid))
    await expect(failing.connection).to_have_text("live")
    await failing.next_frames()
    await expect(button_of(failing)).to_be_hidden()
    assert [error for error in failing.errors if "ERR_FAILED" not in error] == []


async def test_no_button_for_a_session_that_is_not_there(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """It comes with the session, and goes with its end."""
    shown = await open_page(page_of(server, sid), scripts=(vendor(),), permissions=["notifications"])
    await expect(shown.page.locator("link[rel=manifest]")).to_have_count(1)
    await expect(shown.page.locator("#unknown")).to_be_visible()
    await expect(button_of(shown)).to_be_hidden()
    await worker.create(sid, total_steps=1)
    await expect_button(shown, OFFER)
    await worker.run(sid, 1)
    await expect(button_of(shown)).to_be_hidden()


async def test_an_element_has_no_button(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """It is in a page of another site, which asks its visitors itself."""
    await worker.create(sid, total_steps=1)
    html = EMBEDDING.format(lang="en", content=steps_for(sid))
    shown = await open_page(f"{server.url}/embedding", html=html, scripts=(vendor(),), permissions=["notifications"])
    await expect(shown.progressbar).to_be_visible()
    await expect(shown.part("headline")).to_have_text("About to start")
    await expect(shown.page.get_by_role("button", name=OFFER)).to_have_count(0)
    assert [path for path in shown.requests if "push" in path] == []


TAB_OF_APPLE = """
  delete window.PushManager;
  delete window.Notification;
  Object.defineProperty(navigator, "standalone", { value: false });
"""
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Mobile Safari/604.1"
IPAD = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/17.5 Safari/605.1.15"


@pytest.mark.parametrize("agent", [IPHONE, IPAD], ids=["iphone", "ipad"])
async def test_a_tab_of_apples_phone_says_how(
    server: Server, worker: Worker, open_page: OpenPage, sid: str, agent: str
) -> None:
    """By the page on the home screen, which the manifest lets it keep."""
    await worker.create(sid, total_steps=1)
    shown = await open_page(page_of(server, sid), scripts=(TAB_OF_APPLE,), user_agent=agent)
    await expect_button(shown, "To be notified, add this page to your home screen")
    await expect(button_of(shown)).to_be_disabled()
    await expect(shown.page.locator("link[rel=manifest]")).to_have_count(1)
    assert shown.errors == []


RECORDED = """() => {
  // Asked while it shows one, Chromium may forget it.
  self.shown = [];
  const { showNotification } = ServiceWorkerRegistration.prototype;
  ServiceWorkerRegistration.prototype.showNotification = async function (title, options) {
    await showNotification.call(this, title, options);
    shown.push(title);
  };
}"""


class ServiceWorker:
    """The page's service worker, to which the debugger delivers messages."""

    def __init__(self, shown: PageDriver, session: CDPSession, registration_id: str) -> None:
        self._shown = shown
        self._session = session
        self._registration_id = registration_id

    async def evaluate(self, expression: str, argument: Any = None) -> Any:
        (worker,) = self._shown.page.context.service_workers
        return await worker.evaluate(expression, argument)

    async def push(self, **message: Any) -> None:
        await self.deliver(json.dumps({"language": "en", **message}))

    async def deliver(self, data: str) -> None:
        origin = await self._shown.evaluate("location.origin")
        await self._session.send(
            "ServiceWorker.deliverPushMessage",
            {"origin": origin, "registrationId": self._registration_id, "data": data},
        )

    async def shows(self, title: str) -> None:
        """Wait until it has shown that."""
        async with asyncio.timeout(TIMEOUT_S):
            await self.evaluate(
                """async (title) => {
                  while (shown.at(-1) !== title) await new Promise((next) => setTimeout(next, 20));
                }""",
                title,
            )

    async def notifications(self) -> list[dict[str, Any]]:
        """What it shows."""
        shown: list[dict[str, Any]] = await self.evaluate(
            "async () => (await registration.getNotifications()).map(({ title, tag, lang }) => ({ title, tag, lang }))"
        )
        return shown

    async def click(self, *tabs: str) -> list[str]:
        """Click its notification while these tabs are open; return what it then does."""
        done: list[str] = await self.evaluate(
            """async (tabs) => {
              const done = [];
              const focus = (url) => async () => void done.push(`focus ${url}`);
              Notification.prototype.close = () => void done.push("close");
              Clients.prototype.matchAll = async () => tabs.map((url) => ({ url, focus: focus(url) }));
              Clients.prototype.openWindow = async (url) => void done.push(`open ${url}`);
              const [notification] = await registration.getNotifications();
              dispatchEvent(new NotificationEvent("notificationclick", { notification }));
              while (done.length < 2) await new Promise((next) => setTimeout(next, 10));
              return done;
            }""",
            list(tabs),
        )
        return done


async def service_worker_of(shown: PageDriver) -> ServiceWorker:
    """Turn push on, and return its service worker."""
    session = await shown.page.context.new_cdp_session(shown.page)
    registered: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def note(event: dict[str, Any]) -> None:
        for each in event["registrations"]:
            if not registered.done() and not each["isDeleted"]:
                registered.set_result(each["registrationId"])

    session.on("ServiceWorker.workerRegistrationUpdated", note)
    await session.send("ServiceWorker.enable")
    await turn_on(shown)
    service_worker = ServiceWorker(shown, session, await registered)
    await service_worker.evaluate(RECORDED)
    return service_worker


@pytest.fixture
async def service_worker(shown: PageDriver) -> ServiceWorker:
    return await service_worker_of(shown)


async def test_a_message_becomes_a_notification(service_worker: ServiceWorker, sid: str) -> None:
    """With the title that the reader may see; a later one of the session takes its place."""
    await service_worker.push(event="stalled", session_id=sid)
    await service_worker.shows("Nightly import gives no sign of life")
    await service_worker.push(event="completed", session_id=sid, language="ja-JP")
    title = "Nightly import が終わりました"
    await service_worker.shows(title)
    assert await service_worker.notifications() == [{"title": title, "tag": sid, "lang": "ja-JP"}]


async def test_what_a_reader_may_not_see(service_worker: ServiceWorker) -> None:
    """Still one notification, without a name."""
    await service_worker.push(event="failed", session_id="missing")
    await service_worker.shows("A job has ended")


@pytest.mark.parametrize(
    "data",
    ["", "no JSON", "null", "[]", '"text"', "{}", '{"event": "completed"}'],
    ids=["nothing", "no-json", "null", "list", "text", "empty", "no-session"],
)
async def test_each_message_becomes_a_notification(service_worker: ServiceWorker, data: str) -> None:
    """Browsers take the permission away from a page that shows none."""
    await service_worker.deliver(data)
    await service_worker.shows("A job has ended")


async def test_a_message_without_a_language(service_worker: ServiceWorker, sid: str) -> None:
    await service_worker.deliver(json.dumps({"event": "failed", "session_id": sid}))
    await service_worker.shows("Nightly import has failed")


async def test_a_server_that_hangs(service_worker: ServiceWorker, sid: str) -> None:
    """The title is waited for only so long."""
    await service_worker.evaluate(
        """() => {
          self.fetch = (url, { signal }) =>
            new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
        }"""
    )
    began_s = time.monotonic()
    await service_worker.push(event="completed", session_id=sid)
    await service_worker.shows("A job has ended")
    assert 2 < time.monotonic() - began_s < 5


async def test_a_click_brings_the_tab_forward(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """However its address is written, also that of several sessions; without such a tab it opens the page."""
    name = f"{sid}:é"
    await worker.create(name, total_steps=1)
    shown = await open_page(page_of(server, name), scripts=(vendor(),), permissions=["notifications"])
    service_worker = await service_worker_of(shown)
    others = [
        f"{server.url}/",
        f"{server.url}/s/{sid}",
        f"{server.url}/s/%FF",
        f"{server.url}/other?session_id={sid}:%C3%A9",
        f"http://other.example/s/{sid}:%C3%A9",
    ]
    await service_worker.push(event="stalled", session_id=name)
    await service_worker.shows(f"{name} gives no sign of life")
    for tab in (
        f"{server.url}/s/{sid}:%C3%A9",
        f"{server.url}/s/{sid}%3A%C3%A9#now",
        f"{server.url}/?session_id=a&session_id={sid}%3A%C3%A9",
    ):
        assert await service_worker.click(*others, tab) == ["close", f"focus {tab}"]
    assert await service_worker.click(*others) == ["close", f"open {page_of(server, name)}"]


@pytest.mark.usefixtures("service_worker")
async def test_the_worker_sees_no_requests_of_the_page(shown: PageDriver, server: Server) -> None:
    """It has no handler for them, and no scope but the mount."""
    page: Page = shown.page
    (worker,) = page.context.service_workers
    assert await worker.evaluate("self.registration.scope") == f"{server.url}/"
    source = await (await page.request.get(worker.url)).text()
    assert "push" in source
    assert "fetch" not in re.findall(r"(?:addEventListener\(\W*|\bon)(\w+)", source)
