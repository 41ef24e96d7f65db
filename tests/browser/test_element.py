"""`<progress-steps>` in third-party pages, under a policy as strict as ours."""

import re
from html import escape
from typing import Any

import pytest
from playwright.async_api import Locator, expect

from tests.browser.conftest import OpenPage
from tests.browser.page_driver import MARKUP, POLLING_ONLY, SOURCES, PageDriver
from tests.harness.serving import Server, Worker

PAGE = """<!doctype html>
<html lang="{lang}"><meta charset="utf-8"><title>embedding</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'self'">
<script type="module" src="/web/define.js"></script>
<main>{content}</main>"""

INTERVALS = """
window.intervals = new Set();
const [set, clear] = [window.setInterval, window.clearInterval];
window.setInterval = (...args) => { const id = set(...args); intervals.add(id); return id; };
window.clearInterval = (id) => { intervals.delete(id); clear(id); };
"""
"""Runs before the page's scripts: records the intervals that an element may leave behind."""


@pytest.fixture
def embed(server: Server, open_page: OpenPage) -> Any:
    """Open a page with this content: `embed('<progress-steps session="x">')`."""

    async def open_embedding(content: str, lang: str = "en", **options: Any) -> PageDriver:
        html = PAGE.format(content=content, lang=lang)
        shown = await open_page(f"{server.url}/embedding", html=html, **options)
        await shown.until("customElements.get('progress-steps') !== undefined")
        return shown

    return open_embedding


def steps_for(session_id: str, attributes: str = "", inside: str = "") -> str:
    return f'<progress-steps session="{escape(session_id)}" {attributes}>{inside}</progress-steps>'


def element_of(shown: PageDriver) -> Locator:
    return shown.page.locator("progress-steps")


async def is_in_state(shown: PageDriver, state: str) -> None:
    await shown.until(f"document.querySelector('progress-steps').matches(':state({state})')")


async def test_element_shows_a_session_from_before_it_starts(worker: Worker, embed: Any, sid: str) -> None:
    """Its children show until it has a state; all files have the same origin, without inline styles."""
    shown = await embed(steps_for(sid, 'label="Import"', "<i id='instead'>please wait</i>"))
    await expect(shown.part("headline")).to_have_text("Waiting for the job to start")
    await expect(shown.page.locator("#instead")).to_be_hidden()
    await is_in_state(shown, "not_found")
    await worker.run(sid, 1, message="12 件")
    await expect(shown.part("percent")).to_have_text("14%")
    await expect(shown.part("steps").locator("li").first).to_have_text(re.compile(r"^ 原稿生成 \d+\.\d s12 件$"))
    await expect(shown.part("icon").first).to_have_accessible_name("done")
    await expect(shown.progressbar).to_have_accessible_name("Import")
    await expect(shown.part("session-id")).to_have_text("Import")
    await is_in_state(shown, "running")
    assert await shown.part("fill").evaluate("fill => getComputedStyle(fill).position") == "relative"
    assert shown.errors == []


async def test_element_can_be_hidden(worker: Worker, embed: Any, sid: str) -> None:
    """The `hidden` attribute hides it, whatever the page's styles say."""
    await worker.start(sid, 1)
    shown = await embed(steps_for(sid, "hidden"))
    await is_in_state(shown, "running")
    await expect(element_of(shown)).to_be_hidden()
    await element_of(shown).evaluate("element => { element.hidden = false; }")
    await expect(element_of(shown)).to_be_visible()


async def test_children_are_shown_until_there_is_a_state(server: Server, open_page: OpenPage, sid: str) -> None:
    """They stay if the server never answers."""
    shown = await open_page(f"{server.url}/livez")
    await shown.page.route("**/api/**", lambda route: route.abort())
    await shown.go(f"{server.url}/embedding", PAGE.format(lang="en", content=steps_for(sid, "", "<i>please wait</i>")))
    await expect(shown.page.locator("i")).to_be_visible()
    await expect(shown.progressbar).to_be_hidden()


