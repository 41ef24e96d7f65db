"""The identity of a caller: the token that its request was authorized by, or else the address that it comes from."""

import hashlib
import ipaddress
from typing import Final

from starlette.requests import Request

IPV6_PREFIX: Final = 64
"""Bits of an IPv6 address that identify a site; one caller may use all addresses of such a network."""

UNKNOWN: Final = "unknown"
"""The shared identity of callers without an IP address, as on a Unix socket."""


def caller_of(request: Request, token: str | None) -> str:
    """Return the caller's identity; `token` is that of the request's `Authorization`."""
    return address_of(request) if token is None else hashlib.sha256(token.encode("latin-1")).hexdigest()


def address_of(request: Request) -> str:
    """Return the address that the request comes from; of an IPv6 address, its network."""
    try:
        address = ipaddress.ip_address(request.client.host if request.client else "")
    except ValueError:
        return UNKNOWN
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped or ipaddress.ip_network((address.packed, IPV6_PREFIX), strict=False))
    return str(address)
