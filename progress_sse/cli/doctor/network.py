"""The way to the server's address, looked at once: DNS, TCP and TLS. Blocks."""

import queue
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

from progress_sse._internal.http_library import httpx
from progress_sse.cli.doctor.observations import Network
from progress_sse.cli.responses import words_of

LIMIT_S: Final = 10.0
"""Seconds that the whole may take."""

STEP_S: Final = 4.0
"""Seconds that one step of a connection may take."""

DAY_S: Final = 86_400


def look_at(url: str) -> Network:
    """Return what the way to the URL's address looks like, within `LIMIT_S`."""
    parts = urlsplit(url)
    proxy = environment_proxy(parts)
    if proxy:
        return Network(environment_proxy=proxy)
    seen: queue.SimpleQueue[Network] = queue.SimpleQueue()
    # The look-up of a name cannot be interrupted, and an ordinary thread would delay the end of the process.
    threading.Thread(target=lambda: seen.put(_look_at(parts)), daemon=True).start()
    try:
        return seen.get(timeout=LIMIT_S)
    except queue.Empty:
        return Network(error="the look-up of the name, or the connection, takes too long")


def environment_proxy(parts: SplitResult) -> str:
    """Return the host of the HTTP proxy that the environment names for a URL; empty if it names none."""
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all") or ""
    if not proxy or proxy_bypass(parts.hostname or ""):
        return ""
    return urlsplit(proxy if "//" in proxy else f"//{proxy}").hostname or "a proxy"  # Without its password.


def _look_at(parts: SplitResult) -> Network:
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return Network(error=_words(error))
    seen = Network(addresses=tuple(dict.fromkeys(str(each[4][0]) for each in found)))
    began = time.monotonic()
    try:
        connection = socket.create_connection((host, port), STEP_S)
    except OSError as error:
        return seen._replace(error=_words(error))
    seen = seen._replace(connect_s=time.monotonic() - began)
    with connection:
        return _with_tls(seen, connection, host) if parts.scheme == "https" else seen


def _with_tls(seen: Network, connection: socket.socket, host: str) -> Network:
    """Return it with the outcome of a handshake that offers the protocols of browsers, with the client's trust."""
    context = httpx.create_ssl_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    try:
        with context.wrap_socket(connection, server_hostname=host) as secured:
            return seen._replace(
                tls_version=secured.version() or "",
                alpn=secured.selected_alpn_protocol() or "",
                certificate_days=days_left(secured.getpeercert() or {}),
            )
    except ssl.SSLCertVerificationError as error:
        return seen._replace(error=error.verify_message)
    except (OSError, ValueError) as error:
        return seen._replace(error=_words(error))


def days_left(certificate: Mapping[str, object]) -> float | None:
    """Return the days until a certificate expires; unknown where the system itself verified it, as on macOS."""
    if "notAfter" not in certificate:
        return None
    return (ssl.cert_time_to_seconds(str(certificate["notAfter"])) - time.time()) / DAY_S


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or words_of(error)
