"""Pages of other origins: those that are listed may read, with credentials too, and nobody else."""

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
    """What a browser asks with before it sends a request that is not simple."""
    asked = {"Access-Control-Request-Headers": headers} if headers else {}
    return {"Origin": origin, "Access-Control-Request-Method": method, **asked}


def granted(response: httpx.Response) -> dict[str, str]:
    """The headers by which a response opens itself to a page."""
    names = ("access-control-allow-origin", "access-control-allow-credentials")
    return {name: response.headers[name] for name in names if name in response.headers}


def varies(response: httpx.Response) -> set[str]:
    """What the response depends on, as it says."""
    return {name.strip().lower() for value in response.headers.get_list("vary") for name in value.split(",")}


OPEN_TO = "access-control-allow-origin"
WITH_CREDENTIALS = {"access-control-allow-credentials": "true"}


@pytest.mark.parametrize("origin", [LISTED, ALSO_LISTED])
async def test_a_listed_origin_is_let_in_by_its_name(connect: Connect, origin: str) -> None:
    """SC-11: the exact origin, with credentials, on answers of every kind, and caches are told that it matters."""
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


@pytest.mark.parametrize("origin", UNLISTED)
async def test_an_unlisted_origin_gets_nothing(connect: Connect, origin: str) -> None:
    """SC-11: neither its name nor the word on credentials, in an answer and in one to a preflight."""
    async with connect(allow_origins=LISTED) as client:
        for response in (
            await client.get(POLL, headers={"Origin": origin}),
            await client.options(POLL, headers=preflight(origin)),
        ):
            assert granted(response) == {}
            assert "origin" in varies(response)
        assert "origin" in varies(await client.get(POLL))


@pytest.mark.parametrize(
    "headers", ["last-event-id", "content-type,idempotency-key", "authorization", "if-match,if-none-match"]
)
async def test_a_preflight_allows_what_clients_send(connect: Connect, headers: str) -> None:
    """SC-11: every header that a worker or a reader of ours needs, and every method."""
    async with connect(allow_origins=LISTED) as client:
        for method in ("GET", "POST", "PUT", "DELETE"):
            response = await client.options(f"{POLL}/update", headers=preflight(LISTED, method, headers))
            assert response.status_code == 200, response.text
            assert granted(response) == {OPEN_TO: LISTED, **WITH_CREDENTIALS}
            allowed = response.headers["access-control-allow-headers"].lower().split(", ")
            assert set(headers.split(",")) <= set(allowed)
            assert method in response.headers["access-control-allow-methods"]


async def test_a_star_never_comes_with_credentials(connect: Connect) -> None:
    """SC-11: who opens it to everybody opens it to those alone who need no cookie."""
    async with connect(allow_origins="*") as client:
        for response in (
            await client.get(POLL, headers={"Origin": LISTED}),
            await client.get(POLL, headers={"Origin": LISTED, "Cookie": "who=me"}),
            await client.options(POLL, headers=preflight(LISTED)),
        ):
            assert granted(response) == {OPEN_TO: "*"}


@pytest.mark.parametrize(
    ("settings", "is_told"),
    [
        ({"allow_origins": "*"}, True),
        ({"allow_origins": "*", "publish_token": "hush"}, False),
        ({"allow_origins": "*", "insecure": True}, False),
        ({"allow_origins": LISTED}, False),
    ],
)
async def test_it_is_told_that_all_pages_may_publish(
    connect: Connect, caplog: pytest.LogCaptureFixture, settings: dict[str, Any], is_told: bool
) -> None:
    """SE-10: where that needs no token, and `insecure` does not say that it is meant."""
    async with connect(**settings):
        assert ("Pages of every origin may create, change and delete sessions" in caplog.text) is is_told


async def test_without_origins_it_is_closed(client: httpx.AsyncClient) -> None:
    """SE-10: nobody is listed by default."""
    for response in (
        await client.get(POLL, headers={"Origin": LISTED}),
        await client.options(POLL, headers=preflight(LISTED)),
    ):
        assert granted(response) == {}
