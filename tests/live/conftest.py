from __future__ import annotations

import pytest

from tests.live.hosts import HOSTS


@pytest.fixture(scope="module", params=HOSTS)
def factory(request: pytest.FixtureRequest) -> str | None:
    """Each host in turn (see `hosts`): `serve` and a module's `server` start the one whose turn it is."""
    factory: str | None = request.param
    return factory
