"""Which addresses a notice may be sent to: an operator's file may be wrong, and a name may resolve to anything."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Final, TypeAlias

from progress_sse.settings import is_loopback

IPAddress: TypeAlias = IPv4Address | IPv6Address

_NAT64: Final = IPv6Network("64:ff9b::/96")  # [RFC 6052 §2.1]
# Translated [RFC 8215, RFC 2765], IPv4-compatible, 6to4, site-local: some versions of Python take them as global.
_NOT_GLOBAL: Final = tuple(map(IPv6Network, ("64:ff9b:1::/48", "::ffff:0:0:0/96", "::/96", "2002::/16", "fec0::/10")))
_WITH_IPV4_AT_THE_END: Final = (_NAT64, *_NOT_GLOBAL[:3])


def is_loopback_host(host: str) -> bool:
    """Return whether a host is `localhost` or a literal loopback address, which the operator means as such."""
    return is_loopback(host.lower().strip("[]"))


def is_allowed(address: IPAddress, *, may_be_private: bool) -> bool:
    """Return whether a host that is not `is_loopback_host` may be reached at an address.

    It must be globally reachable, and so must be the IPv4 address in it, which a gateway or this machine would use.
    `may_be_private` allows all others but link-local ones, where clouds hand out credentials, and multicast.
    """
    every = (address, *_embedded(address))
    if any(each.is_link_local or each.is_multicast for each in every):
        return False
    is_global = all(each.is_global for each in every) and not any(address in each for each in _NOT_GLOBAL)
    return may_be_private or is_global


def _embedded(address: IPAddress) -> tuple[IPv4Address, ...]:
    if isinstance(address, IPv4Address):
        return ()
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if any(address in each for each in _WITH_IPV4_AT_THE_END):
        found.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return tuple(each for each in found if each is not None)
