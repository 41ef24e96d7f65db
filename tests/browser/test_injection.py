"""Markup in ids, names and messages stays text on every page, by stream and by polls."""

import asyncio
import sys
from collections.abc import Iterator
from functools import partial
from html import escape
from urllib.parse import quote

import pytest
from playwright.async_api import Error, Route, expect

from tests.browser.conftest import OpenPage
from tests.browser.page_driver import MARKUP, POLLING_ONLY, PageDriver
from tests.harness.serving import Server, Worker, eventually, session_path

IDS = [
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    '"><script>alert(1)<\\script>',
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "{{7*7}} ${7*7} <%= 7*7 %> &lt;b&gt;",
    "שלום",
]
"""Valid ids that would act if a page treated them as markup; the last is written from right to left."""

POLLING = pytest.param((POLLING_ONLY,), id="polling", marks=pytest.mark.full)
each_transport = pytest.mark.parametrize("scripts", [pytest.param((), id="stream"), POLLING])

ALL_ELEMENTS = """() => {
    const roots = [document];
    for (const root of roots)
        for (const { shadowRoot } of root.querySelectorAll("*")) if (shadowRoot) roots.push(shadowRoot);
    return roots.flatMap((root) => [...root.querySelectorAll("*")]);
}"""
FOREIGN_ELEMENTS = f"""() => ({ALL_ELEMENTS})().filter((each) =>
    each.matches("img, iframe, object, embed, script:not([src]), b, style, form:not([id]), [href^='javascript:']")
    || each.getAttributeNames().some((name) => name.startsWith("on"))).map((each) => each.outerHTML)"""
"""Every element, in shadow roots too, that is not part of the pages, or that would run a script."""

UNISOLATED = f"""(texts) => ({ALL_ELEMENTS})()
    .filter((each) => each.childElementCount === 0 && texts.includes(each.textContent))
    .filter((each) => !["CODE", "PRE", "TITLE", "OPTION"].includes(each.tagName))
    .filter((each) => !getComputedStyle(each).unicodeBidi.startsWith("isolate"))
    .map((each) => each.outerHTML)"""
"""Every element that shows one of these texts without isolating its direction."""


async def assert_only_text(shown: PageDriver, texts: list[str]) -> None:
    """Check that nothing has run, nothing was added, and the direction of each text is isolated."""
    assert await shown.evaluate(FOREIGN_ELEMENTS) == []
    assert await shown.evaluate(UNISOLATED, texts) == []
    assert shown.errors == []


async def without_the_right_to_list(route: Route) -> None:
    response = await route.fetch()
    body = (await response.text()).replace(
        'name="progress-list" content="[&quot;&quot;]"', 'name="progress-list" content="[]"'
    )
    await route.fulfill(response=response, body=body)


async def fail_with_markup(worker: Worker, session_id: str) -> None:
    """Create a session whose texts are all markup, and whose last step has failed."""
    await worker.create(session_id, steps=[{"name": text} for text in MARKUP])
    for step, text in enumerate(MARKUP, 1):
        await worker.start(session_id, step)
        await worker.progress(session_id, step, 1, total=2, message=text)
        await worker.complete(session_id, step, success=step < len(MARKUP), message=text, error=text)


@each_transport
async def test_an_id_is_text_wherever_it_is_shown(
    server: Server, worker: Worker, open_page: OpenPage, scripts: tuple[str, ...]
) -> None:
    """SE-11: on its page and in its title, among several sessions, and in the lists of all and of recent sessions."""
    for session_id in IDS:
        await worker.start(session_id, 1)
    shown = await open_page(f"{server.url}/s/{quote(IDS[0], safe='')}", scripts=scripts)
    for session_id in (IDS[0], IDS[-1]):
        await shown.page.goto(f"{server.url}/s/{quote(session_id, safe='')}")
        await expect(shown.headline).to_contain_text("Step 1")
        assert await shown.page.locator("#session-id").text_content() == session_id
        assert (await shown.page.title()).endswith(session_id)
        await assert_only_text(shown, IDS)
    await shown.page.goto(f"{server.url}/?" + "&".join(f"session_id={quote(session_id)}" for session_id in IDS))
    await expect(shown.part("headline")).to_have_count(len(IDS))
    await expect(shown.part("headline").last).to_contain_text("Step 1")
    assert await shown.part("session-id").all_text_contents() == IDS
    await assert_only_text(shown, IDS)
    for may_list, selector in ((True, ".list-link"), (False, "#recent a")):
        if not may_list:
            await shown.page.route(f"{server.url}/", without_the_right_to_list)
        await shown.page.goto(server.url)
        links = shown.page.locator(selector)
        await expect(links.filter(has_text=IDS[-1]).first).to_be_visible()
        assert set(IDS) <= set(await links.all_text_contents())
        addresses = await links.evaluate_all("all => all.map(link => link.href)")
        assert all(address.startswith(f"{server.url}/s/") for address in addresses)
        await assert_only_text(shown, IDS)


