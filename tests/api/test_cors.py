"""Pages of other origins: only those of listed ones may read, with credentials too."""

from typing import Any

import httpx
import pytest

from tests.api.conftest import Connect

LISTED = "https://app.example"
ALSO_LISTED = "http://localhost:5173"
UNLISTED = [
    "https://evil.example",
    "null",
    "http://app.example",
    "https://app.example:8443",
    "https://app.example.evil.example",
    "https://sub.app.example",
    "HTTPS://APP.EXAMPLE",
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
