"""The cookie with a token: how it is set and deleted, and which requests may use it."""

import asyncio
import time

import httpx
import pytest

from tests.api.conftest import FULL_TOKEN, READS, Connect
from tests.api.problems import assert_problem
from tests.harness.tokens import KEY, bearer, make_token

START = {"action": "start", "step": 1}


def attributes(response: httpx.Response) -> set[str]:
    return set(response.headers["set-cookie"].split("; ")[1:])


@pytest.mark.protocol("P-15.7")
async def test_a_token_becomes_a_cookie_and_is_deleted_again(closed: httpx.AsyncClient) -> None:
    """SE-08: no script can read it, no other site can have it sent, and it lasts as long as the token."""
    token = make_token(sessions=["a"], exp=int(time.time()) + 600)
    response = await closed.post("/api/cookie", headers=bearer(token))
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["set-cookie"].startswith(f"progress_sse={token}; ")
    assert response.headers["cache-control"] == "no-store"
    [max_age] = [each for each in attributes(response) if each.startswith("Max-Age=")]
    assert attributes(response) == {"HttpOnly", "SameSite=Strict", "Secure", "Path=/", max_age}
    assert 590 <= int(max_age.removeprefix("Max-Age=")) <= 600
    closed.cookies.clear()
    cookie = {"cookie": f"other=1; progress_sse={token}"}
    for path in READS:
        assert (await closed.head(path, headers=cookie)).status_code == 200
    assert_problem(await closed.get("/api/progress/b", headers=cookie), 403, "forbidden")
    dropped = await closed.delete("/api/cookie")
    assert dropped.status_code == 204
    assert dropped.headers["set-cookie"].startswith("progress_sse=; ")
    assert {"Max-Age=0", "Path=/", "HttpOnly"} <= attributes(dropped)


async def test_a_cookie_is_made_from_a_header_only(closed: httpx.AsyncClient) -> None:
    """Not from another cookie, which would extend its life."""
    response = await closed.post(
        "/api/cookie", headers={"cookie": f"progress_sse={FULL_TOKEN}", "sec-fetch-site": "same-origin"}
    )
    assert_problem(response, 401, "unauthorized")


async def test_a_publish_token_of_any_characters_fits_into_a_cookie(connect: Connect) -> None:
    """The cookie lasts until the browser is closed."""
    token = 'a; b="c" %41\xe9'
    async with connect(read="token", token_key=KEY, publish_token=token) as client:
        headers = {b"authorization": b"Bearer " + token.encode()}
        response = await client.post("/api/cookie", headers=headers)
        assert attributes(response) == {"HttpOnly", "SameSite=Strict", "Secure", "Path=/"}
        client.cookies.clear()
        cookie = {"cookie": response.headers["set-cookie"].partition(";")[0]}
        assert (await client.get("/api/progress/a", headers=cookie)).status_code == 200


async def test_of_several_cookies_the_one_for_the_nearest_path_counts(closed: httpx.AsyncClient) -> None:
    """A browser sends that first; the other belongs to a server at a shorter path, with other tokens."""
    theirs = make_token("another-secret-that-is-longer-than-32-bytes", prefixes=[""])
    for cookies, status in (
        (f"progress_sse={FULL_TOKEN}; progress_sse={theirs}", 200),
        (f"progress_sse={theirs}; progress_sse={FULL_TOKEN}", 401),
    ):
        response = await closed.get("/api/progress/a", headers={"cookie": cookies})
        assert response.status_code == status
    in_two_lines = [("cookie", "other=1"), ("cookie", f"x; =; progress_sse={FULL_TOKEN}")]  # As HTTP/2 may send them.
    assert (await closed.get("/api/progress/a", headers=in_two_lines)).status_code == 200


async def test_reading_a_cookie_does_not_block_others(closed: httpx.AsyncClient) -> None:
    """SE-03: ten times the largest that fits into a head, of the text that takes longest to read."""
    async with asyncio.timeout(10):
        for value in ["\\" * 60_000, "\\a" * 30_000, '"' * 60_000, "%" * 60_000, ";" * 60_000] * 2:
            await asyncio.sleep(0)  # where the deadline is checked
            response = await closed.get("/api/progress/a", headers={"cookie": f'progress_sse="{value}"'})
            assert_problem(response, 401, "unauthorized")


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "localhost:8000", "[::1]:8000", "127.8.9.1"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_cookie_is_sent_without_tls_to_this_machine_only(
    closed: httpx.AsyncClient, scheme: str, host: str
) -> None:
    """Where TLS is not available."""
    response = await closed.post(f"{scheme}://{host}/api/cookie", headers=bearer(FULL_TOKEN))
    assert ("Secure" in attributes(response)) == (scheme == "https")


