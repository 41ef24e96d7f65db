"""The addresses that a hook or a push endpoint may have."""

from ipaddress import ip_address

import pytest

from progress_sse.notices.addresses import is_allowed, is_loopback_host

PUBLIC = ("1.1.1.1", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101")
PRIVATE = (
    *("10.0.0.1", "172.16.0.1", "192.168.1.1", "127.0.0.1", "100.64.0.1", "192.0.2.1", "fd00::1", "::1"),
    *("::ffff:10.0.0.1", "::ffff:127.0.0.1", "2002:a00:1::1", "64:ff9b::a00:1", "::"),
    *("2002:101:101::1", "64:ff9b:1::101:101", "::101:101", "::ffff:0:101:101", "fec0::1"),
)
NEVER = (
    *("169.254.169.254", "fe80::1", "::ffff:169.254.169.254", "2002:a9fe:a9fe::1", "64:ff9b::a9fe:a9fe"),
    *("224.0.0.1", "ff02::1", "2001:0:a9fe:a9fe:0:0:5601:5601"),
    *("64:ff9b:1::a9fe:a9fe", "::a9fe:a9fe", "::ffff:0:a9fe:a9fe"),
)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_need_nothing(address: str) -> None:
    assert is_allowed(ip_address(address), may_be_private=False)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_need_leave(address: str) -> None:
    assert not is_allowed(ip_address(address), may_be_private=False)
    assert is_allowed(ip_address(address), may_be_private=True)


@pytest.mark.parametrize("address", NEVER)
def test_link_local_and_multicast_addresses_get_none(address: str) -> None:
    assert not is_allowed(ip_address(address), may_be_private=True)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        *(("localhost", True), ("LOCALHOST", True), ("127.8.8.8", True), ("::1", True), ("[::1]", True)),
        *(("localhost.example.org", False), ("127.0.0.1.nip.io", False), ("10.0.0.1", False), ("2130706433", False)),
    ],
)
def test_hosts_that_mean_this_machine(host: str, expected: bool) -> None:
    assert is_loopback_host(host) is expected
