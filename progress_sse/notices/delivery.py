"""One try to deliver a notice: a signed POST to an address that is allowed, which follows no redirect."""

import asyncio
import ssl
import time
from base64 import b64encode
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from hmac import digest
from importlib.metadata import version
from ipaddress import ip_address
from socket import SOCK_STREAM, getaddrinfo
from typing import Final
from urllib.request import getproxies, proxy_bypass

from progress_sse._internal.http_library import httpx
from progress_sse.client.codec import retry_after_s
from progress_sse.core.errors import ConfigurationError
from progress_sse.notices.addresses import is_allowed, is_loopback_host
from progress_sse.notices.answers import MIN_PART_CHARS, TooLongError, bounded, read_head, repeats
from progress_sse.notices.hooks_file import Hook
from progress_sse.notices.schedule import Try

CONNECT_S: Final = 5.0
"""Seconds for a connection."""

TRY_S: Final = 15.0
"""Seconds for a whole try."""

NOT_SHOWN: Final = b"(not shown, as it repeats parts of the request)"

RESOLVER_THREADS: Final = 8


class NotAllowedError(Exception):
    """Raised where the name of a receiver has only addresses that it must not have."""


class Guarded(httpx.AsyncHTTPTransport):
    """Resolves the name of a receiver once for each request, and connects to the addresses that are allowed, in turn.

    Host header, certificate and server name stay those of the name. Its threads are its own: a name server that hangs
    uses up no others.
    """

    def __init__(self, *, may_be_private: bool, verify: ssl.SSLContext) -> None:
        super().__init__(verify=verify, limits=httpx.Limits(max_keepalive_connections=0))
        bounded(self)
        self._resolver = ThreadPoolExecutor(RESOLVER_THREADS, "resolver")
        self._may_be_private = may_be_private

    async def aclose(self) -> None:
        """Close all connections, and wait for no name server."""
        await super().aclose()
        self._resolver.shutdown(wait=False, cancel_futures=True)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request.

        Raises:
            NotAllowedError: No address of the name is allowed.
        """
        url = request.url
        host = url.raw_host.decode("ascii")  # `url.host` is another name where IDNA changed.
        refused: Exception = NotAllowedError(f"{host} has no address that a hook may reach")
        for address in await self._addresses(url, host):
            request.url = url.copy_with(host=address)
            request.extensions["sni_hostname"] = host
            try:
                return await super().handle_async_request(request)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                refused = error
        raise refused

    async def _addresses(self, url: httpx.URL, host: str) -> Sequence[str]:
        port = url.port or (443 if url.scheme == "https" else 80)
        look_up = asyncio.get_running_loop().run_in_executor(
            self._resolver, lambda: getaddrinfo(host, port, type=SOCK_STREAM)
        )
        found = dict.fromkeys(str(each[4][0]) for each in await look_up)
        if is_loopback_host(host):
            return [each for each in found if ip_address(each).is_loopback]
        return [each for each in found if is_allowed(ip_address(each), may_be_private=self._may_be_private)]


def environment_proxy(url: httpx.URL) -> str | None:
    """Return the proxy that the environment names for a URL."""
    proxies = getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    return None if not proxy or proxy_bypass(url.host) else proxy if "//" in proxy else f"http://{proxy}"


class Deliverer:
    """Sends requests to one receiver. It writes no log of its own: URLs and headers may hold secrets."""

    def __init__(self, hook: Hook) -> None:
        """Prepare the connections; the environment may name a proxy.

        Raises:
            ConfigurationError: The environment names a proxy that cannot be used.
        """
        self._hook = hook
        verify = httpx.create_ssl_context() if hook.ca is None else ssl.create_default_context(cadata=hook.ca)
        proxy = environment_proxy(hook.url) if hook.uses_proxy else None
        self._transport: httpx.AsyncHTTPTransport
        if proxy is None:
            self._transport = Guarded(may_be_private=hook.is_private, verify=verify)
        else:
            try:
                limits = httpx.Limits(max_keepalive_connections=0)
                self._transport = httpx.AsyncHTTPTransport(proxy=proxy, verify=verify, limits=limits)
            except (ImportError, ValueError) as failure:  # As for a scheme that is not known.
                raise ConfigurationError(f"The proxy of hook {hook.name} cannot be used.") from failure
            bounded(self._transport)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()

    async def send(self, notice_id: str, body: bytes, *, reads_body: bool = False) -> Try:
        """Make one try, which ends as soon as the head of the answer is there, or the beginning of its body is read."""
        began = time.monotonic()
        status = 0
        error = ""
        retry_after: float | None = None
        content = b""
        try:
            async with asyncio.timeout(TRY_S):
                response = await self._transport.handle_async_request(self._request(notice_id, body))
                status = response.status_code
                retry_after = retry_after_s(response.headers)
                try:
                    if reads_body:
                        content = self._shown(await read_head(response))
                finally:
                    await response.aclose()
        except TimeoutError:
            error = f"no answer within {TRY_S:g} s"
        except (httpx.ProtocolError, httpx.ProxyError, httpx.InvalidURL, ValueError) as failure:
            error = type(failure).__name__  # Its text repeats what was sent or came, which may be secret.
        except (httpx.HTTPError, NotAllowedError, OSError, TooLongError) as failure:
            error = str(failure) or type(failure).__name__
        return Try(status, "" if status else error, round(1000 * (time.monotonic() - began)), retry_after, content)

    def _shown(self, content: bytes) -> bytes:
        values = [value for _, value in self._hook.headers]
        values += [b64encode(secret).decode() for secret in self._hook.secrets]
        values += [word for value in values if len(word := value.rpartition(" ")[2]) >= MIN_PART_CHARS]
        return NOT_SHOWN if repeats(content.decode(errors="replace"), self._hook.url, values) else content

    def _request(self, notice_id: str, body: bytes) -> httpx.Request:
        hook = self._hook
        timestamp = str(int(time.time()))
        signed = b".".join((notice_id.encode(), timestamp.encode(), body))
        signatures = (f"v1,{b64encode(digest(secret, signed, sha256)).decode()}" for secret in hook.secrets)
        headers = [
            *hook.headers,
            ("Content-Type", "application/json"),
            ("Accept-Encoding", "identity"),
            ("User-Agent", f"progress-sse/{version('progress-sse')}"),
            ("webhook-id", notice_id),
            ("webhook-timestamp", timestamp),
            ("webhook-signature", " ".join(signatures)),
        ]
        timeout = httpx.Timeout(TRY_S, connect=CONNECT_S).as_dict()
        encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers]
        return httpx.Request("POST", hook.url, headers=encoded, content=body, extensions={"timeout": timeout})
