"""The layout of the page, its drawing, and its texts for assistive technology."""

from itertools import pairwise
from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.page_driver import SOURCES, PageDriver
from tests.browser.session_page import page_of
from tests.browser.session_states import every_state
from tests.browser.stubbed_session import StubbedSession
from tests.harness.chaos import ChaosProxy
from tests.harness.serving import Server, Worker, session_path

pytestmark = pytest.mark.full

UNCOVERED = "e => (({ right, top }) => document.elementFromPoint(right - 2, top + 12))(e.getBoundingClientRect()) === e"
EDGES = "all => all.map((each) => each.getBoundingClientRect()).map(({ left, right }) => `${left} ${right}`)"


async def test_running_step_ticks(worker: Worker, shown: PageDriver, sid: str) -> None:
    """It is drawn each second without a report of the worker; the tracker alone would draw it every other second."""
    await worker.start(sid, 1)
    await expect(shown.step(1)).to_contain_text("s)")
    ticks = await shown.evaluate(
        """() => new Promise((resolve) => {
            const elapsed = document.querySelector("#step-list .elapsed");
            const ticks = new Set();
            new MutationObserver(() => {
                ticks.add(parseInt(elapsed.textContent.slice(1)));
                if (ticks.size === 4) resolve([...ticks]);
            }).observe(elapsed, {childList: true, subtree: true, characterData: true});
        })"""
    )
    assert 1 in {later - earlier for earlier, later in pairwise(ticks)}


async def test_japanese_breaks_between_phrases(server: Server, open_page: OpenPage, sid: str) -> None:
    """自動で動きます is not broken at any width of a phone."""
    shown = await open_page(page_of(server, sid), locale="ja-JP", viewport={"width": 320, "height": 700})
    await expect(shown.part("counted")).to_have_text("ワーカーから報告があると、このページは自動で動きます。")
    for width in range(320, 430, 10):
        await shown.page.set_viewport_size({"width": width, "height": 700})
        lines = await shown.part("counted").evaluate(
            """counted => {
                const text = counted.firstChild, range = document.createRange();
                range.setStart(text, text.data.indexOf("自動で"));
                range.setEnd(text, text.data.indexOf("自動で") + 3);
                return range.getClientRects().length;
            }"""
        )
        assert lines == 1, width


async def test_stacked_combining_marks_cover_no_neighbours(worker: Worker, shown: PageDriver, sid: str) -> None:
    """SE-11: combining characters exceed their line; the steps above and below look the same."""
    pictures = []
    for piled in ("", "\u0334" + "\u0319\u0324\u031e\u0349\u035a\u032f\u0320\u034d" * 5):
        await worker.client.delete(session_path(sid))
        await worker.create(sid, steps=[{"name": "above " * 9}, {"name": f"Z{piled}" * 9}, {"name": "below " * 9}])
        await expect(shown.step(2).locator(".name")).to_have_text(f"Z{piled}" * 9)
        await shown.next_frames()
        pictures.append([await shown.step(step).locator(".name").screenshot() for step in (1, 3)])
    assert pictures[0] == pictures[1]


@pytest.mark.parametrize("width", [320, 390, 1280])
async def test_nothing_overflows_sideways(
    server: Server, worker: Worker, open_page: OpenPage, sid: str, width: int
) -> None:
    """This holds on a small phone and with very long words."""
    shown = await open_page(page_of(server, sid), viewport={"width": width, "height": 700})
    await expect(shown.page.locator("#drive")).to_be_visible()
    await worker.create(sid, steps=[{"name": "n" * 300}, {"name": "short"}])
    await worker.run(sid, 1, success=False, message="m" * 300, error="e" * 300)
    await expect(shown.page.get_by_role("alert")).to_contain_text("eee")
    inside: dict[str, Any] = await shown.evaluate(
        "({scroll: document.documentElement.scrollWidth, client: document.documentElement.clientWidth})"
    )
    assert inside["scroll"] <= inside["client"]


async def test_badge_leaves_the_bar_in_its_place(server: Server, open_page: OpenPage) -> None:
    """This holds on a phone, too, where a longer text takes the space of the session's id."""
    shown = await open_page(page_of(server, "nightly-import-of-orders"), viewport={"width": 390, "height": 844})
    await expect(shown.connection).to_have_text("live")
    top = "document.querySelector('.card').getBoundingClientRect().top"
    before = await shown.evaluate(top)
    await shown.connection.evaluate("badge => { badge.textContent = 'updating every 2 s'; }")
    assert await shown.evaluate(top) == before


async def test_milestones_are_announced_and_clocks_are_not(worker: Worker, shown: PageDriver, sid: str) -> None:
    """A polite live region has the milestones, without the first state; the progressbar is no live region."""
    region = shown.page.locator("[aria-live=polite][aria-atomic=true]")
    await expect(shown.headline).to_have_text("Waiting for the job to start")
    await expect(region).to_be_empty()
    await worker.start(sid, 1)
    await expect(region).to_have_text("Step 1 of 7: 原稿生成")
    assert await shown.page.locator("[aria-live]").count() == 1