async def test_several_sessions_in_one_element(worker: Worker, embed: Any, sid: str) -> None:
    """Each session has one bar."""
    names = [f"{sid}-{letter}" for letter in "abc"]
    shown = await embed(f'<progress-steps sessions="{" ".join(names)}"></progress-steps>')
    for total, name in enumerate(names, 1):
        await worker.create(name, total_steps=total)
        await worker.run(name, 1)
    await expect(shown.part("percent")).to_have_text(["100%", "50%", "33%"])
    await expect(shown.part("session-id")).to_have_text(names)
    for name in names:
        await expect(shown.page.get_by_role("progressbar", name=f"Progress of {name}", exact=True)).to_be_visible()
    assert sorted(await element_of(shown).evaluate("element => Object.keys(element.data)")) == names


async def test_events_report_changes_and_cross_shadow_roots(worker: Worker, embed: Any, sid: str) -> None:
    """There is an update for each change, one failure and one end with the data, and each connection state."""
    shown = await embed("<div id='host'></div>")
    await shown.evaluate(
        """(session) => {
            window.events = [];
            for (const name of ["update", "complete", "error", "statechange"])
                document.addEventListener(`progress-${name}`, ({detail}) => {
                    events.push([name, detail.session, detail.data?.status ?? detail.state]);
                });
            const element = document.createElement("progress-steps");
            element.session = session;
            document.getElementById("host").attachShadow({mode: "open"}).append(element);
        }""",
        sid,
    )
    await expect(shown.part("headline")).to_have_text("Waiting for the job to start")
    await worker.create(sid, total_steps=1)
    await worker.run(sid, 1, success=False)
    await worker.run(sid, 1)
    await shown.until("events.some(([name]) => name === 'complete')")
    await shown.until("events.some(([, , state]) => state === 'finished')")
    events = await shown.evaluate("events")
    assert {session for _, session, _ in events} == {sid}
    assert [(name, status) for name, _, status in events if name in ("complete", "error")] == [
        ("error", "error"),
        ("complete", "completed"),
    ]
    updates = [status for name, _, status in events if name == "update"]
    assert updates == ["not_found", "pending", "running", "error", "running", "completed"]
    assert [state for name, _, state in events if name == "statechange"][-2:] == ["live", "finished"]


async def test_attributes_and_properties_reflect_each_other(embed: Any, sid: str) -> None:
    """Attributes of the markup set properties, and properties set attributes."""
    shown = await embed(steps_for(sid, 'base-url="/jobs/" interval="500" transport="poll" label="L" timeline'))
    names = "element => ['session', 'baseUrl', 'interval', 'transport', 'label', 'timeline'].map(name => element[name])"
    assert await element_of(shown).evaluate(names) == [sid, "/jobs", 500, "poll", "L", True]
    html = await shown.evaluate(
        """() => {
            const element = document.createElement("progress-steps");
            Object.assign(element, {sessions: "a b", baseUrl: "/x", interval: 900, transport: "sse", timeline: true});
            return element.outerHTML;
        }"""
    )
    assert html == (
        '<progress-steps sessions="a b" base-url="/x" interval="900" transport="sse" timeline=""></progress-steps>'
    )


async def test_properties_may_come_before_the_definition(server: Server, open_page: OpenPage, sid: str) -> None:
    """A page's own script may run before ours has loaded."""
    html = PAGE.format(lang="en", content="<progress-steps></progress-steps>").replace(
        "/web/define.js", "/web/session-state.js"
    )
    shown = await open_page(f"{server.url}/embedding", html=html)
    await shown.evaluate(
        """(session) => {
            document.querySelector("progress-steps").session = session;
            const script = document.createElement("script");
            document.body.append(Object.assign(script, {type: "module", src: "/web/define.js"}));
        }""",
        sid,
    )
    await expect(shown.part("session-id")).to_have_text(sid)
    await expect(element_of(shown)).to_have_attribute("session", sid)


async def test_changed_session_is_followed_instead(worker: Worker, embed: Any, sid: str) -> None:
    """The former one is no longer followed."""
    other = f"{sid}-other"
    for name, total in ((sid, 2), (other, 4)):
        await worker.create(name, total_steps=total)
        await worker.run(name, 1)
    shown = await embed(steps_for(sid))
    await expect(shown.part("percent")).to_have_text(["50%"])
    await element_of(shown).evaluate("(element, other) => { element.session = other; }", other)
    await expect(shown.part("percent")).to_have_text(["25%"])
    assert shown.errors == []


