"""By which names a server is asked, and where that matters."""

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
def test_nobody_else_has_an_address_or_a_name_of_this_machine(host: str) -> None:
    """Nor one without a dot, as machines have in a network of containers."""
    assert not is_public_name(host.encode())


@pytest.mark.parametrize("host", THEIRS)
def test_any_other_name_may_be_somebodys(host: str) -> None:
    """Whatever it begins with."""
    assert is_public_name(host.encode())


@pytest.mark.parametrize(
    ("given", "is_looked_at"),
    [
        ({}, True),
        ({"read": "token", "token_key": "k" * 32}, False),
        ({"publish_token": "x"}, False),
        ({"insecure": True}, False),
        ({"host": "0.0.0.0", "insecure": True}, False),  # noqa: S104  # nothing is bound
    ],
)
def test_it_matters_where_anybody_on_the_machine_may_do_everything(given: dict[str, Any], is_looked_at: bool) -> None:
    """Where there are tokens, a page of others has none."""
    service = ProgressService(load_settings(store="memory://", **given))
    app = create_app(service.settings, service=service)
    assert (make_config(app, service, "auto").app is not app) == is_looked_at
