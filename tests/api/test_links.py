"""Links for people: the cookie that a link's token becomes, and what a request by link may do."""

from typing import Any
from urllib.parse import quote

import httpx
import pytest

from progress_sse import create_app
from progress_sse.settings import load_settings
from tests.api.conftest import FULL_TOKEN, PUBLISH_TOKEN, Connect, client_of
from tests.api.problems import assert_problem
from tests.api.test_cookies import ALLOWED_ORIGIN, CSRF, attributes
from tests.harness.tokens import KEY, bearer, make_token

LINK = "/api/progress/a/link"
SECURE = "__Secure-progress_sse_link"

READS = [
    "/api/progress/a",
    "/api/progress/a/events",
    "/api/progress/a/requests",
    "/api/progress/a/parts?step=1",
    "/api/progress/a/steps",
]
"""Every path by which a tab follows the session `a`."""

OTHERS: list[tuple[str, str, Any]] = [
    ("POST", "/api/progress/a/update", {"action": "start", "step": 1}),
    ("PUT", "/api/progress/a?replace=true", {}),
    ("DELETE", "/api/progress/a", None),
    ("GET", "/api/progress", None),
    ("POST", "/api/progress", {}),
    ("POST", "/api/updates", {"updates": []}),
    ("POST", "/api/tickets", None),
    ("POST", "/api/cookie", None),
    ("POST", LINK, None),
    ("DELETE", "/api/steps/a/learned", None),
    ("GET", "/metrics", None),
]
"""Every request that no link allows."""


def by_link(path: str) -> str:
    """The path of a request that is authorized by a link."""
    return f"{path}{'&' if '?' in path else '?'}link=1"


def cookie(token: str, name: str = SECURE, **headers: str) -> dict[str, str]:
    """The headers of a page of our own that was opened by a link."""
    return {"cookie": f"{name}={token}", "sec-fetch-site": "same-origin", **headers}


@pytest.mark.protocol("P-26.1", "P-26.2")
async def test_a_links_token_becomes_a_cookie_of_its_session(closed: httpx.AsyncClient) -> None:
    """SE-08: only the paths of the session get it, no script reads it, and it ends with the browser."""
    token = make_token(sessions=["a"])
    response = await closed.post(LINK, headers=bearer(token))
    assert (response.status_code, response.content, response.headers["cache-control"]) == (204, b"", "no-store")
    assert response.headers["set-cookie"].startswith(f"{SECURE}={token}; ")
    assert attributes(response) == {"HttpOnly", "SameSite=Strict", "Secure", "Path=/api/progress/a"}
    response = await closed.post(f"http://127.0.0.1:8000{LINK}", headers=bearer(token))
    assert response.headers["set-cookie"].startswith(f"progress_sse_link={token}; ")
    assert attributes(response) == {"HttpOnly", "SameSite=Strict", "Path=/api/progress/a"}


@pytest.mark.parametrize("session_id", ["日本語; Path=x; HttpOnly", "a b'(c)!*~\"", "%2e", "..."])
async def test_the_cookie_has_the_path_that_a_browser_asks_for(closed: httpx.AsyncClient, session_id: str) -> None:
    """As encodeURIComponent writes it; no id adds an attribute."""
    path = f"/api/progress/{quote(session_id, safe=chr(39) + '!()*~')}"
    response = await closed.post(f"{path}/link", headers=bearer(FULL_TOKEN))
    assert attributes(response) == {"HttpOnly", "SameSite=Strict", "Secure", f"Path={path}"}


async def test_the_cookie_of_a_mounted_server_has_its_prefix() -> None:
    """A browser sends it to that server alone."""
    settings = load_settings(store="memory://", read="token", token_key=KEY)
    async with client_of(create_app(settings), root_path="/jobs", base="/jobs") as client:
        response = await client.post(LINK, headers=bearer(FULL_TOKEN))
    assert "Path=/jobs/api/progress/a" in attributes(response)


@pytest.mark.protocol("P-26.3")
@pytest.mark.parametrize("name", [SECURE, "progress_sse_link"])
async def test_a_link_lets_its_visitor_follow_the_session(closed: httpx.AsyncClient, name: str) -> None:
    """By each of its paths, and by nothing else."""
    headers = cookie(make_token(prefixes=[""], actions=["read", "publish", "list", "control"]), name)
    for path in READS:
        assert (await closed.head(by_link(path), headers=headers)).status_code == 200
    before = (await closed.get("/api/progress/a", headers=bearer(FULL_TOKEN))).content
    for method, path, body in OTHERS:
        response = await closed.request(method, by_link(path), json=body, headers=headers)
        assert_problem(response, 401, "unauthorized")
    assert (await closed.get("/api/progress/a", headers=bearer(FULL_TOKEN))).content == before


@pytest.mark.protocol("P-26.3")
async def test_a_link_shows_the_steps_of_its_session(closed: httpx.AsyncClient) -> None:
    """With what was learned of them, as to each reader of the session."""
    shown = await closed.get(by_link("/api/progress/a/steps"), headers=cookie(make_token(sessions=["a"])))
    assert shown.status_code == 200
    assert shown.json()["steps"][0]["name"] == "secret of a"


@pytest.mark.protocol("P-26.3")
@pytest.mark.parametrize(("actions", "status"), [(["read"], 403), (["read", "control"], 202)])
async def test_a_link_lets_its_visitor_ask_as_far_as_its_token_allows(
    closed: httpx.AsyncClient, actions: list[str], status: int
) -> None:
    """The answer names the methods that are open to it."""
    created = {"steps": [{"name": "x"}], "accepts": ["cancel"]}
    await closed.put("/api/progress/a?replace=true", json=created, headers=bearer(PUBLISH_TOKEN))
    headers = cookie(make_token(sessions=["a"], actions=actions))
    listed = await closed.head(by_link("/api/progress/a/requests"), headers=headers)
    assert ("POST" in listed.headers["allow"]) == (status == 202)
    asked = await closed.post(by_link("/api/progress/a/requests"), json={"kind": "cancel"}, headers=headers)
    assert asked.status_code == status


