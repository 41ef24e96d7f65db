"""The recipes for front ends work, each with the real library, in the browser."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page, Route, expect

from tests.browser.page_driver import PageDriver
from tests.harness.serving import Server, Worker

WEB = Path(__file__).parents[2] / "web"
MODULES = WEB / "node_modules"
RECIPES = (WEB / "README.md").read_text("utf-8")

HEAD = '<!doctype html><html lang="en"><title>recipe</title><link rel="icon" href="data:,">'
OpenRecipe = Callable[..., Awaitable[Page]]


def recipe(title: str, language: str) -> str:
    """The block below a heading."""
    match = re.search(rf"^## {title}\n.*?^```{language}\n(.*?)^```$", RECIPES, re.MULTILINE | re.DOTALL)
    assert match is not None, title
    return match[1]


def bundled(folder: Path, name: str, source: str, main: str) -> str:
    """Bundle a recipe in a file of this name, and a module that uses it, into one script."""
    (folder / name).write_text(source, "utf-8")
    (folder / "main.jsx").write_text(main, "utf-8")
    modules = {"progress-sse": "index.js", "progress-sse/progress-steps": "define.js"}
    aliases = [f"--alias:{name}={WEB / 'lib' / file}" for name, file in modules.items()]
    options = ["--bundle", "--format=esm", "--jsx=automatic", *aliases]
    command: list[str | Path] = [
        MODULES / ".bin" / "esbuild",
        folder / "main.jsx",
        *options,
        '--define:process.env.NODE_ENV="production"',
    ]
    environment = {**os.environ, "NODE_PATH": str(MODULES)}
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.fixture
async def context(chromium: Browser) -> BrowserContext:
    """The test's own context."""
    return await chromium.new_context(locale="en-GB")


@pytest.fixture
async def open_recipe(server: Server, context: BrowserContext) -> AsyncIterator[OpenRecipe]:
    """Open `/recipe`, with this body and these responses on other paths, and check that the console has no errors."""
    drivers: list[PageDriver] = []

    async def open_page(body: str, **answers: str | Path) -> Page:
        page = await context.new_page()
        drivers.append(PageDriver(page))

        async def answer(route: Route) -> None:
            given = answers.get(route.request.url.rpartition("/")[2].removesuffix(".js"))
            if given is None:
                await route.fulfill(content_type="text/html; charset=utf-8", body=f"{HEAD}<body>{body}")
            else:
                script = given.read_text("utf-8") if isinstance(given, Path) else given
                await route.fulfill(content_type="text/javascript; charset=utf-8", body=script)

        await page.route("**/recipe*", answer)
        for name in answers:
            await page.route(f"**/{name}.js", answer)
        await page.goto(f"{server.url}/recipe")
        return page

    yield open_page
    assert [driver.errors for driver in drivers] == [[]]


async def test_plain_page(open_recipe: OpenRecipe, worker: Worker) -> None:
    """The children are shown until there is a state."""
    page = await open_recipe(recipe("A plain page", "html"))
    await worker.create("nightly", replace=True, total_steps=2)
    await worker.start("nightly", 1)
    await worker.complete("nightly", 1)
    await expect(page.get_by_role("progressbar").first).to_have_attribute("aria-valuenow", "50")
    await expect(page.locator("progress-steps")).to_contain_text("Nightly import")