@pytest.mark.parametrize("host", ["progress.example", "127.0.0.1.example", "[", "localhost.example", "192.0.2.1:80"])
async def test_a_cookie_is_sent_to_other_machines_by_tls_only(closed: httpx.AsyncClient, host: str) -> None:
    """Also behind a proxy that terminates TLS, so that the request arrives without it."""
    response = await closed.post("http://127.0.0.1/api/cookie", headers={**bearer(FULL_TOKEN), "host": host})
    assert "Secure" in attributes(response)


@pytest.mark.parametrize(
    ("origin", "is_secure"),
    [
        ("https://progress.example", True),
        ("http://progress.example:8080", True),
        ("https://localhost", True),
        ("http://localhost:3000", False),
        ("http://[::1]:3000", False),
        ("null", False),
        ("", False),
    ],
)
async def test_a_proxy_that_hides_its_name_shows_in_the_origin(
    closed: httpx.AsyncClient, origin: str, is_secure: bool
) -> None:
    """By default nginx sends our address as `Host`; the cookie must still not be sent without TLS."""
    response = await closed.post("http://127.0.0.1:8000/api/cookie", headers={**bearer(FULL_TOKEN), "origin": origin})
    assert ("Secure" in attributes(response)) == is_secure


ALLOWED_ORIGIN = "https://app.example"
OWN, OWN_BY_TLS = "http://progress.example", "https://progress.example"

CSRF = {
    "our own page": ({"sec-fetch-site": "same-origin", "origin": OWN}, 200),
    "our own page in an old browser": ({"origin": OWN_BY_TLS}, 200),
    "our own page, whose proxy writes out the port": ({"origin": OWN_BY_TLS, "host": "progress.example:443"}, 200),
    "our own page on this machine": ({"origin": "http://localhost:8000", "host": "localhost:8000"}, 200),
    "a page that is allowed": ({"sec-fetch-site": "cross-site", "origin": ALLOWED_ORIGIN}, 200),
    "a page of another site": ({"sec-fetch-site": "cross-site", "origin": "https://evil.example"}, 403),
    "a page of another host of ours": ({"sec-fetch-site": "same-site", "origin": "http://blog.example"}, 403),
    "a page without TLS of our name": ({"sec-fetch-site": "cross-site", "origin": OWN}, 403),
    "a page of another site in an old browser": ({"origin": "https://evil.example"}, 403),
    "a page without TLS of our name in an old browser": ({"origin": OWN}, 403),
    "a page of our port without TLS": ({"origin": f"{OWN}:443", "host": "progress.example:443"}, 403),
    "a page with TLS of this machine": ({"origin": "https://localhost", "host": "localhost"}, 403),
    "a page whose name begins like ours": ({"origin": "https://progress.example.evil.example"}, 403),
    "a page of another port": ({"origin": f"{OWN_BY_TLS}:81"}, 403),
    "a sandboxed frame": ({"sec-fetch-site": "cross-site", "origin": "null"}, 403),
    "a sandboxed frame in an old browser": ({"origin": "null"}, 403),
    "a URL that the visitor typed": ({"sec-fetch-site": "none"}, 403),
    "a browser that sends neither header": ({}, 403),
    "a client that sends no host either": ({"host": ""}, 403),
}


@pytest.mark.protocol("P-15.8")
@pytest.mark.parametrize(("headers", "status"), CSRF.values(), ids=CSRF.keys())
async def test_a_cookie_lets_only_our_own_pages_write(connect: Connect, headers: dict[str, str], status: int) -> None:
    """SE-08: by headers of the browser that no page can change; a token in a header needs none of them."""
    async with connect(read="token", token_key=KEY, allow_origins=ALLOWED_ORIGIN) as client:
        token = make_token(prefixes=[""], actions=["read", "publish"])
        cookie = {"cookie": f"progress_sse={token}"}
        response = await client.post("/api/progress/a/update", json=START, headers={**cookie, **headers})
        assert response.status_code == status
        assert response.headers.get("content-type") == "application/json" or "secret" not in response.text
        session = await client.get("/api/progress/a", headers={**cookie, **headers})
        assert session.json()["status"] == ("running" if status == 200 else "not_found")
        for method, path in [("POST", "/api/tickets"), ("PUT", "/api/progress/b"), ("DELETE", "/api/progress/b")]:
            response = await client.request(method, path, json={}, headers={**cookie, **headers})
            assert (response.status_code == 403) == (status == 403)
        response = await client.post("/api/progress/a/update", json=START, headers={**bearer(token), **headers})
        assert response.status_code == 200
