"""Push to browsers: whose endpoints are taken, what is sent to whom, and what vendors answer."""

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from progress_sse._internal.http_library import httpx
from progress_sse.core.commands import Subscribe, Unsubscribe
from progress_sse.core.errors import ConfigurationError, StoreUnavailableError
from progress_sse.core.subscriptions import Subscription
from progress_sse.core.updates import Beat, Start
from progress_sse.notices import push
from progress_sse.notices.delivery import NotAllowedError
from progress_sse.notices.notifier import Notifier
from progress_sse.notices.push import LIFETIME_S, Push, Vendors
from progress_sse.notices.web_push import PushKey, base64url
from progress_sse.settings import load_settings
from progress_sse.store.memory import MemoryBackend
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.types import StorageLimits
from tests.clock import ManualClock
from tests.core.samples import sent
from tests.notices.test_maker import let_leases_end
from tests.notices.test_sender import pass_time, settle
from tests.notices.test_web_push import Browser

ENDPOINT = "https://fcm.googleapis.com/fcm/send/secret"
LOCKED_KEY = (
    ec.generate_private_key(ec.SECP256R1())
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password"))
    .decode()
)


@pytest.mark.parametrize(
    ("endpoint", "queue"),
    [
        (ENDPOINT, "push:fcm.googleapis.com"),
        ("https://updates.push.services.mozilla.com/wpush/v2/x", "push:push.services.mozilla.com"),
        ("https://fcm.googleapis.com:443/x", "push:fcm.googleapis.com"),
        ("https://FCM.googleapis.com/x", "push:fcm.googleapis.com"),
        ("https://localhost:8443/x", "push:localhost:8443"),
        ("https://push.example/x", "push:push.example:443"),
        ("https://a.push.example/x", None),
        ("https://localhost/x", None),
        ("https://localhost:8444/x", None),
        ("https://fcm.googleapis.com:8443/x", None),
        ("https://evilfcm.googleapis.com.example/x", None),
        ("https://notfcm.googleapis.com/x", None),
        ("https://fcm.googleapis.com@example.org/x", None),
        ("https://user@fcm.googleapis.com/x", None),
        ("https://fcm.googleapis.com/x#y", None),
        ("http://fcm.googleapis.com/x", None),
        ("https://fcm.googleapis.com\\@example.org/x", None),
        ("https://169.254.169.254/x", None),
        ("https://fcm.googleapis.com/" + "x" * 2048, None),
        ("https://fcm.googleapis.com:99999/", None),
        ("https://wns2.push.example:443/w/?token=a%2fb", None),
        ("https://push.example/w/?token=a%2fb", "push:push.example:443"),
        ("https://.fcm.googleapis.com/x", None),
        ("https://a..fcm.googleapis.com/x", None),
        ("https://fcm.googleapis.com./x", None),
        (f"https://{'a' * 63}.fcm.googleapis.com/x", "push:fcm.googleapis.com"),
        (f"https://{'a' * 64}.fcm.googleapis.com/x", None),
        (f"https://{'a.' * 117}fcm.googleapis.com/x", "push:fcm.googleapis.com"),
        (f"https://{'a.' * 118}fcm.googleapis.com/x", None),
        ("https://-a.fcm.googleapis.com/x", None),
        ("https://a-.fcm.googleapis.com/x", None),
        ("https://a_b.fcm.googleapis.com/x", None),
        ("https://a%2e.fcm.googleapis.com/x", None),
        ("https://\u00e4.fcm.googleapis.com/x", None),
        ("https://fcm.googleapis.com\\x", None),
        ("https://fcm.googleapis.com/a\\b", None),
        ("https://fcm.googleapis.com/x#", None),
        ("https://@fcm.googleapis.com/x", None),
        ("https://:@fcm.googleapis.com/x", None),
        (" https://fcm.googleapis.com/x", None),
        ("https://fcm.googleapis.com/x\n", None),
        ("", None),
    ],
)
def test_endpoints(endpoint: str, queue: str | None) -> None:
    """They are those of a vendor by name, and not what only looks like one."""
    vendors = Vendors(("fcm.googleapis.com", "push.services.mozilla.com", "localhost:8443", "push.example:443"))
    assert vendors.queue_of(endpoint) == queue


