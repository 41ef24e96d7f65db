"""Who asks, as far as that can be told: whoever has the token, or is at the address, that a request comes with."""

import hashlib
import ipaddress
from typing import Final

from starlette.requests import Request

IPV6_PREFIX: Final = 64
"""Bits of an IPv6 address that tell one site from another; whoever has one such network has all its addresses."""

UNKNOWN: Final = "unknown"
"""Everybody whose address is none, as on a Unix socket."""


def caller_of(request: Request, token: str | None) -> str:
    """Return who asks; `token` is by what the request was let in (see `gate.Authorization`)."""
    return address_of(request) if token is None else hashlib.sha256(token.encode("latin-1")).hexdigest()


def address_of(request: Request) -> str:
    """Return from where the request comes; of an IPv6 address, the network."""
    try:
        address = ipaddress.ip_address(request.client.host if request.client else "")
    except ValueError:
        return UNKNOWN
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped or ipaddress.ip_network((address.packed, IPV6_PREFIX), strict=False))
    return str(address)
