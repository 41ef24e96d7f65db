"""Push to the browsers of readers: which endpoints they may have, and one try to send a message."""

import asyncio
import logging
import re
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from itertools import islice
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm

from progress_sse._internal.clock import Clock
from progress_sse._internal.files import read_file
from progress_sse._internal.http_library import httpx
from progress_sse.client.codec import retry_after_s
from progress_sse.core.commands import Subscribe, Unsubscribe
from progress_sse.core.errors import (
    ConfigurationError,
    InvalidRequestError,
    ProblemError,
    StoreFullError,
    StoreUnavailableError,
)
from progress_sse.core.subscriptions import MAX_ENDPOINT_CHARS, Subscription, has_expired
from progress_sse.notices.answers import TooLongError, read_head, repeats
from progress_sse.notices.delivery import CONNECT_S, TRY_S, Guarded, NotAllowedError
from progress_sse.notices.schedule import Try
from progress_sse.notices.sender import PUSH_TRIES, Sender
from progress_sse.notices.web_push import AUTH_BYTES, PushKey, check_key, encrypt, from_base64url
from progress_sse.settings import Settings
from progress_sse.store.progress_store import ProgressStore
from progress_sse.wire.json_text import encode_json
from progress_sse.wire.notice_json import PushNotice, decode_push

logger = logging.getLogger(__name__)

LIFETIME_S: Final = 86_400
"""Seconds after its transition in which a message is of use."""

MAX_SUBSCRIPTIONS: Final = 20_000
"""Subscriptions that a server keeps of those that it took since its start."""

PAUSE_S: Final = 30.0
"""Seconds for which a vendor that has too many requests, and does not say for how long, gets none."""

LOG_EVERY_S: Final = 3600.0
"""Seconds between two warnings of refusals of one vendor."""

MAX_REASON_CHARS: Final = 200
"""Characters of such a refusal that are logged."""

KEY_NAME: Final = "push-key"
"""The name under which a store keeps the key pair."""

KEPT_ENDPOINTS: Final = 1000
"""Endpoints of a vendor that are remembered, since their newest try was delivered."""

# Stricter than the parser: a name of any other form fails at each try, or is read otherwise elsewhere.
_LABEL: Final = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_ENDPOINT: Final = re.compile(
    rf"https://(?=[a-z0-9.-]{{1,253}}([:/?]|$)){_LABEL}(\.{_LABEL})*(:\d{{1,5}})?([/?][^\s\\#]*)?",
    re.IGNORECASE | re.ASCII,
)

_GONE: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_REFUSED: Final = frozenset({400, 401, 403, 413})


class Vendors:
    """The hosts that endpoints may have; each is a queue of notices."""

    def __init__(self, hosts: Sequence[str]) -> None:
        """Take hosts that stand for themselves and those below them, or a host and a port."""
        self.hosts = hosts

    def queue_of(self, endpoint: str) -> str | None:
        """Return the queue of an endpoint; `None` if it is not that of a vendor."""
        if len(endpoint) > MAX_ENDPOINT_CHARS or not _ENDPOINT.fullmatch(endpoint):
            return None
        try:
            url = httpx.URL(endpoint)
        except httpx.InvalidURL:
            return None
        host = url.raw_host.decode("ascii")
        port = url.port
        found = (each for each in self.hosts if _is_below(host, port, each))
        host = next(found, "")
        return f"push:{host}" if host else None


def _is_below(host: str, port: int | None, vendor: str) -> bool:
    vendor_host, _, vendor_port = vendor.partition(":")
    if vendor_port:
        return (host, port or 443) == (vendor_host, int(vendor_port))
    return port is None and (host == vendor or host.endswith(f".{vendor}"))