@pytest.mark.parametrize(
    "host",
    ["fcm.googleapis.com", "updates.push.services.mozilla.com", "web.push.apple.com", "wns2-par02p.notify.windows.com"],
)
def test_the_vendors_of_today(host: str) -> None:
    """Chrome's, Firefox's, Safari's and Edge's are known without a setting."""
    assert Vendors(load_settings().push_hosts).queue_of(f"https://{host}/x") is not None
    assert Vendors(load_settings().push_hosts).queue_of(f"https://{host}.example/x") is None


class Vendor:
    """A vendor that answers with `status`, or fails by `error`, and a browser that reads what comes."""

    def __init__(self) -> None:
        self.browser = Browser.new()
        self.status = 201
        self.reason = ""
        self.error: Exception | int = 503
        self.answers = asyncio.Event()
        self.answers.set()
        self.headers: dict[str, str] = {}
        self.requests: list[httpx.Request] = []

    def subscription(self, **values: Any) -> Subscription:
        return Subscription("phone", ENDPOINT, self.browser.p256dh, base64url(self.browser.auth), "ja")._replace(
            **values
        )

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        await self.answers.wait()
        if request.url.path.startswith("/nowhere"):
            if isinstance(self.error, Exception):
                raise self.error
            return httpx.Response(self.error, headers={"Retry-After": "3600"})
        return httpx.Response(self.status, headers=self.headers, content=self.reason.encode())

    @property
    def messages(self) -> list[Any]:
        return [json.loads(self.browser.decrypt(request.content)) for request in self.requests]


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Vendor:
    vendor = Vendor()

    def transport_of(_verify: ssl.SSLContext) -> httpx.AsyncBaseTransport:
        return httpx.MockTransport(vendor.answer)

    monkeypatch.setattr(push, "transport_of", transport_of)
    return vendor


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> ManualClock:
    clock = ManualClock()
    monkeypatch.setattr("progress_sse.notices.push.time.time", lambda: clock.now().timestamp())
    return clock


@pytest.fixture
def notifiers() -> list[Notifier]:
    """Return the one of `store`, once that is there."""
    return []


@pytest.fixture
async def store(clock: ManualClock, vendor: Vendor, notifiers: list[Notifier]) -> AsyncIterator[ProgressStore]:
    """A store whose sessions push, with one session of two steps, which the vendor's browser is subscribed to."""
    store = ProgressStore(
        MemoryBackend(StorageLimits()), clock=clock, on_commit=lambda change: notifiers[0].on_commit(change)
    )
    settings = load_settings(store="sqlite:///x", push=True, push_contact="mailto:ops@example.org")
    offered = Push(store, clock, settings)
    notifiers.append(Notifier(store, clock, settings, offered))
    await store.open()
    await notifiers[0].start()
    await settle()
    await store.create_session("s", total_steps=2, title="a secret title")
    await store.apply("s", Subscribe(vendor.subscription()))
    yield store
    await notifiers[0].aclose()
    await store.aclose()


async def test_the_end_is_pushed(store: ProgressStore, vendor: Vendor) -> None:
    """Encrypted to the browser, under a topic of the session, for a day; no text of the job is in it."""
    await store.start_step("s", 1)
    await store.complete_step("s", 1, success=False, error="a secret error")
    await settle()
    (request,) = vendor.requests
    assert str(request.url) == ENDPOINT
    assert (request.headers["content-encoding"], request.headers["urgency"]) == ("aes128gcm", "high")
    assert LIFETIME_S - 5 <= int(request.headers["ttl"]) <= LIFETIME_S
    topic = request.headers["topic"]
    key = await store.backend.outbox.keep(push.KEY_NAME, b"")
    assert (len(topic), topic) == (32, PushKey(key).topic("s"))
    assert request.headers["authorization"].startswith("vapid t=")
    assert vendor.messages == [
        {"event": "failed", "session_id": "s", "percentage": 50, "total_steps": 2, "language": "ja"}
    ]


