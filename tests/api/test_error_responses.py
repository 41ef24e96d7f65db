"""Errors of pages: what a browser shows to its visitor, while programs get problems."""

import re

import httpx
import pytest

from progress_sse import create_app
from progress_sse.api.error_responses import TEXTS
from progress_sse.settings import load_settings
from tests.api.conftest import client_of
from tests.api.problems import assert_problem

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"}

ERRORS = {
    "GET /canary": (404, "There is no such page"),
    "GET /s/": (404, "There is no such page"),
    "GET /web/canary.js": (404, "There is no such page"),
    "GET /s/canary%00": (422, "This address is not valid"),
    "GET /s/canary%2Fb": (422, "This address is not valid"),
    f"GET /s/{'x' * 129}": (422, "This address is not valid"),
    "POST /s/canary": (405, "The server refused this request"),
}


@pytest.mark.protocol("P-17.6")
@pytest.mark.parametrize("request_line", ERRORS)
async def test_a_browser_gets_a_page(client: httpx.AsyncClient, request_line: str) -> None:
    """SE-10: under the policy of the page, with nothing of the request in it, and for this request alone."""
    status, title = ERRORS[request_line]
    method, path = request_line.split()
    response = await client.request(method, path, headers=BROWSER)
    assert (response.status_code, response.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert f"<h1>{title}</h1>" in response.text
    assert f"<title>{title}</title>" in response.text
    assert "canary" not in response.text
    assert "$" not in response.text
    page = await client.get("/s/any")
    assert response.headers["content-security-policy"] == page.headers["content-security-policy"]
    assert (response.headers["cache-control"], response.headers["x-content-type-options"]) == ("no-store", "nosniff")
    assert {"Accept", "Accept-Language"} <= set(response.headers["vary"].split(", "))
    [style] = re.findall(r'href="(web/page-\w+\.css)"', response.text)
    assert (await client.get(f"/{style}")).status_code == 200
    assert ("allow" in response.headers) == (status == 405)


@pytest.mark.protocol("P-17.6")
@pytest.mark.parametrize(
    "path", ["/api/", "/api/canary", "/api/progress/s/canary", "/api/progress/%00", "/livez/canary"]
)
async def test_the_api_answers_a_browser_with_a_problem(client: httpx.AsyncClient, path: str) -> None:
    """Whatever it accepts."""
    response = await client.get(path, headers=BROWSER)
    assert response.headers["content-type"] == "application/problem+json"
    assert "Accept-Language" not in response.headers["vary"]


@pytest.mark.parametrize(
    "accept", ["*/*", "application/json", "text/html;q=0.5, application/json", "text/html;q=x", ""]
)
async def test_a_program_gets_a_problem_of_a_page(client: httpx.AsyncClient, accept: str) -> None:
    """It likes HTML no better; a cache tells both apart."""
    response = await client.get("/canary", headers={"accept": accept})
    assert_problem(response, 404, "not-found")
    assert {"Accept", "Accept-Language"} <= set(response.headers["vary"].split(", "))


@pytest.mark.parametrize(
    ("languages", "language"),
    [
        ("ja", "ja"),
        ("ja-JP, en;q=0.5", "ja"),
        ("JA", "ja"),
        ("fr, ja;q=0.4, en;q=0.3", "ja"),
        ("en-GB, ja;q=0.9", "en"),
        ("ja;q=0.1, ja-JP;q=0.8, en;q=0.5", "ja"),
        ("ja;q=0, *", "en"),
        ("*", "en"),
        ("fr", "en"),
        ("ja;q=x", "en"),
        ("<script>", "en"),
        ("", "en"),
    ],
)
async def test_an_error_page_is_in_its_visitors_language(
    client: httpx.AsyncClient, languages: str, language: str
) -> None:
    """As far as there are texts."""
    response = await client.get("/canary", headers={**BROWSER, "accept-language": languages})
    assert f'<html lang="{language}">' in response.text
    assert f"<h1>{TEXTS[language]['missing']}</h1>" in response.text


def test_the_languages_have_the_same_texts() -> None:
    """Each has a text for each kind of error."""
    assert len({frozenset(texts) for texts in TEXTS.values()}) == 1


async def test_an_error_page_is_below_its_prefix() -> None:
    """Its style and its link lead to this server."""
    async with client_of(create_app(load_settings(store="memory://")), root_path='/jo"bs', base="/jo%22bs") as client:
        html = (await client.get("/canary", headers=BROWSER)).text
    assert '<base href="/jo&quot;bs/">' in html


async def test_a_page_that_the_server_cannot_show_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason is in the log alone."""

    def fail(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr("progress_sse.api.endpoints.pages.page_headers", fail)
    app = create_app(load_settings(store="memory://"))
    async with client_of(app, raise_app_exceptions=False) as client:
        response = await client.get("/s/a", headers=BROWSER)
    assert (response.status_code, "<h1>The server failed</h1>" in response.text) == (500, True)
    assert "secret" not in response.text


@pytest.mark.protocol("P-17.7")
async def test_other_sites_may_show_the_pages_where_they_are_named(client: httpx.AsyncClient) -> None:
    """SE-10: by default, no other."""
    for path in ("/", "/s/a", "/canary"):
        policy = (await client.get(path, headers=BROWSER)).headers["content-security-policy"]
        assert policy.endswith("; frame-ancestors 'self'")
    settings = load_settings(store="memory://", frame_origins="https://a.example,http://b.example:8080")
    async with client_of(create_app(settings)) as framed:
        for path in ("/", "/s/a", "/canary"):
            policy = (await framed.get(path, headers=BROWSER)).headers["content-security-policy"]
            assert policy.endswith("; frame-ancestors 'self' https://a.example http://b.example:8080")
