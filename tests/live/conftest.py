import pytest

from tests.live.asgi_hosts import HOSTS


@pytest.fixture(scope="module", params=HOSTS)
def factory(request: pytest.FixtureRequest) -> str | None:
    """Each host in turn (see `asgi_hosts`): `serve` and a module's `server` start the current one."""
    factory: str | None = request.param
    return factory
