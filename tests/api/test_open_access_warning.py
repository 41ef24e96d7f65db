"""The warning about an unauthenticated application that other machines can reach."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from progress_sse import create_app
from progress_sse.settings import load_settings

EXPOSED = [({}, True), ({"publish_token": ("w",)}, False), ({"insecure": True}, False)]


@pytest.mark.parametrize(("given", "is_exposed"), EXPOSED)
async def test_open_access_from_other_machines_is_logged(
    caplog: pytest.LogCaptureFixture, given: dict[str, Any], is_exposed: bool
) -> None:
    """Once, at a request by an address that other machines reach; another server does not refuse to start."""
    app = create_app(load_settings(store="memory://", **given))
    async with app.router.lifespan_context(app):
        for address in ("127.0.0.1", "[::1]", "192.0.2.1", "192.0.2.1"):
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url=f"http://{address}") as client:
                assert (await client.get("/api/progress/a")).status_code == 200
            assert ("192.0.2.1" in caplog.text) == (is_exposed and address == "192.0.2.1")
    assert len(caplog.records) == is_exposed