@each_transport
async def test_texts_of_workers_are_text_among_several_jobs(
    server: Server, worker: Worker, open_page: OpenPage, sid: str, scripts: tuple[str, ...]
) -> None:
    """SE-11: names, messages and errors on the page that shows several sessions."""
    ids = [f"{sid}-{letter}" for letter in "ab"]
    shown = await open_page(f"{server.url}/?session_id={ids[0]}&session_id={ids[1]}", scripts=scripts)
    for session_id in ids:
        await fail_with_markup(worker, session_id)
    await expect(shown.part("headline")).to_have_text(["Failed at step 5"] * 2)
    for name in ("name", "message"):
        assert await shown.part("steps").locator(f".{name}").all_text_contents() == MARKUP * 2
    await assert_only_text(shown, MARKUP)


@each_transport
async def test_texts_of_pages_are_text_in_the_element(
    server: Server, worker: Worker, open_page: OpenPage, scripts: tuple[str, ...]
) -> None:
    """SE-11: ids and labels, by attributes."""
    for session_id in IDS:
        await worker.start(session_id, 1)
    alone = "".join(f'<progress-steps session="{escape(each)}"></progress-steps>' for each in IDS)
    labelled = "".join(
        f'<progress-steps session="{escape(IDS[0])}" label="{escape(each)}"></progress-steps>' for each in MARKUP
    )
    html = f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>embedding</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'self'">
<script type="module" src="/web/define.js"></script><main>{alone}{labelled}</main>"""
    shown = await open_page(f"{server.url}/embedding", html=html, scripts=scripts)
    await expect(shown.part("session-id")).to_have_count(len(IDS) + len(MARKUP))
    await expect(shown.part("headline").last).to_contain_text("Step 1")
    assert await shown.part("session-id").all_text_contents() == [*IDS, *MARKUP]
    await assert_only_text(shown, [*IDS, *MARKUP])


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    command = [sys.executable, "-m", "progress_sse", "demo", "--no-open", "--port", "{port}"]
    with Server(tmp_path_factory.mktemp("demo"), command=command) as running:
        yield running
        running.terminate()


@pytest.mark.full
@each_transport
async def test_texts_of_others_are_text_in_the_demo(
    demo: Server, open_page: OpenPage, scripts: tuple[str, ...]
) -> None:
    """SE-11: every client may report to the demo, on the visitor's session and on the newest one of a job."""
    ids = ["film-<svg onload=alert(1)>", "yours-markup"]
    async with Worker.at(demo) as worker:
        async with asyncio.timeout(20):
            while (await worker.poll("film-1"))["status"] == "not_found":  # noqa: ASYNC110 - asks the server
                await asyncio.sleep(0.05)
        for session_id in ids:
            await worker.client.delete(session_path(session_id))
            await fail_with_markup(worker, session_id)
        shown = await open_page(f"{demo.url}/#{ids[1]}", scripts=scripts)
        for place in ("film", "yours"):
            element = shown.page.locator(f"#{place}")
            await expect(element.locator(".headline")).to_have_text("Failed at step 5")
            assert await element.locator(".steps .message").all_text_contents() == MARKUP
        await assert_only_text(shown, [*MARKUP, *ids])


async def add_markup(route: Route) -> None:
    """The page as its server sends it, with parts appended that must not run."""
    response = await route.fetch()
    await route.fulfill(
        response=response,
        body=await response.text()
        + """<img src=x onerror="ran.push('handler')"><style>body { outline: 7px solid }</style>
<a id="tempting" href="javascript:ran.push('link')">x</a>
<script>ran.push('inline')</script><script src="data:,ran.push('data')"></script>""",
    )


def has_reported_each(shown: PageDriver) -> bool:
    """Whether the browser has reported the handler, the style, the link and the two scripts."""
    return len(shown.errors) >= 5


@pytest.mark.full  # Each run checks the text of the policy, in `tests/api/test_pages.py`.
async def test_the_policy_keeps_injected_markup_from_running(
    server: Server, demo: Server, open_page: OpenPage, sid: str
) -> None:
    """SE-11: the policy of every page forbids inline code, other origins, and scripts that add either."""
    for url in (f"{server.url}/s/{sid}", f"{demo.url}/"):
        shown = await open_page("about:blank", scripts=("window.ran = []",))
        await shown.page.route(url, add_markup)
        await shown.page.goto(url)
        await expect(shown.part("headline").first).to_be_visible()
        await shown.page.locator("#tempting").click()
        await shown.next_frames()
        await eventually(partial(has_reported_each, shown), 10)
        assert await shown.evaluate("ran") == []
        assert await shown.evaluate("getComputedStyle(document.body).outlineWidth") != "7px"
        with pytest.raises(Error, match="TrustedHTML"):
            await shown.evaluate("document.body.innerHTML = '<b>markup</b>'")