class PushDeliverer:
    """Sends the messages of one vendor. No text of the job passes it, and no log has an endpoint."""

    def __init__(
        self,
        vendor: str,
        key: PushKey,
        contact: str,
        transport: httpx.AsyncBaseTransport,
        is_wanted: Callable[[PushNotice], Awaitable[bool]],
        on_gone: Callable[[PushNotice], Awaitable[None]],
    ) -> None:
        """Ask `is_wanted` before each try, and call `on_gone` where the browser has ended its subscription."""
        self._vendor = vendor
        self._key = key
        self._contact = contact
        self._transport = transport
        self._is_wanted = is_wanted
        self._on_gone = on_gone
        self._logs_from = 0.0
        self._delivered: dict[str, None] = {}

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()

    async def send(self, notice_id: str, body: bytes) -> Try:
        """Make one try; see `Delivers.send`.

        A failure counts against the vendor where the endpoint was good before, and once until it is good again: readers
        choose endpoints, and one of them must not stop those of others.
        """
        notice = decode_push(body)
        tried = await self._send(notice)
        was_good = notice.subscription.endpoint in self._delivered
        if tried.has_succeeded or tried.is_outage:
            self._delivered.pop(notice.subscription.endpoint, None)
        if tried.has_succeeded:
            self._delivered[notice.subscription.endpoint] = None
            if len(self._delivered) > KEPT_ENDPOINTS:
                del self._delivered[next(iter(self._delivered))]
        return tried._replace(is_of_notice=tried.is_of_notice or (tried.is_outage and not was_good))

    async def _send(self, notice: PushNotice) -> Try:
        began = time.monotonic()
        try:
            is_wanted = await self._is_wanted(notice)
        except ProblemError as error:
            return Try(error=f"the store is away: {error}", is_of_notice=True)
        # The clock may have been ahead when it was made.
        left_s = min(LIFETIME_S, int(notice.made_ms / 1000 + LIFETIME_S - time.time()))
        if left_s <= 0:
            return Try(error="it is a day old", verdict="dead")
        if not is_wanted:
            return Try(error="the subscription has ended", verdict="delivered")
        try:
            async with asyncio.timeout(TRY_S):
                request = self._request(notice, left_s)
                response = await self._transport.handle_async_request(request)
                status = response.status_code
                wait_s = retry_after_s(response.headers)
                try:
                    if status in _REFUSED:
                        await self._log(notice, request.headers["Authorization"], response)
                finally:
                    await response.aclose()
        except TimeoutError:
            return Try(error=f"no answer within {TRY_S:g} s")
        except (httpx.HTTPError, httpx.InvalidURL, NotAllowedError, OSError, TooLongError, ValueError) as failure:
            return Try(error=type(failure).__name__)
        duration_ms = round(1000 * (time.monotonic() - began))
        if status in _GONE:
            await self._on_gone(notice)
            return Try(status, duration_ms=duration_ms, verdict="delivered")
        if status in _REFUSED:
            return Try(status, duration_ms=duration_ms, verdict="dead")
        return Try(status, "", duration_ms, PAUSE_S if wait_s is None else wait_s)

    async def _log(self, notice: PushNotice, authorization: str, response: httpx.Response) -> None:
        if time.monotonic() >= self._logs_from:
            self._logs_from = time.monotonic() + LOG_EVERY_S
            reason = (await read_head(response)).decode(errors="replace")
            endpoint = httpx.URL(notice.subscription.endpoint)
            secrets = (notice.subscription.auth, notice.subscription.p256dh, authorization.removeprefix("vapid "))
            if repeats(reason, endpoint, secrets):
                reason = "…"
            logger.warning(
                "%s refuses messages (%d): %a", self._vendor, response.status_code, reason[:MAX_REASON_CHARS]
            )

    def _request(self, notice: PushNotice, left_s: int) -> httpx.Request:
        subscription = notice.subscription
        url = httpx.URL(subscription.endpoint)
        origin = f"{url.scheme}://{url.netloc.decode('ascii')}"
        headers = {
            "Authorization": self._key.authorization(origin, self._contact),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(left_s),
            "Topic": self._key.topic(notice.message["session_id"]),
            "Urgency": "high",
        }
        content = encrypt(encode_json(notice.message), subscription.p256dh, subscription.auth)
        timeout = httpx.Timeout(TRY_S, connect=CONNECT_S).as_dict()
        return httpx.Request("POST", url, headers=headers, content=content, extensions={"timeout": timeout})


def transport_of(verify: ssl.SSLContext) -> httpx.AsyncBaseTransport:
    """Return the connections to a vendor."""
    return Guarded(may_be_private=False, verify=verify)


