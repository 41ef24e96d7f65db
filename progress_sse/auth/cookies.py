"""The cookies that hold a token, and which pages may use them: the visitor's own, and one for each opened link.

A link's cookie is sent to the paths of its session alone, and counts only in requests with `link=1`. So no link
changes what the visitor's own token allows in other tabs, nor the other way round.
"""

from collections.abc import Collection
from typing import Final
from urllib.parse import unquote

from starlette.requests import Request

from progress_sse.auth.grants import Action
from progress_sse.settings import is_loopback
from progress_sse.wire.headers import header_value, header_values

COOKIE: Final = "progress_sse"

LINK_COOKIE: Final = "progress_sse_link"
SECURE_LINK_COOKIE: Final = f"__Secure-{LINK_COOKIE}"
"""Its name with TLS: no page without TLS can set a cookie of this name [RFC 6265bis §4.1.3.1]."""

LINK_ACTIONS: Final[frozenset[Action]] = frozenset({"read", "control"})
"""What a link may allow: to follow its session, and to ask something of its worker."""

_BY_LINK: Final = b"link=1"


def is_of_this_machine(host: str) -> bool:
    """Return whether the value of `Host`, or the host of an origin, is a loopback address: there no TLS is needed."""
    return is_loopback(host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0])


def is_by_link(request: Request) -> bool:
    """Return whether the request is to be authorized by a link's cookie, and not by the visitor's own."""
    return _BY_LINK in request.scope["query_string"].split(b"&")


def own_token(request: Request) -> str | None:
    """Return the token in the visitor's own cookie."""
    return _value_of(request, COOKIE)


def link_token(request: Request) -> str | None:
    """Return the token in the link's cookie; the server cannot know whether a proxy in front of it has TLS."""
    return _value_of(request, SECURE_LINK_COOKIE) or _value_of(request, LINK_COOKIE)


def _value_of(request: Request, wanted: str) -> str | None:
    """Return the value of a cookie; of several, that of the longest path, which comes first [RFC 6265 §5.4].

    Not by ``http.cookies``: our cookies have no quotes, and before Python 3.11.10 unquoting 64 KiB takes four seconds.
    """
    for cookies in header_values(request, b"cookie"):
        for cookie in cookies.split(b";"):
            name, _, value = cookie.partition(b"=")
            if name.strip() == wanted.encode():
                return unquote(value.strip().decode("latin-1"), "latin-1")
    return None


_PORTS: Final = {"http": ":80", "https": ":443"}
"""The port that a browser leaves out of an origin; a proxy may write it into `Host`."""

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def is_cross_site(request: Request, allow_origins: Collection[str]) -> bool:
    """Return whether a foreign page may have made its visitor's browser send the request, by headers that none can set.

    A cookie is `SameSite=Strict`; this also excludes other hosts of the same site.

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

    Its scheme is `https`, even where a proxy in front ends TLS: without TLS a browser keeps our cookie only where the
    server is on its own machine.
    """
    host = header_value(request, b"host").lower()
    scheme = request.scope["scheme"] if is_of_this_machine(host) else "https"
    return f"{scheme}://{host.removesuffix(_PORTS.get(scheme, ''))}"
