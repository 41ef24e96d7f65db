"""The home page: a live list of the sessions that its visitor may list."""

import re

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.home_page import home_of, names_of, row_of, rows_of, state_button
from tests.browser.page_driver import MARKUP
from tests.browser.session_page import page_of, run
from tests.conftest import Serve
from tests.harness.serving import Server, Worker

STEPS = [{"name": "Find"}, {"name": "Copy"}, {"name": "Sort"}]


async def test_an_empty_list_offers_the_line_that_starts_a_job(serve: Serve, open_page: OpenPage) -> None:
    """The job appears without a reload, moves, and leads to its page and back."""
    server = serve(heartbeat_s=1)
    shown = await open_page(server.url, permissions=["clipboard-read", "clipboard-write"])
    await expect(shown.page.get_by_text("No jobs yet.")).to_be_visible()
    commands = shown.page.locator("#start code")
    line = f"progress-sse run --url {server.url} --session my-job --name Download -- sleep 20"
    await expect(commands.first).to_have_text(line)
    run(await commands.last.text_content() or "")
    row = row_of(shown, "my-job")
    await expect(row).to_contain_text("Waiting")
    async with Worker.at(server) as worker:
        await worker.start("my-job", 1)
        await expect(row).to_contain_text("Running")
        await expect(row).to_contain_text("step 1 of 3")
        await expect(shown.page).to_have_title("(1) Jobs")
        await worker.complete("my-job", 1)
    await expect(row.get_by_role("progressbar", name="Progress of my-job")).to_have_attribute("aria-valuenow", "33")
    await row.get_by_role("link").click()
    await expect(shown.headline).to_contain_text("1 of 3 steps done")
    assert shown.page.url == page_of(server, "my-job")
    await shown.page.go_back()
    await expect(names_of(shown)).to_have_text(["my-job"])
    assert shown.errors == []


