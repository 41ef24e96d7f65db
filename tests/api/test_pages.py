"""The page and its files, and the health endpoints."""

import gzip
import os
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from progress_sse import create_app
from progress_sse.api.endpoints import pages
from progress_sse.api.page_files import ASSETS, LIB
from progress_sse.notices.web_push import PushKey
from progress_sse.settings import load_settings
from tests.api.conftest import Connect, client_of
from tests.harness.tokens import CLOSED, PUBLISH_TOKEN, make_token


@pytest.mark.parametrize("path", ["/", "/s/any", "/s/日本語"])
async def test_the_page_is_served_under_a_strict_policy(client: httpx.AsyncClient, path: str) -> None:
    """SE-10: nothing inline, nothing from elsewhere, and no referrer for other sites."""
    response = await client.get(path)
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    policy = set(response.headers["content-security-policy"].split("; "))
    assert {"default-src 'self'", "object-src 'none'", "base-uri 'self'", "frame-ancestors 'self'"} <= policy
    assert {"require-trusted-types-for 'script'", "trusted-types progress-sse"} <= policy
    assert not re.search(r"unsafe|\*|https?:", response.headers["content-security-policy"])
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert "style=" not in response.text
    assert not re.search(r"<script(?![^>]*\bsrc=)", response.text)


@pytest.mark.protocol("P-17.4")
@pytest.mark.parametrize("page", ["page", "home", "demo"])
async def test_a_page_names_two_bundles_that_browsers_keep(client: httpx.AsyncClient, page: str) -> None:
    """Each has the type that `nosniff` holds it to, and a hash in its name; the page is revalidated."""
    html = (ASSETS / f"{page}.html").read_text("utf-8")
    named = re.findall(r'(?:src|href)="(web/[^"]+)"', html)
    assert [Path(name).suffix for name in named] == [".css", ".js"]
    for name, media_type in zip(named, ("text/css", "text/javascript"), strict=True):
        response = await client.get(f"/{name}")
        assert response.status_code == 200
        assert response.headers["content-type"].startswith(media_type)
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert re.search(r"-[A-Z0-9]{8}\.", name)
        if media_type == "text/javascript":
            [source_map] = re.findall(r"^//# sourceMappingURL=(.+)$", response.text, re.MULTILINE)
            assert (await client.get(f"/web/{source_map}")).json()["sourcesContent"]


@pytest.mark.parametrize("page", sorted(ASSETS.glob("*.html")), ids=lambda page: page.name)
def test_each_page_has_an_icon(page: Path) -> None:
    """Of its own: a browser asks for no further file."""
    assert re.search(r'<link rel="icon" [^>]*href="data:image/svg', page.read_text("utf-8"))


@pytest.mark.parametrize(("languages", "own"), [("fr, ja;q=0.5, en;q=0.1", "ja"), ("en-GB", "en"), ("fr", "en")])
async def test_the_page_of_a_job_has_the_texts_of_its_visitor(
    client: httpx.AsyncClient, languages: str, own: str
) -> None:
    """And those of no other language."""
    response = await client.get("/s/any", headers={"accept-language": languages})
    assert response.headers["vary"] == "Accept-Encoding, Accept-Language"
    [script] = re.findall(r'<script src="(web/[^"]+)"', response.text)
    texts = (await client.get(f"/{script}")).text
    waiting = {"en": "Waiting for the job to start", "ja": "ジョブの開始を待っています"}
    assert [language for language, text in waiting.items() if text in texts] == [own]


async def test_files_of_the_same_name_are_revalidated(client: httpx.AsyncClient) -> None:
    """An upgrade reaches the pages of users at their next load."""
    for path in ("/s/any", *(f"/web/{name}" for name in ("tracker.js", "define.js", "element.js", "progress.css"))):
        response = await client.get(path)
        assert (response.status_code, response.headers["cache-control"]) == (200, "no-cache"), path
    response = await client.get("/")
    assert response.headers["cache-control"] == "private, no-cache", "it names what its visitor may list"


async def test_only_browser_files_are_served(client: httpx.AsyncClient) -> None:
    """A checkout has tests, tools and sources beside them."""
    web = LIB.parent
    inside = [path for path in web.rglob("*") if path.is_file() and "node_modules" not in path.parts]
    hidden = [path.relative_to(web) for path in inside if path.parent != LIB]
    assert Path("package.json") in hidden
    pages = [Path(page.name) for page in ASSETS.glob("*.html")]
    for path in [*hidden, *pages, Path("../pyproject.toml"), Path("nothing.js"), Path()]:
        assert (await client.get(f"/web/{path.as_posix()}")).status_code == 404, path


