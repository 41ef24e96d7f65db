"""The setting `www`: a folder of the operator's pages beside the API, and the files that it never shows."""

import os
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from progress_sse import create_app
from progress_sse.core.errors import ConfigurationError
from progress_sse.settings import load_settings
from progress_sse.wiring import served_folder
from tests.api.conftest import client_of
from tests.api.problems import assert_problem

PAGE = "<!doctype html><script>document.title = 1</script>"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret.txt").write_text("secret")
    folder = tmp_path / "www"
    (folder / "sub").mkdir(parents=True)
    (folder / "job.html").write_text(PAGE)
    (folder / "sub" / "data.json").write_text("{}")
    return folder


@pytest.fixture
def client(folder: Path) -> httpx.AsyncClient:
    """A client of a server with this folder; looking for the folder blocks, as a start may."""
    app = create_app(load_settings(store="memory://", www=folder))
    return client_of(app)


@pytest.fixture
def mounted(folder: Path) -> httpx.AsyncClient:
    """A client of a host that has such a server below `/jobs`."""
    app = Starlette(routes=[Mount("/jobs", create_app(load_settings(store="memory://", www=folder)))])
    return client_of(app)


async def test_a_page_is_served_with_its_inline_script(client: httpx.AsyncClient, folder: Path) -> None:
    """Its policy leaves scripts to the page, but no other site can frame it; browsers revalidate it."""
    async with client:
        response = await client.get("/job.html")
        assert (response.status_code, response.text) == (200, PAGE)
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        assert (
            response.headers["content-security-policy"] == "object-src 'none'; base-uri 'self'; frame-ancestors 'self'"
        )
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["referrer-policy"] == "no-referrer"
        assert response.headers["cache-control"] == "no-cache"
        known = {"if-none-match": response.headers["etag"]}
        assert (await client.get("/job.html", headers=known)).status_code == 304
        head = await client.head("/job.html")
        assert (head.status_code, head.content) == (200, b"")
        assert (await client.get("/sub/data.json")).headers["content-type"] == "application/json"
        (folder / "job.html").write_text("new")
        assert (await client.get("/job.html")).text == "new"


async def test_a_page_without_an_icon_gets_one(client: httpx.AsyncClient, folder: Path) -> None:
    """So that no browser meets a refusal; one of the folder comes first."""
    async with client:
        icon = await client.get("/favicon.ico")
        assert (icon.status_code, icon.headers["content-type"]) == (200, "image/svg+xml")
        (folder / "favicon.ico").write_text("mine")
        assert (await client.get("/favicon.ico")).text == "mine"


async def test_the_server_has_its_paths_first(client: httpx.AsyncClient, folder: Path) -> None:
    """No file takes the place of the page, of the API, or of a browser file."""
    for path in ("livez", "openapi.json", "s/a", "web/tracker.js", "api/steps", "api/other"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("mine")
    async with client:
        for path in ("/", "/livez", "/openapi.json", "/s/a", "/web/tracker.js", "/api/steps"):
            response = await client.get(path)
            assert (response.status_code, response.text == "mine") == (200, False), path
        assert_problem(await client.get("/api/other"), 404, "not-found")


@pytest.mark.parametrize(
    "path",
    [
        *("/secret.txt", "/../secret.txt", "/sub/../../secret.txt", "/%2e%2e/secret.txt"),
        *("/sub/%2e%2e/%2e%2e/secret.txt", "/..%5csecret.txt", "//secret.txt", "/job.html/x", "/job.html%00", "/sub"),
        *("/sub/", "/.hidden", "/.git/config", "/sub/.hidden", "/out.txt", "/out/secret.txt", "/alias.txt", "/pipe"),
        f"/{'x' * 5000}",
    ],
)
async def test_nothing_else_is_served(client: httpx.AsyncClient, folder: Path, path: str) -> None:
    """No file outside the folder by any path or link, no hidden file, no folder, and nothing that is not a file."""
    (folder / ".hidden").write_text("secret")
    (folder / "sub" / ".hidden").write_text("secret")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("secret")
    (folder / "out.txt").symlink_to(folder.parent / "secret.txt")
    (folder / "out").symlink_to(folder.parent)
    (folder / "alias.txt").symlink_to(folder / ".hidden")
    os.mkfifo(folder / "pipe")
    async with client:
        response = await client.send(
            client.build_request("GET", httpx.URL("http://progress.example", raw_path=path.encode()))
        )
    assert_problem(response, 404, "not-found")
    assert "secret" not in response.text


async def test_a_path_with_a_hidden_slash_is_refused(client: httpx.AsyncClient) -> None:
    """As everywhere in the server."""
    async with client:
        request = client.build_request("GET", httpx.URL("http://progress.example", raw_path=b"/sub%2fdata.json"))
        assert (await client.send(request)).status_code == 422


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_files_are_only_read(client: httpx.AsyncClient, method: str) -> None:
    """Every other method is refused, whether there is such a file or not."""
    async with client:
        for path in ("/job.html", "/nothing.html"):
            response = await client.request(method, path)
            assert_problem(response, 405, "method-not-allowed")
            assert response.headers["allow"] == "GET, HEAD"


async def test_a_name_may_begin_like_a_path_of_the_server(client: httpx.AsyncClient, folder: Path) -> None:
    """Only what lies below such a path is the server's."""
    for name in ("apidocs.html", "api.html", "livez.html", "web.html", "s.html"):
        (folder / name).write_text(name)
    async with client:
        for name in ("apidocs.html", "api.html", "livez.html", "web.html", "s.html"):
            assert (await client.get(f"/{name}")).text == name


async def test_files_lie_below_the_prefix_of_a_host(mounted: httpx.AsyncClient) -> None:
    """As everything of the server does."""
    async with mounted:
        assert (await mounted.get("/jobs/job.html")).text == PAGE
        assert (await mounted.get("/jobs/livez")).json() == {"status": "ok"}
        assert (await mounted.get("/job.html")).status_code == 404


async def test_without_the_setting_no_file_is_served(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even those of the working directory."""
    monkeypatch.chdir(folder)
    async with client_of(create_app(load_settings(store="memory://"))) as client:
        assert_problem(await client.get("/job.html"), 404, "not-found")


def test_a_folder_with_secrets_is_refused(folder: Path) -> None:
    """The database would be open to every client, and so would a private key."""
    for given in (
        {"store": f"sqlite:///{folder / 'progress.db'}"},
        {"store": f"sqlite:///{folder / 'sub' / 'progress.db'}"},
        {"store": "memory://", "token_key": str(folder / "key.pem"), "token_algorithm": "RS256"},
    ):
        with pytest.raises(ConfigurationError, match=r"is a file below www"):
            served_folder(load_settings(www=folder, **given))
    with pytest.raises(ConfigurationError, match=r"^store is a file below www"):
        create_app(load_settings(www=folder, store=f"sqlite:///{folder / 'progress.db'}"))
    create_app(load_settings(www=folder, store=f"sqlite:///{folder.parent / 'progress.db'}"))


def test_a_folder_that_is_missing_is_refused(tmp_path: Path) -> None:
    """In a sentence that names the setting."""
    with pytest.raises(ConfigurationError, match=r"^www"):
        load_settings(www=tmp_path / "missing")