async def test_what_is_pushed(store: ProgressStore, vendor: Vendor, clock: ManualClock) -> None:
    """Ends, and that a worker is silent; neither a start nor that the worker is back."""
    await store.apply("s", sent(Start(1), attempt_id="a", lease_ms=1000))
    await let_leases_end(store, clock)
    await settle()
    await store.apply("s", sent(Beat(1), attempt_id="a"))
    await settle()
    await store.finish_session("s", success=False, conclusion="cancelled")
    await settle()
    assert [message["event"] for message in vendor.messages] == ["stalled", "cancelled"]


@pytest.mark.parametrize("change", ["unsubscribed", "replaced before", "expired"])
async def test_who_is_not_subscribed_gets_none(
    store: ProgressStore, vendor: Vendor, clock: ManualClock, change: str
) -> None:
    match change:
        case "unsubscribed":
            await store.apply("s", Unsubscribe("phone"))
        case "replaced before":
            await store.create_session("s", total_steps=1)
        case _:
            await store.apply("s", Subscribe(vendor.subscription(expires_at=clock.now().timestamp() + 60)))
            clock.advance(61)
    await store.finish_session("s")
    await settle()
    assert vendor.requests == []


@pytest.mark.parametrize("change", ["unsubscribed", "deleted", "replaced"])
async def test_what_waits_is_sent_though_the_session_goes(
    store: ProgressStore, vendor: Vendor, clock: ManualClock, change: str
) -> None:
    """But not to a browser that has unsubscribed since."""
    vendor.status = 500
    await store.apply("s", Subscribe(vendor.subscription(id="other", by_link=True)))
    await store.finish_session("s", success=False)
    await settle()
    assert len(vendor.requests) == 2
    match change:
        case "unsubscribed":
            await store.apply("s", Unsubscribe("phone"))
        case "expired":
            await store.apply("s", Subscribe(vendor.subscription(expires_at=clock.now().timestamp() + 1)))
        case "deleted":
            await store.delete_session("s")
        case _:
            await store.create_session("s", total_steps=1)
    vendor.status = 201
    await pass_time(clock, 7)
    links = [message.get("link") for message in vendor.messages[2:]]
    assert sorted(links, key=str) == ([True] if change in {"unsubscribed", "expired"} else [None, True])
    assert await store.backend.outbox.counts("push:fcm.googleapis.com") == (0, 0)


async def test_a_later_event_takes_the_place_of_one_that_waits(
    store: ProgressStore, vendor: Vendor, clock: ManualClock
) -> None:
    vendor.status = 500
    await store.finish_session("s", success=False)
    await settle()
    await store.start_step("s", 1)
    await store.finish_session("s")
    vendor.status = 201
    await pass_time(clock, 10)
    assert [message["event"] for message in vendor.messages] == ["failed", "completed"]


@pytest.mark.guarantee(91)
@pytest.mark.parametrize("status", [404, 410])
async def test_a_browser_that_is_gone_is_forgotten(store: ProgressStore, vendor: Vendor, status: int) -> None:
    vendor.status = status
    await store.finish_session("s", success=False)
    await settle()
    record = await store.load("s")
    assert record is not None
    assert record.session.details.subscriptions == ()
    assert await store.backend.outbox.counts("push:fcm.googleapis.com") == (0, 0)
    vendor.status = 201
    await store.create_session("t", total_steps=1)
    await store.apply("t", Subscribe(vendor.subscription()))
    await store.finish_session("t")
    await settle()
    assert vendor.messages[-1]["session_id"] == "t"
    assert await store.backend.outbox.turned_off() == frozenset()


