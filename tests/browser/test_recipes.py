"""The recipes for front ends work, each with the real library, in the browser."""

import os
import re
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page, Route, expect

from tests.browser.page_driver import SOURCES, PageDriver
from tests.harness.serving import Server, Worker

WEB = Path(__file__).parents[2] / "web"
MODULES = WEB / "node_modules"
RECIPES = (WEB / "README.md").read_text("utf-8")

HEAD = '<!doctype html><html lang="en"><title>recipe</title><link rel="icon" href="data:,">'
OpenRecipe = Callable[..., Awaitable[Page]]


def recipe(title: str, language: str) -> str:
    match = re.search(rf"^## {title}\n.*?^```{language}\n(.*?)^```$", RECIPES, re.MULTILINE | re.DOTALL)
    assert match is not None, title
    return match[1]


COMPILE_VUE = """
import { readFileSync } from "node:fs";
import { compileScript, parse } from "vue/compiler-sfc";

const templateParseOptions = { isCustomElement: (tag) => tag === "progress-steps" };
const { descriptor } = parse(readFileSync(0, "utf8"), { templateParseOptions });
console.log(compileScript(descriptor, { id: "recipe", inlineTemplate: true }).content);
"""


def run(*command: str | Path, given: str = "") -> str:
    """Run a command in `web/`, and return its output."""
    environment = {**os.environ, "NODE_PATH": str(MODULES)}
    ran = subprocess.run(
        command, input=given, capture_output=True, text=True, cwd=WEB, env=environment, timeout=100, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def bundled(folder: Path, name: str, source: str, main: str, mode: str = "production") -> str:
    """Bundle a recipe in a file of this name, and a module that uses it, into one script."""
    (folder / name).write_text(source, "utf-8")
    (folder / "main.jsx").write_text(main, "utf-8")
    modules = {"": "index.js", "/progress-steps": "define.js", "/react": "react.js", "/vue": "vue.js"}
    options = ["--bundle", "--format=esm", "--jsx=automatic", f'--define:process.env.NODE_ENV="{mode}"']
    options += [f"--alias:progress-sse{name}={WEB / 'lib' / file}" for name, file in modules.items()]
    return run(MODULES / ".bin" / "esbuild", folder / "main.jsx", *options)


@pytest.fixture
async def context(chromium: Browser) -> AsyncIterator[BrowserContext]:
    """The test's own context."""
    async with await chromium.new_context(locale="en-GB") as context:
        yield context


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
    await worker.run("nightly", 1)
    await expect(page.get_by_role("progressbar").first).to_have_attribute("aria-valuenow", "50")
    await expect(page.locator("progress-steps")).to_contain_text("Nightly import")


async def stop_by_the_button(page: Page, worker: Worker, session_id: str) -> None:
    """Let the component show a session that may be cancelled, and press its button, which then goes."""
    await worker.create(session_id, total_steps=2, accepts=["cancel"])
    await worker.start(session_id, 1)
    await page.evaluate("show", session_id)
    button = page.get_by_role("button", name="Stop", exact=True)
    await button.click()
    await expect(button).to_have_count(0)
    assert [each["kind"] for each in (await worker.poll(session_id))["requests"]] == ["cancel"]


async def test_react(
    open_recipe: OpenRecipe, context: BrowserContext, worker: Worker, sid: str, tmp_path: Path
) -> None:
    """The component follows another session when given one, and none once it is unmounted, also in strict mode."""
    await context.add_init_script(SOURCES)
    main = """
        import { StrictMode } from "react";
        import { createRoot } from "react-dom/client";
        import { Job } from "./recipe.tsx";

        const root = createRoot(document.querySelector("#root"));
        window.show = (sessionId) => root.render(<StrictMode><Job sessionId={sessionId} /></StrictMode>);
        window.unmount = () => root.unmount();
    """
    script = bundled(tmp_path, "recipe.tsx", recipe("React", "tsx"), main, "development")
    page = await open_recipe('<div id="root"></div><script type="module" src="/main.js"></script>', main=script)
    await worker.run(sid, 1)
    await page.evaluate("show", sid)
    await expect(page.get_by_role("progressbar", name=f"{sid}, live", exact=True)).to_have_attribute("value", "14")
    await expect(page.locator("progress-steps")).to_contain_text("14%")
    await expect(page.locator("progress-steps .steps")).to_have_css("list-style-type", "none")
    other = f"{sid}-other"
    await worker.create(other, total_steps=2)
    await page.evaluate("show", other)
    await worker.run(other, 1)
    await expect(page.get_by_role("progressbar", name=f"{other}, live", exact=True)).to_have_attribute("value", "50")
    await expect(page.locator("progress-steps")).to_contain_text("50%")
    await stop_by_the_button(page, worker, f"{sid}-stopped")
    await page.evaluate("unmount()")
    await expect(page.get_by_role("progressbar")).to_have_count(0)
    await page.wait_for_function("sources.length && sources.every(({ readyState }) => readyState === 2)")


async def test_react_calls_the_newest_token_function(
    open_recipe: OpenRecipe, worker: Worker, sid: str, tmp_path: Path
) -> None:
    """A component has a new one each time that it renders, and is not started again."""
    hook = """
        import { useEffect, useRef } from "react";
        import { useProgress } from "progress-sse/react";

        window.states = [];
        window.asked = [];
        export function Job({ sessionId, user }) {
          const token = user === "" ? undefined : () => (asked.push(user), "t");
          const { data, state } = useProgress(sessionId, { token, transport: "poll", interval: 200 });
          useEffect(() => void states.push(state), [state]);
          return <output>{user} {data?.percentage}</output>;
        }
    """
    main = """
        import { createRoot } from "react-dom/client";
        import { Job } from "./recipe.jsx";

        const root = createRoot(document.querySelector("#root"));
        window.show = ([sessionId, user]) => root.render(<Job sessionId={sessionId} user={user} />);
    """
    script = bundled(tmp_path, "recipe.jsx", hook, main)
    page = await open_recipe('<div id="root"></div><script type="module" src="/main.js"></script>', main=script)
    await page.evaluate("show", [sid, "a"])
    await expect(page.locator("output")).to_have_text("a 0")
    await page.evaluate("show", [sid, "b"])
    await worker.run(sid, 1)
    await expect(page.locator("output")).to_have_text("b 14")
    assert await page.evaluate("[states, asked]") == [["connecting", "polling"], ["a"]]
    await page.evaluate("show", [sid, ""])
    await page.wait_for_function("states.length === 4")
    assert await page.evaluate("states") == ["connecting", "polling"] * 2
    await page.evaluate("show", [sid, "c"])
    await page.wait_for_function("states.length === 6")
    assert await page.evaluate("asked") == ["a", "c"]


@pytest.mark.full
async def test_react_lists_sessions(open_recipe: OpenRecipe, worker: Worker, sid: str, tmp_path: Path) -> None:
    """Labels that are new and equal at each render do not start the list again; others do."""
    hook = """
        import { useEffect } from "react";
        import { useProgressList } from "progress-sse/react";

        window.states = [];
        export function Jobs({ prefix, team }) {
          const { data, state } = useProgressList({ prefix, labels: { team }, transport: "poll", interval: 200 });
          useEffect(() => void states.push(state), [state]);
          return <output>{team} {data?.sessions.length}</output>;
        }
    """
    main = """
        import { createRoot } from "react-dom/client";
        import { Jobs } from "./recipe.jsx";

        const root = createRoot(document.querySelector("#root"));
        window.show = ([prefix, team]) => root.render(<Jobs prefix={prefix} team={team} />);
    """
    for number, team in enumerate(["web", "web", "ops"]):
        await worker.create(f"{sid}-{number}", total_steps=2, labels={"team": team})
    script = bundled(tmp_path, "recipe.jsx", hook, main)
    page = await open_recipe('<div id="root"></div><script type="module" src="/main.js"></script>', main=script)
    await page.evaluate("show", [sid, "web"])
    await expect(page.locator("output")).to_have_text("web 2")
    await page.evaluate("show", [sid, "web"])
    await worker.create(f"{sid}-3", total_steps=2, labels={"team": "web"})
    await expect(page.locator("output")).to_have_text("web 3")
    assert await page.evaluate("states") == ["connecting", "polling"]
    await page.evaluate("show", [sid, "ops"])
    await expect(page.locator("output")).to_have_text("ops 1")


@pytest.mark.full
async def test_vue(open_recipe: OpenRecipe, context: BrowserContext, worker: Worker, sid: str, tmp_path: Path) -> None:
    """The component follows another session when given one, and none once it is unmounted."""
    await context.add_init_script(SOURCES)
    main = """
        import { createApp, h, ref } from "vue";
        import Job from "./recipe.ts";

        const sessionId = ref("");
        const app = createApp({ render: () => h(Job, { sessionId: sessionId.value }) });
        window.show = (id) => (sessionId.value = id);
        window.unmount = () => app.unmount();
        app.mount("#root");
    """
    compiled = run("node", "--input-type=module", "--eval", COMPILE_VUE, given=recipe("Vue", "vue"))
    script = bundled(tmp_path, "recipe.ts", compiled, main)
    page = await open_recipe('<div id="root"></div><script type="module" src="/main.js"></script>', main=script)
    await expect(page.locator("progress")).to_have_accessible_name(", stopped")
    await worker.start(sid, 1)
    await page.evaluate("show", sid)
    await worker.complete(sid, 1)
    await expect(page.get_by_role("progressbar", name=f"{sid}, live", exact=True)).to_have_attribute("value", "14")
    await expect(page.locator("progress-steps")).to_contain_text("14%")
    await page.evaluate("show", f"{sid}-other")
    await worker.start(f"{sid}-other", 1)
    await expect(page.get_by_role("progressbar", name=f"{sid}-other, live", exact=True)).to_have_attribute("value", "0")
    await stop_by_the_button(page, worker, f"{sid}-stopped")
    await page.evaluate("unmount()")
    await expect(page.get_by_role("progressbar")).to_have_count(0)
    await page.wait_for_function("sources.length && sources.every(({ readyState }) => readyState === 2)")


@pytest.mark.full
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


@pytest.mark.full
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