async def test_reduced_motion_is_honoured(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """No decorative motion is left."""
    shown = await open_page(page_of(server, sid), reduced_motion="reduce")
    await worker.start(sid, 1)
    await expect(shown.step(1)).to_contain_text("🔄")
    moving = "document.getAnimations().filter(animation => animation.playState === 'running').length"
    assert await shown.evaluate(moving) == 0


async def test_title_and_icon_show_the_state(worker: Worker, shown: PageDriver, sid: str) -> None:
    """They show the percentage, the running step, and the outcome, also from another tab."""
    await expect(shown.page).to_have_title(f"… \N{EN DASH} {sid}")
    await worker.run(sid, 1)
    await worker.start(sid, 2)
    await expect(shown.page).to_have_title(f"14% メニュー登録 \N{EN DASH} {sid}")
    icon = "document.getElementById('favicon').href"
    running = await shown.evaluate(icon)
    assert running.startswith("data:image/svg+xml,")
    await worker.complete(sid, 2, success=False)
    await expect(shown.page).to_have_title(f"✗ \N{EN DASH} {sid}")
    failed = await shown.evaluate(icon)
    for step in range(2, 8):
        await worker.run(sid, step)
    await expect(shown.page).to_have_title(f"✓ \N{EN DASH} {sid}")
    assert len({running, failed, await shown.evaluate(icon)}) == 3
    assert shown.errors == []


@pytest.mark.parametrize("width", [390, 1280])
async def test_begun_steps_have_bars_on_one_axis(server: Server, open_page: OpenPage, sid: str, width: int) -> None:
    """However long their names and durations are; as the running one grows, the others shrink without an update."""
    state = every_state(sid)["running"]
    state["steps"][1]["name"] = "a long name " * 9
    viewport = {"width": width, "height": 900}
    shown = (await StubbedSession.open(state, server, open_page, viewport=viewport)).shown
    for column in (".timeline:visible", ".elapsed:visible"):
        await expect(shown.page.locator(column)).to_have_count(3)
        assert len(set(await shown.page.locator(column).evaluate_all(EDGES))) == 1
    assert await shown.step(2).locator(".name").evaluate(UNCOVERED)
    before = await shown.part("timeline-ran").nth(1).evaluate("bar => bar.offsetWidth")
    await shown.page.clock.fast_forward(3_600_000)
    await shown.until(f"document.querySelectorAll('.timeline-ran')[1].offsetWidth < {before} / 2")


async def test_the_document_changes_once_per_frame(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """The rate of updates does not matter."""
    shown = await open_page(page_of(server, sid), scripts=(SOURCES,))
    await worker.start(sid, 1)
    await expect(shown.step(1)).to_contain_text("🔄")
    writes, frames, last = await shown.evaluate(
        """async (polled) => {
            const { steps, ...session } = polled;
            let writes = 0, frames = 0, sent = 0;
            new MutationObserver(() => { writes += 1; })
                .observe(document.getElementById("page"), {subtree: true, childList: true, characterData: true});
            const frame = () => { frames += 1; requestAnimationFrame(frame); };
            requestAnimationFrame(frame);
            const { port1, port2 } = new MessageChannel();
            await new Promise((resolve) => {
                port1.onmessage = () => {
                    sent += 1;
                    const data = JSON.stringify({step: {...steps[0], message: `no. ${sent}`}, session});
                    sources.at(-1).dispatchEvent(new MessageEvent("step", {data, lastEventId: `x-${sent}`}));
                    if (sent < 500) port2.postMessage(0); else resolve();
                };
                port2.postMessage(0);
            });
            await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
            return [writes, frames, document.querySelector("#step-list .message").textContent];
        }""",
        await worker.poll(sid),
    )
    assert last == "no. 500"
    assert 0 < writes <= frames + 1


async def test_the_bar_glides_except_to_missed_changes(
    server: Server, worker: Worker, open_page: OpenPage, sid: str
) -> None:
    """After an outage the bar jumps to the missed state, without a transition that would draw attention."""
    async with ChaosProxy(server.port) as proxy:
        shown = await open_page(f"http://127.0.0.1:{proxy.port}/s/{sid}", reduced_motion="no-preference")
        await shown.evaluate(
            """() => {
                window.glided = 0;
                document.getElementById("progress-bar").addEventListener("transitionrun", () => { glided += 1; });
            }"""
        )
        await worker.start(sid, 1)
        await expect(shown.step(1)).to_contain_text("🔄")
        await worker.complete(sid, 1)
        await expect(shown.bar).to_have_text("14%")
        await shown.until("glided === 1")
        for link in proxy.links:
            link.close()
        await worker.run(sid, 2)
        await expect(shown.bar).to_have_text("28%")
        await shown.next_frames()
        assert await shown.evaluate("glided") == 1
