from __future__ import annotations

import pytest

from tests.live.asgi_hosts import HOSTS


@pytest.fixture(scope="module", params=HOSTS)
def factory(request: pytest.FixtureRequest) -> str | None:
    """Each host in turn (see `asgi_hosts`): `serve` and a module's `server` start the current one."""
    factory: str | None = request.param
    return factory


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """On further hosts, leave long tests and each further store to the full run: these are separate questions."""
    for item in items:
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        is_long = parameters.get("server") == "sqlite" or item.get_closest_marker("first_host") is not None
        if is_long and parameters.get("factory") is not None:
            item.add_marker(pytest.mark.full)