async def test_react(open_recipe: OpenRecipe, worker: Worker, sid: str, tmp_path: Path) -> None:
    """The component follows another session when given one, and none once it is unmounted."""
    main = """
        import "progress-sse/progress-steps";
        import { createRoot } from "react-dom/client";
        import { Job } from "./recipe.jsx";

        const root = createRoot(document.querySelector("#root"));
        window.show = (sessionId) => root.render(
          <>
            <Job sessionId={sessionId} />
            <progress-steps session={sessionId} />
          </>
        );
        window.unmount = () => root.unmount();
    """
    script = bundled(tmp_path, "recipe.jsx", recipe("React", "jsx"), main)
    page = await open_recipe('<div id="root"></div><script type="module" src="/main.js"></script>', main=script)
    await worker.start(sid, 1)
    await worker.complete(sid, 1)
    await page.evaluate("show", sid)
    await expect(page.get_by_role("progressbar", name=sid, exact=True)).to_have_attribute("value", "14")
    await expect(page.locator("progress-steps")).to_contain_text("14%")
    await expect(page.locator("progress-steps .steps")).to_have_css("list-style-type", "none")
    await worker.create(f"{sid}-other", total_steps=2)
    await page.evaluate("show", f"{sid}-other")
    await worker.start(f"{sid}-other", 1)
    await worker.complete(f"{sid}-other", 1)
    await expect(page.get_by_role("progressbar", name=f"{sid}-other", exact=True)).to_have_attribute("value", "50")
    await expect(page.locator("progress-steps")).to_contain_text("50%")
    await page.evaluate("unmount()")
    await expect(page.get_by_role("progressbar")).to_have_count(0)


async def test_vue(open_recipe: OpenRecipe, worker: Worker, sid: str, tmp_path: Path) -> None:
    """The composable follows the session that its argument currently names."""
    main = """
        import { createApp, h, ref } from "vue";
        import { useProgress } from "./recipe.js";

        const sessionId = ref("");
        window.show = (id) => {
          sessionId.value = id;
          createApp({
            setup() {
              const data = useProgress(sessionId);
              return () => h("output", data.value?.session_id + " " + data.value?.percentage);
            },
          }).mount("#root");
        };
        window.change = (id) => (sessionId.value = id);
    """
    script = bundled(tmp_path, "recipe.js", recipe("Vue", "js"), main)
    page = await open_recipe('<div id="root"></div><script type="module" src="/main.js"></script>', main=script)
    await worker.start(sid, 1)
    await page.evaluate("show", sid)
    await worker.complete(sid, 1)
    await expect(page.locator("output")).to_have_text(f"{sid} 14")
    await page.evaluate("change", f"{sid}-other")
    await worker.start(f"{sid}-other", 1)
    await expect(page.locator("output")).to_have_text(f"{sid}-other 0")


async def test_htmx(open_recipe: OpenRecipe, context: BrowserContext, worker: Worker) -> None:
    """Each event requests the fragment, and `end` closes the stream."""
    await worker.create("nightly", replace=True, total_steps=1)

    async def fragment(route: Route) -> None:
        data = await worker.poll("nightly")
        await route.fulfill(content_type="text/html", body=f"{data['status']} {data['percentage']}%")

    await context.route("**/fragments/nightly", fragment)
    body = (
        '<script src="/htmx.js"></script><script src="/sse.js"></script>'
        + "<script>addEventListener('htmx:sseClose', ({ detail }) => (window.sseClosed = detail.type))</script>"
        + recipe("htmx", "html")
    )
    page = await open_recipe(
        body, htmx=MODULES / "htmx.org" / "dist" / "htmx.js", sse=MODULES / "htmx-ext-sse" / "dist" / "sse.js"
    )
    await worker.start("nightly", 1)
    await expect(page.locator("p")).to_have_text("running 0%")
    await worker.complete("nightly", 1)
    await expect(page.locator("p")).to_have_text("completed 100%")
    await page.wait_for_function("window.sseClosed === 'message'")


async def test_turbo(open_recipe: OpenRecipe, worker: Worker) -> None:
    """The same element goes from page to page, and continues to follow."""
    await worker.create("nightly", replace=True, total_steps=2)
    body = '<script type="module" src="/turbo.js"></script><a href="/recipe-2">next</a>' + recipe("Turbo", "html")
    page = await open_recipe(body, turbo=MODULES / "@hotwired" / "turbo" / "dist" / "turbo.es2017-esm.js")
    await worker.start("nightly", 1)
    bar = page.get_by_role("progressbar").first
    await expect(bar).to_have_attribute("aria-valuenow", "0")
    await page.evaluate("document.querySelector('#nightly').kept = true")
    await page.get_by_role("link", name="next").click()
    await expect(page).to_have_url(re.compile("recipe-2$"))
    assert await page.evaluate("document.querySelector('#nightly').kept")
    await worker.complete("nightly", 1)
    await expect(bar).to_have_attribute("aria-valuenow", "50")