async def test_a_removed_element_leaves_nothing_running(worker: Worker, embed: Any, sid: str) -> None:
    """No stream or timer is left; put back into the page, it continues."""
    await worker.start(sid, 1)
    shown = await embed(steps_for(sid), scripts=(SOURCES, INTERVALS))
    await expect(shown.part("headline")).to_contain_text("Step 1")
    assert await shown.evaluate("intervals.size") > 0
    await shown.evaluate("() => { window.element = document.querySelector('progress-steps'); element.remove(); }")
    await shown.until("sources.length && sources.every(({readyState}) => readyState === 2)")
    assert await shown.evaluate("intervals.size") == 0
    await worker.complete(sid, 1)
    await shown.evaluate("document.querySelector('main').append(element)")
    await expect(shown.part("percent")).to_have_text(["14%"])


async def test_the_element_keeps_its_styles_in_another_document(worker: Worker, embed: Any, sid: str) -> None:
    """A frame's document adopts no sheet of its parent."""
    await worker.start(sid, 1)
    shown = await embed(steps_for(sid))
    await expect(shown.part("headline")).to_contain_text("Step 1")
    await shown.evaluate(
        """() => {
            const frame = document.body.appendChild(document.createElement("iframe"));
            frame.contentDocument.body.append(document.querySelector("progress-steps"));
        }"""
    )
    fill = shown.page.frame_locator("iframe").locator(".fill")
    await expect(fill).to_have_css("position", "relative")
    assert shown.errors == []


async def test_retry_is_offered_where_the_page_can_do_it(worker: Worker, embed: Any, sid: str) -> None:
    """The page gets the session and its data."""
    shown = await embed(steps_for(sid))
    await worker.run(sid, 1, success=False, error="no")
    button = shown.page.get_by_role("button", name="Retry")
    await expect(shown.page.get_by_role("alert")).to_contain_text("no")
    await expect(button).to_be_hidden()
    await element_of(shown).evaluate(
        "element => { element.onretry = (session, data) => { window.retried = [session, data.status]; }; }"
    )
    await button.click()
    assert await shown.evaluate("retried") == [sid, "error"]


async def test_the_live_region_names_its_job(worker: Worker, embed: Any, sid: str) -> None:
    """A page may have several elements, so announcements begin with the label."""
    shown = await embed(steps_for(sid, 'label="Import"'))
    await expect(shown.part("connection")).to_have_text("live")
    # What an element shows at first is not announced.
    await expect(shown.part("headline")).to_have_text("Waiting for the job to start")
    await worker.start(sid, 1)
    await expect(shown.page.locator("[aria-live=polite]")).to_have_text("Import: Step 1 of 7: 原稿生成")


async def test_bar_fills_from_the_left_wherever_it_is(worker: Worker, embed: Any, sid: str) -> None:
    """Its languages are written left to right, also in a right-to-left page."""
    await worker.run(sid, 1)
    shown = await embed(f"<div dir='rtl'>{steps_for(sid)}</div>")
    await expect(shown.part("percent")).to_have_text("14%")
    lefts = [await shown.part(part).evaluate("part => part.getBoundingClientRect().x") for part in ("bar", "fill")]
    assert lefts[1] - lefts[0] < 5


async def test_an_element_in_the_markup_is_started_once(worker: Worker, embed: Any, sid: str) -> None:
    """Its attributes are set one by one before it is connected."""
    count = """document.addEventListener("progress-statechange", ({ detail }) => {
        window.states = [...(window.states ?? []), detail.state];
    });"""
    shown = await embed(steps_for(sid, 'interval="500" label="Import"'), scripts=(count,))
    await expect(shown.part("connection")).to_have_text("live")
    assert await shown.evaluate("states") == ["connecting", "live"]


async def test_copying_leaves_the_focus_where_it_was(worker: Worker, embed: Any, sid: str) -> None:
    """This holds over plain HTTP, too, where copying needs a selection."""
    await worker.run(sid, 1, success=False, error="no")
    shown = await embed(steps_for(sid), scripts=("Object.defineProperty(navigator, 'clipboard', {value: undefined})",))
    await shown.page.get_by_role("button", name="Copy").click()
    await expect(shown.page.get_by_role("button", name="Copied")).to_be_focused()