async def test_the_list_is_live(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """Newest first, below what needs attention; each state has its word; a session that is deleted goes."""
    await worker.create(f"{sid}-1", steps=STEPS, title="First", labels={"team": "web"})
    shown = await open_page(home_of(server, sid))
    await expect(names_of(shown)).to_have_text(["First"])
    await expect(row_of(shown, "First")).to_contain_text(re.compile(f"Waiting.*{sid}-1.*team: web"))
    await worker.create(f"{sid}-2", steps=STEPS)
    await expect(names_of(shown)).to_have_text([f"{sid}-2", "First"])
    await worker.start(f"{sid}-2", 2)
    await expect(row_of(shown, f"{sid}-2")).to_contain_text(re.compile(r"Running.*step 2 of 3"))
    await worker.complete(f"{sid}-2", 2, success=False, error="no more rows")
    await expect(row_of(shown, f"{sid}-2")).to_contain_text("Failed")
    await worker.update(f"{sid}-1", action="finish", links=[{"label": "Report", "url": "/report"}])
    await expect(row_of(shown, "First")).to_contain_text(re.compile(r"Completed.*100%"))
    report = shown.page.get_by_role("link", name="Report")
    assert await report.get_attribute("rel") == "noopener noreferrer nofollow"
    counts = ["Needs attention 1", "All 2", "Running 0", "Waiting 0", "Failed 1", "Cancelled 0", "Completed 1"]
    await expect(shown.page.locator("#states button")).to_have_text(counts)
    await worker.delete(f"{sid}-1")
    await expect(names_of(shown)).to_have_text([f"{sid}-2"])
    assert shown.errors == []


async def test_filters_are_in_the_address(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """Chips, states and search narrow the list; the browser's history and a reload keep them."""
    for number, team in enumerate(["web", "web", "ops"]):
        await worker.create(f"{sid}-{number}", steps=STEPS, labels={"team": team}, title=f"Job {number}")
    await worker.start(f"{sid}-0", 1)
    shown = await open_page(home_of(server, sid))
    await expect(names_of(shown)).to_have_text(["Job 2", "Job 1", "Job 0"])
    await row_of(shown, "Job 1").get_by_role("button", name="team: web").click()
    await expect(names_of(shown)).to_have_text(["Job 1", "Job 0"])
    await state_button(shown, "Running").click()
    await expect(names_of(shown)).to_have_text(["Job 0"])
    await expect(state_button(shown, "Running")).to_have_attribute("aria-pressed", "true")
    assert shown.page.url == home_of(server, sid, label="team:web", status="running")
    await shown.page.reload()
    await expect(names_of(shown)).to_have_text(["Job 0"])
    await shown.page.go_back()
    await expect(names_of(shown)).to_have_text(["Job 1", "Job 0"])
    await shown.page.get_by_role("button", name="Remove the filter team: web").click()
    await expect(names_of(shown)).to_have_text(["Job 2", "Job 1", "Job 0"])
    await shown.page.keyboard.press("/")
    await shown.page.keyboard.type("OPS")
    await expect(names_of(shown)).to_have_text(["Job 2"])
    assert shown.page.url == home_of(server, sid, q="OPS")
    await shown.page.keyboard.type("nothing")
    await expect(shown.page.get_by_text("No job matches.")).to_be_visible()
    await shown.page.get_by_role("button", name="Show all").click()
    assert shown.page.url == f"{server.url}/"
    await shown.page.goto(home_of(server, sid, status="lost"))
    await expect(shown.page.get_by_role("button", name="Remove the filter Lost")).to_be_visible()
    assert shown.errors == []


@pytest.mark.full
async def test_the_list_comes_back_with_the_server(serve: Serve, open_page: OpenPage) -> None:
    """While the server is away the list stays, and says so; afterwards it is true again."""
    server = serve(store="sqlite", heartbeat_s=1, retry_ms=300)
    async with Worker.at(server) as worker:
        for name in ("kept", "gone"):
            await worker.create(name, steps=STEPS)
        shown = await open_page(server.url)
        await expect(names_of(shown)).to_have_text(["gone", "kept"])
        server.kill()
        await expect(shown.part("connection")).to_have_text("reconnecting")
        await expect(names_of(shown)).to_have_text(["gone", "kept"])
        await shown.page.context.set_offline(True)
        await expect(shown.part("connection")).to_have_text("offline")
        await shown.page.context.set_offline(False)
        await expect(shown.part("connection")).to_have_text("reconnecting")
        server.start()
        await worker.delete("gone")
        await worker.start("kept", 1)
        await expect(names_of(shown)).to_have_text(["kept"], timeout=20_000)
        await expect(row_of(shown, "kept")).to_contain_text("Running")
        await expect(shown.part("connection")).to_have_text("live")


async def test_texts_of_workers_are_only_text(server: Server, worker: Worker, open_page: OpenPage, sid: str) -> None:
    """SE-11: titles, labels, errors and the names of links."""
    for number, markup in enumerate(MARKUP):
        await worker.create(
            f"{sid}-{number}",
            steps=STEPS,
            title=markup,
            labels={"label": markup},
            links=[{"label": markup, "url": "/x"}],
        )
        await worker.update(f"{sid}-{number}", action="finish", success=False, error=markup)
    shown = await open_page(home_of(server, sid))
    await expect(rows_of(shown)).to_have_count(len(MARKUP))
    for selector in (".list-link", ".list-error", ".list-result"):
        assert await shown.page.locator(selector).all_text_contents() == MARKUP[::-1]
    assert await shown.page.locator(".list-row .chip").all_text_contents() == [
        f"label: {each}" for each in MARKUP[::-1]
    ]
    assert await shown.page.locator(".list :is(img, script)").count() == 0
    assert shown.errors == []


@pytest.mark.parametrize("width", [320, pytest.param(800, marks=pytest.mark.full)])
async def test_nothing_overflows_sideways(
    server: Server, worker: Worker, open_page: OpenPage, sid: str, width: int
) -> None:
    """Very long texts have no blanks to break at."""
    labels = {f"{number}{'k' * 50}": "v" * 200 for number in range(3)}
    await worker.create(f"{sid}-{'i' * 40}", steps=STEPS, title="t" * 200, labels=labels)
    await worker.update(f"{sid}-{'i' * 40}", action="finish", success=False, error="e" * 300)
    shown = await open_page(home_of(server, sid), viewport={"width": width, "height": 700})
    await expect(rows_of(shown)).to_contain_text("Failed")
    size = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    scroll, client = await shown.evaluate(size)
    assert scroll <= client
    cut_off = await shown.evaluate(
        """() => {
            const { right } = document.querySelector(".list-table").getBoundingClientRect();
            const parts = [...document.querySelectorAll(".list-row :is(td, th, a, button, span, p)")];
            return parts.filter((part) => part.getBoundingClientRect().right > right).map((part) => part.className);
        }"""
    )
    assert cut_off == []
