"""A server detects that our HTTP protocol does not fit the installed uvicorn."""

from collections.abc import Callable
from typing import Any, NoReturn

import pytest

from progress_sse.server import protocol_probe
from progress_sse.server.connection_writer import ConnectionWriter
from progress_sse.server.http_protocol import HttpProtocol
from progress_sse.server.protocol_probe import fits


def fail(*_: Any) -> NoReturn:
    raise AttributeError("renamed")


def do_nothing(*_: Any) -> None:
    pass


async def test_the_protocol_fits_the_installed_uvicorn(caplog: pytest.LogCaptureFixture) -> None:
    """The malformed request of the probe leaves no line in the log."""
    assert await fits()
    assert caplog.records == []


@pytest.mark.parametrize(
    ("owner", "name", "replacement"),
    [
        (HttpProtocol, "connection_made", fail),
        (HttpProtocol, "on_headers_complete", fail),
        (HttpProtocol, "detach", fail),
        (ConnectionWriter, "finish", fail),
        (HttpProtocol, "pause_writing", fail),
        (HttpProtocol, "connection_lost", fail),
        (HttpProtocol, "detach", do_nothing),
    ],
)
async def test_a_changed_part_of_uvicorn_is_detected(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    owner: type,
    name: str,
    replacement: Callable[..., Any],
) -> None:
    """The failure may be in a callback, in the application, or in the bytes alone. The probe itself logs nothing."""
    monkeypatch.setattr(owner, name, replacement)
    monkeypatch.setattr(protocol_probe, "TIMEOUT_S", 1)
    assert not await fits()
    assert caplog.records == []
