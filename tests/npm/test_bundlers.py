"""A user's page from each bundler, with the packed package: the element is styled and moves, in Chromium."""

import asyncio
import contextlib
import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.browser.page_driver import PageDriver
from tests.harness.http1 import HOST
from tests.harness.serving import Server, Worker
from tests.npm.conftest import FOLDER, MakeProject, run

pytestmark = [pytest.mark.full, pytest.mark.timeout(600)]

WAIT_S = 120

BUILDS: dict[str, list[str]] = {
    "vite build": ["node_modules/.bin/vite", "build"],
    "webpack": ["node", "webpack-build.mjs"],
    # As a user types it: an iife, in which `import.meta` is empty.
    "esbuild": [
        *("node_modules/.bin/esbuild", "app.js", "--bundle", "--minify", "--outfile=dist/app.js"),
        *('--define:process.env.NODE_ENV="production"', "--alias:react=react-18", "--alias:react-dom=react-dom-18"),
    ],
}
VITE_DEV = ["node_modules/.bin/vite", "--host", HOST, "--strictPort", "--port", "{port}"]

IS_HALF_FILLED = """() => {
    const { shadowRoot } = document.querySelector("progress-steps");
    const [bar, fill] = [".bar", ".fill"].map((part) => shadowRoot.querySelector(part).getBoundingClientRect().width);
    return bar > 100 && Math.abs(bar - 2 * fill) < 2;
}"""


@pytest.fixture
def project(make_project: MakeProject) -> Path:
    """The user's page; vite's development server passes requests on to the progress server."""
    names = ("app.js", "index.html", "webpack-build.mjs", "vite.config.js")
    return make_project({name: (FOLDER / name).read_text("utf-8") for name in names})


@contextlib.contextmanager
def static_site(folder: Path, connect_to: str) -> Iterator[str]:
    """Serve the files of a folder, under a policy that forbids inline styles."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def end_headers(self) -> None:
            self.send_header("Content-Security-Policy", f"default-src 'self'; img-src data:; connect-src {connect_to}")
            super().end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer((HOST, 0), functools.partial(Handler, directory=folder)) as site:
        threading.Thread(target=site.serve_forever).start()
        try:
            yield f"http://{HOST}:{site.server_port}"
        finally:
            site.shutdown()


def scripts(project: Path) -> str:
    return "\n".join(path.read_text("utf-8") for path in project.glob("dist/**/*.js"))


async def watch_a_job(chromium: Browser, page_url: str, worker: Worker, sid: str) -> None:
    """Look at the page while a job runs: everything is styled, and moves."""
    await worker.create(sid, total_steps=2)
    await worker.start(sid, 1)
    context = await chromium.new_context(locale="en-GB")
    shown = PageDriver(await context.new_page())
    shown.page.set_default_timeout(WAIT_S * 1000)
    await shown.page.goto(page_url)
    element = shown.page.locator("progress-steps")
    await expect(element.locator(".headline")).to_contain_text("Step 1 of 2", timeout=WAIT_S * 1000)
    await expect(element.locator(".connection")).to_have_text("live")
    await expect(element.locator(".steps")).to_have_css("list-style-type", "none")
    await expect(element.locator(".bar")).to_have_css("height", "26px")
    await expect(element.locator(".session")).to_have_css("border-radius", "14px")
    await worker.complete(sid, 1)
    await expect(element.locator(".percent")).to_have_text("50%")
    await expect(shown.page.locator("#react")).to_have_text("live 50")
    await expect(shown.page.locator("#vue")).to_have_text("live 50")
    await shown.page.wait_for_function(IS_HALF_FILLED)
    assert shown.errors == []
    await context.close()


async def test_vite_dev(project: Path, tmp_path: Path, chromium: Browser, sid: str) -> None:
    """Its proxy lets the stream through."""
    with Server(tmp_path / "server") as server:
        command = ["env", f"PROGRESS_URL={server.url}", *VITE_DEV]
        with Server(project, command=command) as vite:
            async with Worker.at(server) as worker:
                await watch_a_job(chromium, f"{vite.url}/?session={sid}", worker, sid)


@pytest.mark.parametrize("bundler", BUILDS)
async def test_build(project: Path, tmp_path: Path, chromium: Browser, sid: str, bundler: str) -> None:
    """The page of another origin reads from the server; esbuild's has React 18."""
    await asyncio.to_thread(run, *BUILDS[bundler], folder=project)
    assert "EventSource" in scripts(project)
    assert str(project) not in scripts(project), "the bundle has a path of the machine that built it"
    html = project / "dist" / "index.html"
    if not html.exists():
        html.write_text((project / "index.html").read_text("utf-8"), "utf-8")
    server = Server(tmp_path / "server")
    with static_site(project / "dist", server.url) as url:
        server.settings["allow_origins"] = url
        with server:
            async with Worker.at(server) as worker:
                await watch_a_job(chromium, f"{url}/?session={sid}&server={server.url}", worker, sid)


@pytest.mark.parametrize("bundler", BUILDS)
def test_an_unused_import_leaves_nothing(project: Path, bundler: str) -> None:
    """Importing from the package has no effects, except for the element's definition."""
    (project / "app.js").write_text('import { ProgressTracker } from "progress-sse";\n', "utf-8")
    run(*BUILDS[bundler], folder=project)
    assert "EventSource" not in scripts(project)
