"""What requests pass before they reach a route: the host check, the origins, and the warning of open access."""

from typing import Any

import httpx
import pytest

from progress_sse import ProgressService, create_app
from progress_sse.api.middleware import is_public_name
from progress_sse.server.uvicorn_server import make_config
from progress_sse.settings import load_settings
from tests.api.conftest import Connect

OURS = [
    *("", "localhost", "localhost:8000", "LOCALHOST", "localhost.", "app.localhost:80", "lan.test"),
    *("host.docker.internal:8000", "progress", "progress:8000"),
]
ADDRESSES = ["127.0.0.1", "127.0.0.1:8000", "192.0.2.1:80", "127.1", "[::1]", "[::1]:80", "[::ffff:1.2.3.4]:80"]
THEIRS = [
    *("a.example", "A.Example:8000", "a.example.", "localhost.example", "printer.local", "internal.example"),
    *("host.docker.internal.example", "127.0.0.1.example:80", "alocalhost.x", "1.a"),
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


LISTED = "https://app.example"
ALSO_LISTED = "http://localhost:5173"
UNLISTED = [
    *("https://evil.example", "null", "http://app.example", "https://app.example:8443"),
    *("https://app.example.evil.example", "https://sub.app.example", "HTTPS://APP.EXAMPLE"),
]
POLL = "/api/progress/s"


def preflight(origin: str, method: str = "GET", headers: str = "") -> dict[str, str]:
    """The headers of the request that a browser sends before one that is not simple."""
    asked = {"Access-Control-Request-Headers": headers} if headers else {}
    return {"Origin": origin, "Access-Control-Request-Method": method, **asked}


def granted(response: httpx.Response) -> dict[str, str]:
    """The headers by which a response allows a page to read it."""
    names = ("access-control-allow-origin", "access-control-allow-credentials")
    return {name: response.headers[name] for name in names if name in response.headers}


def varies(response: httpx.Response) -> set[str]:
    """The request headers that the response names in `Vary`."""
    return {name.strip().lower() for value in response.headers.get_list("vary") for name in value.split(",")}


OPEN_TO = "access-control-allow-origin"
WITH_CREDENTIALS = {"access-control-allow-credentials": "true"}


@pytest.mark.protocol("P-2.12")
@pytest.mark.parametrize("origin", [LISTED, ALSO_LISTED])
async def test_a_listed_origin_is_allowed_by_its_name(connect: Connect, origin: str) -> None:
    """SC-11: the exact origin, with credentials, on responses of every kind, with `Origin` in `Vary`."""
    async with connect(allow_origins=f"{LISTED},{ALSO_LISTED}") as client:
        first = await client.get(POLL, headers={"Origin": origin})
        answers = {
            200: first,
            304: await client.get(POLL, headers={"Origin": origin, "If-None-Match": first.headers["etag"]}),
            404: await client.get("/api/nothing", headers={"Origin": origin}),
            415: await client.post(f"{POLL}/update", headers={"Origin": origin}),
        }
        for status, response in answers.items():
            assert response.status_code == status
            assert granted(response) == {OPEN_TO: origin, **WITH_CREDENTIALS}
            assert "origin" in varies(response)
            exposed = response.headers["access-control-expose-headers"].lower().split(", ")
            assert {"etag", "retry-after"} <= set(exposed)


@pytest.mark.protocol("P-2.12")
@pytest.mark.parametrize("origin", UNLISTED)
async def test_an_unlisted_origin_gets_nothing(connect: Connect, origin: str) -> None:
    """SC-11: neither header, in a response and in one to a preflight request."""
    async with connect(allow_origins=LISTED) as client:
        for response in (
            await client.get(POLL, headers={"Origin": origin}),
            await client.options(POLL, headers=preflight(origin)),
        ):
            assert granted(response) == {}
            assert "origin" in varies(response)
        assert "origin" in varies(await client.get(POLL))


@pytest.mark.protocol("P-2.12")
@pytest.mark.parametrize(
    "headers", ["last-event-id", "content-type,idempotency-key", "authorization", "if-match,if-none-match"]
)
async def test_a_preflight_allows_what_clients_send(connect: Connect, headers: str) -> None:
    """SC-11: every header that our workers and subscribers send, and every method."""
    async with connect(allow_origins=LISTED) as client:
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE"):
            response = await client.options(f"{POLL}/update", headers=preflight(LISTED, method, headers))
            assert response.status_code == 200, response.text
            assert granted(response) == {OPEN_TO: LISTED, **WITH_CREDENTIALS}
            allowed = response.headers["access-control-allow-headers"].lower().split(", ")
            assert set(headers.split(",")) <= set(allowed)
            assert method in response.headers["access-control-allow-methods"]


async def test_a_star_never_comes_with_credentials(connect: Connect) -> None:
    """SC-11: all origins are allowed only without cookies."""
    async with connect(allow_origins="*") as client:
        for response in (
            await client.get(POLL, headers={"Origin": LISTED}),
            await client.get(POLL, headers={"Origin": LISTED, "Cookie": "who=me"}),
            await client.options(POLL, headers=preflight(LISTED)),
        ):
            assert granted(response) == {OPEN_TO: "*"}


@pytest.mark.parametrize(
    ("settings", "is_logged"),
    [
        ({"allow_origins": "*"}, True),
        ({"allow_origins": "*", "publish_token": "hush"}, False),
        ({"allow_origins": "*", "insecure": True}, False),
        ({"allow_origins": LISTED}, False),
    ],
)
async def test_the_log_warns_if_all_pages_may_publish(
    connect: Connect, caplog: pytest.LogCaptureFixture, settings: dict[str, Any], is_logged: bool
) -> None:
    """SE-10: where publishing needs no token, and `insecure` does not say that this is intended."""
    async with connect(**settings):
        assert ("Pages of every origin may create, change and delete sessions" in caplog.text) is is_logged


async def test_without_origins_no_page_is_allowed(client: httpx.AsyncClient) -> None:
    """SE-10: no origin is listed by default."""
    for response in (
        await client.get(POLL, headers={"Origin": LISTED}),
        await client.options(POLL, headers=preflight(LISTED)),
    ):
        assert granted(response) == {}


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
