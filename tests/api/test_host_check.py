"""The host names in requests, and where the server checks them."""

from __future__ import annotations

from typing import Any

import pytest

from progress_sse import ProgressService, create_app
from progress_sse.api.middleware.host_check import is_public_name
from progress_sse.server.uvicorn_server import make_config
from progress_sse.settings import load_settings

OURS = [
    "",
    "localhost",
    "localhost:8000",
    "LOCALHOST",
    "localhost.",
    "app.localhost:80",
    "lan.test",
    "host.docker.internal:8000",
    "progress",
    "progress:8000",
]
ADDRESSES = ["127.0.0.1", "127.0.0.1:8000", "192.0.2.1:80", "127.1", "[::1]", "[::1]:80", "[::ffff:1.2.3.4]:80"]
THEIRS = [
    "a.example",
    "A.Example:8000",
    "a.example.",
    "localhost.example",
    "printer.local",
    "internal.example",
    "host.docker.internal.example",
    "127.0.0.1.example:80",
    "alocalhost.x",
    "1.a",
]


@pytest.mark.parametrize("host", [*OURS, *ADDRESSES])
def test_addresses_and_local_names_are_not_public(host: str) -> None:
    """Nor is a name without a dot, as machines have in a network of containers."""
    assert not is_public_name(host.encode())


@pytest.mark.parametrize("host", THEIRS)
def test_any_other_name_is_public(host: str) -> None:
    """Also one that begins like a local name."""
    assert is_public_name(host.encode())


@pytest.mark.protocol("P-15.10")
@pytest.mark.parametrize(
    ("given", "is_checked"),
    [
        ({}, True),
        ({"read": "token", "token_key": "k" * 32}, False),
        ({"publish_token": "x"}, False),
        ({"insecure": True}, False),
        ({"host": "0.0.0.0", "insecure": True}, False),  # noqa: S104  # not bound
    ],
)
def test_the_name_is_checked_where_the_machine_needs_no_token(given: dict[str, Any], is_checked: bool) -> None:
    """With tokens the check is not needed, since a foreign page has none."""
    service = ProgressService(load_settings(store="memory://", **given))
    app = create_app(service.settings, service=service)
    assert (make_config(app, service, "auto").app is not app) == is_checked