async def test_language_is_that_of_the_page_or_its_own(worker: Worker, embed: Any, sid: str) -> None:
    """The browser's language comes last."""
    shown = await embed(steps_for(sid), lang="ja")
    await expect(shown.part("headline")).to_have_text("ジョブの開始を待っています")
    await element_of(shown).evaluate("element => { element.lang = 'en'; }")
    await expect(shown.part("headline")).to_have_text("Waiting for the job to start")


async def test_bars_of_time_are_shown_only_with_their_attribute(worker: Worker, embed: Any, sid: str) -> None:
    """Without the attribute the tabulator passes the steps by, too."""
    await worker.start(sid, 1)
    shown = await embed(steps_for(sid))
    for count in (0, 1):
        await element_of(shown).evaluate("(element, count) => { element.timeline = count > 0; }", count)
        await expect(shown.part("headline")).to_contain_text("Step 1")
        await expect(shown.page.get_by_role("img", name="since ")).to_have_count(count)
        await expect(shown.page.locator(".steps > li[tabindex='0']")).to_have_count(count)


async def test_the_page_styles_the_element(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """By parts, custom properties and the inherited color-scheme. Font and alignment are its own."""
    style = (
        "<style>body { text-align: center; font-family: serif; }"
        "progress-steps { color-scheme: dark; --accent: rgb(1, 2, 3); }"
        "progress-steps::part(headline) { letter-spacing: 3px; }"
        "progress-steps::part(step-running) { outline: 5px solid red; }</style>"
    )
    html = f"<!doctype html>{style}<script type=module src=/web/define.js></script>{steps_for(sid)}"
    shown = await open_page(f"{server.url}/embedding", html=html)
    await worker.start(sid, 1)
    await worker.progress(sid, 1, 1, total=2)
    await expect(shown.part("count").first).to_have_text("1 / 2")

    async def computed(name: str, what: str) -> str:
        value: str = await shown.part(name).first.evaluate(f"e => getComputedStyle(e).{what}")
        return value

    assert await computed("headline", "letterSpacing") == "3px"
    assert (await computed("headline", "fontFamily")).startswith("system-ui")
    assert await computed("headline", "textAlign") == "start"
    assert await computed("gauge-fill", "backgroundColor") == "rgb(1, 2, 3)"
    assert await computed("card", "backgroundColor") == "rgb(22, 27, 36)"
    outline = await shown.part("steps").locator("li").first.evaluate("e => getComputedStyle(e).outlineWidth")
    assert outline == "5px"


@pytest.mark.parametrize(
    "scripts", [(), pytest.param((POLLING_ONLY,), marks=pytest.mark.full)], ids=["stream", "polling"]
)
async def test_texts_of_workers_are_text_in_the_element(
    worker: Worker, embed: Any, sid: str, scripts: tuple[str, ...]
) -> None:
    """SE-11: under a policy that allows nothing inline."""
    await worker.create(sid, steps=[{"name": text} for text in MARKUP])
    shown = await embed(steps_for(sid), scripts=scripts)
    for step, text in enumerate(MARKUP, 1):
        await worker.run(sid, step, success=step < len(MARKUP), message=text, error=text)
    await expect(shown.part("headline")).to_have_text("Failed at step 5")
    for name in ("name", "message"):
        assert await shown.part("steps").locator(f".{name}").all_text_contents() == MARKUP
    assert await shown.part("error-text").all_text_contents() == MARKUP[-1:]
    assert await shown.page.locator(".failed-step bdi").all_text_contents() == ["5", MARKUP[-1]]
    foreign = "element => element.shadowRoot.querySelectorAll('img, script, iframe, a, style').length"
    assert await element_of(shown).evaluate(foreign) == 0
    holders = shown.page.locator(".name, .message, .alert bdi")
    isolation = await holders.evaluate_all("all => all.map(e => getComputedStyle(e).unicodeBidi)")
    assert len(isolation) > 2 * len(MARKUP)
    assert set(isolation) == {"isolate"}
    assert shown.errors == []


async def test_module_can_be_imported_without_registering_anything(embed: Any, server: Server) -> None:
    """A page may register the element under another name."""
    shown = await embed("")
    defined = await shown.evaluate(
        """async (url) => {
            const { ProgressSteps } = await import(url);
            customElements.define("my-steps", class extends ProgressSteps {});
            return document.createElement("my-steps").shadowRoot !== null;
        }""",
        f"{server.url}/web/element.js",
    )
    assert defined is True
    assert shown.errors == []
