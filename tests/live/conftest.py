from __future__ import annotations

import pytest

from tests.live.hosts import DISPATCH, HOSTS


@pytest.fixture(scope="module", params=HOSTS)
def factory(request: pytest.FixtureRequest) -> str | None:
    """Each host in turn (see `hosts`): `serve` and a module's `server` start the one whose turn it is."""
    factory: str | None = request.param
    return factory


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave each further store under each further host to the full run: which of either it is are two questions."""
    for item in items:
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        if parameters.get("server") == "sqlite" and parameters.get("factory") == DISPATCH.values[0]:
            item.add_marker(pytest.mark.full)
