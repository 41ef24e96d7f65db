"""Whether a request comes from a page that may use its visitor's cookie: the browser's word, which no page can forge.

The cookie is `SameSite=Strict`; this also keeps out other hosts of the same site.
"""

from collections.abc import Collection
from typing import Final

from starlette.requests import Request

from progress_sse.wire.headers import header_value

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def is_cross_site(request: Request, allow_origins: Collection[str]) -> bool:
    """Return whether a request may be one that a foreign page has made its visitor's browser send.

    Args:
        request: What came, with a cookie.
        allow_origins: Origins whose pages are none of the foreign ones.
    """
    if request.method in SAFE_METHODS:
        return False
    origin = header_value(request, b"origin")
    if origin in allow_origins:
        return False
    site = header_value(request, b"sec-fetch-site")
    if site:
        return site != "same-origin"
    # A browser from before that header says where the page is from, for every method but the safe ones. Behind a
    # proxy we do not know our own scheme, so only the host is compared.
    host = header_value(request, b"host")
    return not host or origin.partition("://")[2] != host