class Push:
    """Push as a running server offers it: the `key` that browsers subscribe to, and the `vendors` they may have."""

    def __init__(self, store: ProgressStore, clock: Clock, settings: Settings) -> None:
        """Read the files of the settings.

        Raises:
            ConfigurationError: A file cannot be used; the text names the setting.
        """
        self.vendors = Vendors(settings.push_hosts)
        self._store = store
        self._clock = clock
        self._contact = settings.push_contact or ""
        self._verify = httpx.create_ssl_context()
        if settings.push_ca_file is not None:
            _add_ca(self._verify, _read_setting("push_ca_file", settings.push_ca_file))
        self._subscribed: dict[str, int] = {}
        self._key: PushKey | None = None
        if settings.push_key_file is not None:
            self._key = _key_of(_read_setting("push_key_file", settings.push_key_file))

    @property
    def key(self) -> PushKey:
        """The key pair.

        Raises:
            StoreUnavailableError: The store has not given one yet.
        """
        if self._key is None:
            raise StoreUnavailableError
        return self._key

    def check(self, endpoint: str, p256dh: str, auth: str) -> None:
        """Check the endpoint and the keys of a subscription.

        Raises:
            InvalidRequestError: No browser of the vendors has such ones.
        """
        if self.vendors.queue_of(endpoint) is None:
            raise InvalidRequestError("endpoint: must be one of a vendor that this server sends to.")
        try:
            check_key(p256dh)
            from_base64url(auth, AUTH_BYTES)
        except ValueError as error:
            raise InvalidRequestError("keys: must be a point of P-256 and 16 bytes, as base64url.") from error

    async def subscribe(self, session_id: str, subscription: Subscription) -> None:
        """Subscribe a browser to a session.

        Raises:
            StoreFullError: That would be one too many.
        """
        await self._count(session_id)
        await self.recount(2)
        if sum(self._subscribed.values()) >= MAX_SUBSCRIPTIONS:
            raise StoreFullError("Too many browsers are subscribed.")
        await self._store.apply(session_id, Subscribe(subscription))
        await self._count(session_id)

    async def recount(self, most: int) -> None:
        """Look at some sessions again: those that were removed make room, and leave the memory."""
        for session_id in list(islice(self._subscribed, most)):
            with suppress(ProblemError):  # One that is damaged counts no more.
                await self._count(session_id)

    def forget(self, session_id: str) -> None:
        """Let a session that is removed leave the memory at once."""
        self._subscribed.pop(session_id, None)

    async def _count(self, session_id: str) -> None:
        self._subscribed.pop(session_id, None)
        record = await self._store.load(session_id)
        count = 0 if record is None else len(record.session.details.subscriptions)
        if count:
            self._subscribed[session_id] = count

    async def start(self) -> Mapping[str, Sender]:
        """Make the key pair if no server of the store has; return the senders by their queues, which are to run."""
        outbox = self._store.backend.outbox
        if self._key is None:
            self._key = PushKey(await outbox.keep(KEY_NAME, PushKey.generate()))
        senders: dict[str, Sender] = {}
        for vendor in self.vendors.hosts:
            queue = f"push:{vendor}"
            transport = transport_of(self._verify)
            deliverer = PushDeliverer(vendor, self._key, self._contact, transport, self._is_wanted, self._on_gone)
            senders[queue] = Sender(queue, deliverer, outbox, self._clock, PUSH_TRIES)
        return senders

    async def _is_wanted(self, notice: PushNotice) -> bool:
        """Return whether the browser is still subscribed, as far as the session is still there."""
        if has_expired(notice.subscription, self._clock.now()):
            return False
        record = await self._store.load(notice.message["session_id"])
        if record is None or record.position.epoch != notice.epoch:
            return True
        return any(each.id == notice.subscription.id for each in record.session.details.subscriptions)

    async def _on_gone(self, notice: PushNotice) -> None:
        with suppress(ProblemError):
            await self._store.apply(notice.message["session_id"], Unsubscribe(notice.subscription.id))


def _key_of(pem: str) -> PushKey:
    try:
        return PushKey(pem.encode())
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:  # A TypeError: it has a password.
        raise ConfigurationError("push_key_file must have a private key of P-256 in PEM.") from error


def _add_ca(verify: ssl.SSLContext, pem: str) -> None:
    try:
        verify.load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError) as error:
        raise ConfigurationError("push_ca_file must have certificates in PEM.") from error


def _read_setting(name: str, path: Path) -> str:
    try:
        return read_file(path).decode()
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{name} cannot be read: {error}") from error