@pytest.mark.protocol("P-26.4")
async def test_a_link_and_the_visitors_own_token_never_mix(closed: httpx.AsyncClient) -> None:
    """SE-01: a request is by one of them, and what the other allows makes no difference."""
    mine, links = make_token(sessions=["a"], actions=["read", "publish"]), make_token(sessions=["b"])
    both = cookie(links, cookie=f"progress_sse={mine}; {SECURE}={links}")
    assert (await closed.head("/api/progress/a", headers=both)).status_code == 200
    assert_problem(await closed.get("/api/progress/b", headers=both), 403, "forbidden")
    assert_problem(await closed.get(by_link("/api/progress/a"), headers=both), 403, "forbidden")
    assert (await closed.head(by_link("/api/progress/b"), headers=both)).status_code == 200
    update = {"action": "start", "step": 1}
    assert_problem(await closed.post(by_link("/api/progress/a/update"), json=update, headers=both), 401, "unauthorized")
    for path, name in [(by_link("/api/progress/a"), "progress_sse"), ("/api/progress/a", SECURE)]:
        assert_problem(await closed.get(path, headers=cookie(FULL_TOKEN, name)), 401, "unauthorized")


async def test_a_cookie_that_needs_tls_comes_first(closed: httpx.AsyncClient) -> None:
    """A page without TLS can set the other one."""
    headers = cookie("", cookie=f"progress_sse_link={make_token(sessions=['b'])}; {SECURE}={FULL_TOKEN}")
    assert (await closed.head(by_link("/api/progress/a"), headers=headers)).status_code == 200


@pytest.mark.parametrize("query", ["link=0", "link=", "link", "link=1x", "Link=1", "x=link=1", "link=%31"])
async def test_only_one_word_makes_a_request_one_by_link(closed: httpx.AsyncClient, query: str) -> None:
    """Any other is for the visitor's own token."""
    response = await closed.get(f"/api/progress/a?{query}", headers=cookie(FULL_TOKEN))
    assert_problem(response, 401, "unauthorized")


@pytest.mark.protocol("P-26.1")
@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"sessions": ["b"]}, 403),
        ({"sessions": ["a"], "actions": ["control"]}, 403),
        ({"sessions": ["a"], "exp": 1}, 401),
        ({"sessions": ["a"], "aud": "another-service"}, 401),
        ({"sessions": ["a"], "key": "another-secret-that-is-longer-than-32-bytes"}, 401),
    ],
)
async def test_a_link_that_does_not_let_its_visitor_read_sets_no_cookie(
    closed: httpx.AsyncClient, claims: dict[str, Any], status: int
) -> None:
    """Whether the session exists makes no difference."""
    headers = bearer(make_token(**claims))
    refusals = [await closed.post(f"/api/progress/{each}/link", headers=headers) for each in ("a", "missing")]
    for response in refusals if status == 401 else refusals[:1]:
        assert_problem(response, status, "unauthorized" if status == 401 else "forbidden")
        assert "set-cookie" not in response.headers
    assert_problem(await closed.post(LINK, headers=cookie(FULL_TOKEN)), 401, "unauthorized")


async def test_a_link_of_a_server_that_is_open_to_readers_lets_its_visitor_ask(connect: Connect) -> None:
    """Where only publishing needs a token."""
    async with connect(token_key=KEY, publish_token=PUBLISH_TOKEN) as client:
        created = {"steps": [{"name": "x"}], "accepts": ["cancel"]}
        await client.put("/api/progress/a", json=created, headers=bearer(PUBLISH_TOKEN))
        assert_problem(await client.post(LINK), 401, "unauthorized")
        token = make_token(sessions=["a"], actions=["read", "control"])
        assert (await client.post(LINK, headers=bearer(token))).status_code == 204
        path = by_link("/api/progress/a/requests")
        assert_problem(await client.post(path, json={"kind": "cancel"}), 401, "unauthorized")
        assert (await client.post(path, json={"kind": "cancel"}, headers=cookie(token))).status_code == 202


async def test_a_links_cookie_ends_with_its_token(closed: httpx.AsyncClient) -> None:
    """The browser still sends it."""
    headers = cookie(make_token(sessions=["a"], exp=1))
    for path in READS:
        assert_problem(await closed.get(by_link(path), headers=headers), 401, "unauthorized")


@pytest.mark.protocol("P-26.5")
@pytest.mark.parametrize(("headers", "status"), CSRF.values(), ids=CSRF.keys())
async def test_a_links_cookie_lets_only_our_own_pages_ask(
    connect: Connect, headers: dict[str, str], status: int
) -> None:
    """SE-08: as the visitor's own cookie does."""
    async with connect(
        read="token", token_key=KEY, publish_token=PUBLISH_TOKEN, allow_origins=ALLOWED_ORIGIN
    ) as client:
        created = {"steps": [{"name": "x"}], "accepts": ["cancel"]}
        await client.put("/api/progress/a", json=created, headers=bearer(PUBLISH_TOKEN))
        token = make_token(sessions=["a"], actions=["read", "control"])
        sent = {"cookie": f"{SECURE}={token}", **headers}
        asked = await client.post(by_link("/api/progress/a/requests"), json={"kind": "cancel"}, headers=sent)
        assert asked.status_code == (202 if status == 200 else 403)
        assert (await client.get(by_link("/api/progress/a"), headers=sent)).status_code == 200
