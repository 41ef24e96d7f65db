"""Checks whether a request comes from a page that may use its visitor's cookie, by headers that no page can forge.

The cookie is `SameSite=Strict`; this check also excludes other hosts of the same site.
"""

from collections.abc import Collection
from typing import Final

from starlette.requests import Request

from progress_sse.wire.headers import header_value

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
    # Browsers older than that header send `Origin` with every method but the safe ones. Behind a proxy the server does
    # not know its own scheme, so only the host is compared.
    host = header_value(request, b"host")
    return not host or origin.partition("://")[2] != host