async def test_the_page_knows_its_prefix_and_who_needs_a_token(connect: Connect) -> None:
    """The server inserts both, escaped."""
    async with connect(publish_token="t") as client:
        html = (await client.get("/s/x")).text
        assert '<meta name="progress-publish" content="token">' in html
        assert '<meta name="progress-read" content="open">' in html
    async with connect(**CLOSED) as client:
        assert '<meta name="progress-read" content="token">' in (await client.get("/s/x")).text
    app = create_app(load_settings(store="memory://"))
    async with client_of(app, root_path='/jo"bs', base="/jo%22bs") as client:
        html = (await client.get("/s/x")).text
    assert '<base href="/jo&quot;bs/">' in html
    assert '<meta name="progress-publish" content="open">' in html


async def test_a_phone_keeps_a_page_by_the_manifest(tmp_path: Path) -> None:
    """Of whatever page it keeps: the app begins there. Servers at other paths of the origin are other apps."""
    key = tmp_path / "key.pem"
    key.write_bytes(PushKey.generate())
    settings = {"push": True, "push_contact": "mailto:ops@example.org", "push_key_file": key}
    app = create_app(load_settings(store="memory://", **settings))
    async with client_of(app, root_path="/jobs", base="/jobs") as client:
        assert '<meta name="progress-push" content="on">' in (await client.get("/s/x")).text
        response = await client.get("/manifest.webmanifest")
        assert response.headers["content-type"] == "application/manifest+json"
        manifest = response.json()
        assert "start_url" not in manifest
        assert (manifest["id"], manifest["scope"], manifest["display"]) == ("/jobs/", "/jobs/", "standalone")
        for icon in manifest["icons"]:
            found = await client.get(f"/{icon['src']}")
            assert (found.status_code, found.headers["content-type"]) == (200, icon["type"])


@pytest.mark.parametrize(("dev", "content"), [(True, "on"), (False, "off"), (None, "off")])
async def test_the_page_knows_whether_its_visitors_develop_jobs(
    connect: Connect, dev: bool | None, content: str
) -> None:
    """An application that embeds the server shows its pages to users, unless it says otherwise."""
    async with connect(dev=dev) as client:
        assert f'<meta name="progress-dev" content="{content}">' in (await client.get("/s/x")).text


async def test_the_state_of_a_session_is_loaded_with_its_page(connect: Connect) -> None:
    """By the address that its script asks for; not where the page may still have to get a token."""
    app = create_app(load_settings(store="memory://"))
    async with client_of(app, root_path="/jobs", base="/jobs") as client:
        link = (await client.get("/s/a%20b!'(*)%C3%A9")).headers["Link"]
        assert link == "</jobs/api/progress/a%20b!'(*)%C3%A9>; rel=preload; as=fetch; crossorigin"
    async with connect() as client:
        assert "Link" not in (await client.get("/")).headers
    async with connect(**CLOSED) as client:
        assert "Link" not in (await client.get("/s/x")).headers


async def test_the_page_asks_for_no_token_where_a_function_decides() -> None:
    """The server would not accept one."""
    async with client_of(create_app(load_settings(store="memory://"), authorize=lambda *_: False)) as client:
        assert '<meta name="progress-read" content="open">' in (await client.get("/s/x")).text


ALL = ("[&quot;&quot;]", "none")


@pytest.mark.parametrize(
    ("settings", "token", "said"),
    [
        ({}, "", ALL),
        ({"publish_token": PUBLISH_TOKEN}, "", ("[]", "taken")),
        ({"publish_token": PUBLISH_TOKEN}, PUBLISH_TOKEN, ("[&quot;&quot;]", "taken")),
        (
            CLOSED,
            make_token(prefixes=["alice-", '"'], actions=["list"]),
            ("[&quot;alice-&quot;, &quot;\\&quot;&quot;]", "taken"),
        ),
        (CLOSED, make_token(prefixes=[""], actions=["read"]), ("[]", "taken")),
        (CLOSED, make_token(prefixes=[""], actions=["list"], exp=1), ("[]", "taken")),
        (CLOSED, "nonsense", ("[]", "taken")),
    ],
)
async def test_the_home_page_knows_what_its_visitor_may_list(
    connect: Connect, settings: dict[str, Any], token: str, said: tuple[str, str]
) -> None:
    """The server inserts the prefixes of the visitor's token, and whether a token helps."""
    async with connect(**settings) as client:
        response = await client.get("/", headers={"cookie": f"progress_sse={token}"} if token else {})
    assert response.status_code == 200
    assert f'<meta name="progress-list" content="{said[0]}">' in response.text
    assert f'<meta name="progress-tokens" content="{said[1]}">' in response.text


