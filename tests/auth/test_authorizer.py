"""The identity of callers."""

import pytest
from starlette.requests import Request

from progress_sse.auth.authorizer import UNKNOWN, address_of


def request_from(client: tuple[str, int] | None) -> Request:
    return Request({"type": "http", "headers": [], "client": client})


@pytest.mark.parametrize(
    ("host", "caller"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::9", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("localhost", UNKNOWN),
        ("", UNKNOWN),
        ("x" * 10_000, UNKNOWN),
    ],
)
def test_an_ipv4_address_or_an_ipv6_network_is_one_caller(host: str, caller: str) -> None:
    """A site with one address of a /64 may use all of them."""
    assert address_of(request_from((host, 1))) == caller


def test_a_caller_without_an_address_is_unknown() -> None:
    """As on a Unix socket."""
    assert address_of(request_from(None)) == UNKNOWN