@pytest.mark.guarantee(91)
@pytest.mark.parametrize("status", [400, 401, 403, 413])
async def test_a_refusal_is_final(
    store: ProgressStore, vendor: Vendor, clock: ManualClock, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, without the endpoint, and removes nothing."""
    vendor.status, vendor.reason = status, f"Not\x1b any more{'.' * 5000}"
    await store.finish_session("s", success=False)
    await pass_time(clock, 10)
    assert len(vendor.requests) == 1
    assert await store.backend.outbox.counts("push:fcm.googleapis.com") == (0, 1)
    record = await store.load("s")
    assert record is not None
    assert len(record.session.details.subscriptions) == 1
    assert f"refuses messages ({status}): 'Not\\x1b any more..." in caplog.text
    assert len(caplog.text) < 1000


@pytest.mark.parametrize(
    "echo", [ENDPOINT, "\\/fcm\\/send", "for secret", "%73ecret", "vapid {authorization}", "{auth}"]
)
async def test_a_reason_that_repeats_the_request_is_not_logged(
    store: ProgressStore, vendor: Vendor, caplog: pytest.LogCaptureFixture, echo: str
) -> None:
    authorization = PushKey(await store.backend.outbox.keep(push.KEY_NAME, b"")).public
    vendor.status = 403
    vendor.reason = echo.format(authorization=authorization, auth=base64url(vendor.browser.auth))
    await store.finish_session("s", success=False)
    await settle()
    assert "refuses messages (403): '\\u2026'" in caplog.text


@pytest.mark.parametrize(("every_s", "lines"), [(push.LOG_EVERY_S, 1), (0.0, 3)], ids=["hour", "after it"])
async def test_refusals_are_logged_once_an_hour(
    store: ProgressStore,
    vendor: Vendor,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    every_s: float,
    lines: int,
) -> None:
    """Shortened here, in one case."""
    assert push.LOG_EVERY_S == 3600
    monkeypatch.setattr(push, "LOG_EVERY_S", every_s)
    vendor.status = 403
    for number in range(3):
        await store.create_session(f"{number}", total_steps=1)
        await store.apply(f"{number}", Subscribe(vendor.subscription()))
        await store.finish_session(f"{number}")
        await settle()
    assert (len(vendor.requests), caplog.text.count("refuses messages (403)")) == (3, lines)


@pytest.mark.guarantee(92)
async def test_a_message_is_of_use_for_a_day(store: ProgressStore, vendor: Vendor, clock: ManualClock) -> None:
    vendor.status = 500
    await store.finish_session("s", success=False)
    await pass_time(clock, LIFETIME_S + 40_000, step_s=600)
    assert len(vendor.requests) == 7
    assert await store.backend.outbox.counts("push:fcm.googleapis.com") == (0, 1)
    assert int(vendor.requests[-1].headers["ttl"]) < LIFETIME_S / 2


async def test_a_clock_that_is_set_back_lengthens_no_message(
    store: ProgressStore, vendor: Vendor, clock: ManualClock
) -> None:
    """The vendor keeps none for more than a day."""
    vendor.status = 500
    await store.finish_session("s", success=False)
    await settle()
    clock.jump(-3 * LIFETIME_S)
    await pass_time(clock, 60)
    assert len(vendor.requests) == 2
    assert int(vendor.requests[-1].headers["ttl"]) <= LIFETIME_S


@pytest.mark.parametrize(("headers", "pause_s"), [({"Retry-After": "60"}, 60), ({}, 30)])
async def test_a_vendor_may_ask_to_wait(
    store: ProgressStore, vendor: Vendor, clock: ManualClock, headers: dict[str, str], pause_s: int
) -> None:
    """All its messages wait, where an endpoint that was good before gets that answer."""
    await notify(store, vendor, "good", ENDPOINT)
    vendor.status, vendor.headers = 429, headers
    await store.start_step("s", 1)
    await store.finish_session("s", success=False)
    await settle()
    vendor.status = 201
    await notify(store, vendor, "t", ENDPOINT)
    await pass_time(clock, pause_s - 2)
    assert len(vendor.requests) == 2
    await pass_time(clock, 4)
    assert len(vendor.requests) == 4


async def test_a_reload_of_the_hooks_leaves_push_as_it_is(
    store: ProgressStore, notifiers: list[Notifier], vendor: Vendor, clock: ManualClock
) -> None:
    """A vendor that asked to wait still gets nothing, and a message under way goes on."""
    await notify(store, vendor, "good", ENDPOINT)
    vendor.status, vendor.headers = 429, {"Retry-After": "60"}
    await store.start_step("s", 1)
    await store.finish_session("s", success=False)
    await settle()
    vendor.status = 201
    await notifiers[0].load(())
    await notify(store, vendor, "t", ENDPOINT)
    await pass_time(clock, 58)
    assert len(vendor.requests) == 2
    vendor.answers.clear()
    await pass_time(clock, 4)
    assert len(vendor.requests) == 4
    await asyncio.wait_for(notifiers[0].load(()), 10)
    vendor.answers.set()
    await pass_time(clock, 2)
    assert len(vendor.requests) == 4
    assert await store.backend.outbox.counts("push:fcm.googleapis.com") == (0, 0)
    assert sorted(task.get_name() for task in notifiers[0].tasks if not task.done()) == sorted(
        ["outbox", *(f"push:{host}" for host in load_settings().push_hosts)]
    )


async def test_thirty_two_at_a_time(store: ProgressStore, vendor: Vendor) -> None:
    """Of one vendor; another one does not wait for it."""
    vendor.answers.clear()
    elsewhere = "https://updates.push.services.mozilla.com/wpush/v2/x"
    for number in range(40):
        session_id = f"t{number}"
        await store.create_session(session_id, total_steps=1)
        await store.apply(session_id, Subscribe(vendor.subscription()))
        await store.finish_session(session_id)
    await settle()
    assert len(vendor.requests) == 32
    await store.apply("s", Subscribe(vendor.subscription(endpoint=elsewhere)))
    await store.finish_session("s")
    await settle()
    assert [str(each.url) for each in vendor.requests[32:]] == [elsewhere]
    vendor.answers.set()
    await settle()
    assert len(vendor.requests) == 41


@pytest.mark.guarantee(95)
@pytest.mark.parametrize(
    "error",
    [
        NotAllowedError("no address"),
        socket.gaierror("no name"),
        UnicodeError("label empty or too long"),
        httpx.ConnectError("certificate verify failed"),
        httpx.InvalidURL("no URL"),
        TimeoutError(),
        429,
        503,
    ],
    ids=["inside", "no name", "no host name", "certificate", "no URL", "time-out", "429", "503"],
)
async def test_endpoints_that_are_made_up_stop_no_others(
    store: ProgressStore, vendor: Vendor, error: Exception | int
) -> None:
    vendor.error = error
    made_up = "https://nowhere.fcm.googleapis.com/nowhere"
    for number in range(9):
        await store.apply("s", Subscribe(vendor.subscription(id=f"{number}", caller=f"{number}", endpoint=made_up)))
    await store.finish_session("s")
    await settle()
    assert len(vendor.requests) == 10
    await store.create_session("t", total_steps=1)
    await store.apply("t", Subscribe(vendor.subscription()))
    await store.finish_session("t")
    await settle()
    assert vendor.messages[-1]["session_id"] == "t"


@pytest.mark.guarantee(95)
@pytest.mark.parametrize("endpoints", [1, 8], ids=["one again and again", "eight"])
async def test_a_vendor_is_down_by_what_several_good_endpoints_say(
    store: ProgressStore, vendor: Vendor, endpoints: int
) -> None:
    """Each counts once until it is good again; what endpoints say that never were good neither counts nor ends that."""
    for number in range(8):
        await notify(store, vendor, f"good {number}", f"{ENDPOINT}{number}")
    vendor.status = 500
    for number in range(8):
        await notify(store, vendor, f"bad {number}", f"{ENDPOINT}{number % endpoints}")
        await notify(store, vendor, f"new {number}", f"{ENDPOINT}/new{number}")
    vendor.requests.clear()
    await notify(store, vendor, "last", ENDPOINT)
    assert len(vendor.requests) == (endpoints == 1)


async def notify(store: ProgressStore, vendor: Vendor, session_id: str, endpoint: str) -> None:
    await store.create_session(session_id, total_steps=1)
    await store.apply(session_id, Subscribe(vendor.subscription(endpoint=endpoint)))
    await store.finish_session(session_id)
    await settle()


async def test_a_store_that_is_away_delays_a_message(
    store: ProgressStore, vendor: Vendor, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not known then whether the browser is still subscribed."""

    async def fail(_session_id: str) -> None:
        raise StoreUnavailableError

    with monkeypatch.context() as away:
        away.setattr(store, "load", fail)
        await store.finish_session("s")
        await settle()
    assert vendor.requests == []
    await pass_time(clock, 10)
    assert [message["event"] for message in vendor.messages] == ["completed"]


async def test_the_key_comes_once_the_store_gives_it(
    store: ProgressStore, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then there is none; the server starts all the same."""

    async def fail(_name: str, _value: bytes) -> bytes:
        raise StoreUnavailableError

    settings = load_settings(store="sqlite:///x", push=True, push_contact="mailto:ops@example.org")
    offered = Push(store, clock, settings)
    notifier = Notifier(store, clock, settings, offered)
    with monkeypatch.context() as away:
        away.setattr(store.backend.outbox, "keep", fail)
        await notifier.start()
        await settle()
        with pytest.raises(StoreUnavailableError):
            _ = offered.key
    await pass_time(clock, 10)
    assert len(offered.key.public) == 87
    await notifier.aclose()


@pytest.mark.parametrize("name", ["push_ca_file", "push_key_file"])
@pytest.mark.parametrize("text", ["", "nonsense", LOCKED_KEY], ids=["empty", "nonsense", "key with a password"])
async def test_a_file_of_another_kind_is_refused(
    store: ProgressStore, clock: ManualClock, tmp_path: Path, name: str, text: str
) -> None:
    path = tmp_path / "file.pem"
    path.write_text(text)
    settings = load_settings(store="sqlite:///x", push=True, push_contact="mailto:ops@example.org", **{name: path})
    with pytest.raises(ConfigurationError, match=name):
        Push(store, clock, settings)


async def test_a_key_of_the_operator(store: ProgressStore, clock: ManualClock, tmp_path: Path) -> None:
    """Takes the place of the one that the store would keep."""
    path, pem = tmp_path / "key.pem", PushKey.generate()
    path.write_bytes(pem)
    given = {"push": True, "push_contact": "mailto:ops@example.org", "push_key_file": path}
    offered = Push(store, clock, load_settings(store="sqlite:///x", **given))
    await offered.start()
    assert offered.key.public == PushKey(pem).public


async def test_a_vendor_has_no_private_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even one that is named with its port."""
    inside = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 8443))]
    monkeypatch.setattr("progress_sse.notices.delivery.getaddrinfo", lambda *_, **__: inside)
    transport = push.transport_of(ssl.create_default_context())
    with pytest.raises(NotAllowedError):
        await transport.handle_async_request(httpx.Request("POST", "https://push.example:8443/x"))
    await transport.aclose()


async def test_servers_of_a_store_share_the_key(store: ProgressStore, clock: ManualClock) -> None:
    settings = load_settings(store="sqlite:///x", push=True, push_contact="mailto:ops@example.org")
    first, second = Push(store, clock, settings), Push(store, clock, settings)
    await first.start()
    await second.start()
    assert first.key.public == second.key.public != PushKey(PushKey.generate()).public
