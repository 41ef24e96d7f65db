"""Checks whether a request comes from a page that may use its visitor's cookie, by headers that no page can forge.

The cookie is `SameSite=Strict`; this check also excludes other hosts of the same site.
"""

from collections.abc import Collection
from typing import Final

from starlette.requests import Request

from progress_sse.auth.cookies import is_of_this_machine
from progress_sse.wire.headers import header_value

_PORTS: Final = {"http": ":80", "https": ":443"}
"""The port that a browser leaves out of an origin; a proxy may write it into `Host`."""

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def is_cross_site(request: Request, allow_origins: Collection[str]) -> bool:
    """Return whether a foreign page may have made its visitor's browser send the request.

    Args:
        request: A request with a cookie.
        allow_origins: Origins whose pages are not foreign.
    """
    if request.method in SAFE_METHODS:
        return False
    origin = header_value(request, b"origin")
    if origin in allow_origins:
        return False
    site = header_value(request, b"sec-fetch-site")
    if site:
        return site != "same-origin"
    # Browsers older than that header send `Origin` with every method but the safe ones.
    return not origin or origin != _own_origin(request)


def _own_origin(request: Request) -> str:
    """Return the origin of this server's pages, as a browser writes it.

    Its scheme is `https`, whatever a proxy in front says of it: without TLS a browser keeps a cookie of ours on this
    machine alone.
    """
    host = header_value(request, b"host").lower()
    scheme = request.scope["scheme"] if is_of_this_machine(host) else "https"
    return f"{scheme}://{host.removesuffix(_PORTS.get(scheme, ''))}"