@pytest.mark.parametrize(("decision", "said"), [(True, "[&quot;&quot;]"), (False, "[]"), (None, "[]")])
async def test_the_home_page_knows_what_a_function_decides(decision: bool | None, said: str) -> None:
    """It may fail, as it may not know the list."""

    def authorize(_request: object, action: str, session_id: str | None) -> bool:
        assert (action, session_id) == ("list", None)
        assert decision is not None
        return decision

    async with client_of(create_app(load_settings(store="memory://"), authorize=authorize)) as client:
        html = (await client.get("/")).text
    assert f'<meta name="progress-list" content="{said}">' in html
    assert '<meta name="progress-tokens" content="none">' in html


async def test_the_home_page_counts_as_a_read(connect: Connect) -> None:
    """It says whether a token is valid, and so must not let a caller try any number of them."""
    async with connect(read_rate="2/hour", **CLOSED) as client:
        statuses = [
            (await client.get("/", headers={"cookie": f"progress_sse={token}"})).status_code
            for token in ("a", "b", "c")
        ]
        assert statuses == [200, 200, 429]
        assert (await client.get("/s/x")).status_code == 200


async def test_the_home_page_gives_way_to_named_sessions(client: httpx.AsyncClient) -> None:
    """A query without a name is none."""
    for query, page in (
        ("", "home"),
        ("?session_id=", "home"),
        ("?session_id=a&session_id=b", "page"),
        ("?x=1", "home"),
    ):
        assert f'href="web/{page}-' in (await client.get(f"/{query}")).text, query


@pytest.mark.protocol("P-17.1", "P-17.2")
async def test_a_healthy_server_is_alive_and_ready(client: httpx.AsyncClient) -> None:
    """Both endpoints say so."""
    for path in ("/livez", "/readyz"):
        response = await client.get(path)
        assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.protocol("P-17.2")
async def test_a_stopping_server_is_not_ready() -> None:
    """A load balancer then sends requests elsewhere."""
    app = create_app(load_settings(store="memory://"))
    app.state.service.streams.drain()
    async with client_of(app) as client:
        response = await client.get("/readyz")
    assert (response.status_code, response.json()) == (503, {"status": "draining"})


async def test_a_file_is_compressed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For clients that accept gzip, and until it changes; other clients get it uncompressed."""
    compressions: list[bytes] = []

    def compress(data: bytes, *, mtime: int) -> bytes:
        compressions.append(data)
        return gzip.compress(data, mtime=mtime)

    monkeypatch.setattr(pages, "LIB", tmp_path)
    monkeypatch.setattr(pages, "gzip", SimpleNamespace(compress=compress))
    async with client_of(create_app(load_settings(store="memory://"))) as client:
        for content in ("a" * 1000, "b" * 1000):
            (tmp_path / "x.js").write_text(content)
            os.utime(tmp_path / "x.js", ns=(0, len(compressions)))
            for _ in range(2):
                response = await client.get("/web/x.js", headers={"accept-encoding": "gzip, br"})
                assert (response.headers["content-encoding"], response.text) == ("gzip", content)
                assert int(response.headers["content-length"]) < 100
            plain = await client.get("/web/x.js", headers={"accept-encoding": "identity"})
            assert "content-encoding" not in plain.headers
            assert plain.text == content
            assert plain.headers["etag"] == response.headers["etag"]
            assert response.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
            known = {"accept-encoding": "gzip", "if-none-match": plain.headers["etag"]}
            assert (await client.get("/web/x.js", headers=known)).status_code == 304
        (tmp_path / "x.js").write_text("c" * 1000)  # An installer may give all files one time.
        os.utime(tmp_path / "x.js", ns=(0, len(compressions) - 1))
        pages._contents.cache_clear()  # noqa: SLF001 - as a restart does
        assert (await client.get("/web/x.js", headers=known)).text == "c" * 1000
    assert compressions == [b"a" * 1000, b"b" * 1000, b"c" * 1000]


@pytest.mark.parametrize("value", ["bytes=0-4", "bytes=9-1", "bytes=0-1,5-6", "lines=1", "x"])
async def test_a_file_is_served_as_a_whole(client: httpx.AsyncClient, value: str) -> None:
    """A `Range`, valid or not, is ignored."""
    whole = await client.get("/web/tracker.js")
    assert whole.headers["accept-ranges"] == "none"
    response = await client.get("/web/tracker.js", headers={"range": value})
    assert (response.status_code, response.content) == (200, whole.content)
