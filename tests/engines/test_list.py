"""Lists of sessions in each engine: the home page, and the element in a page of a user."""

from pathlib import Path

import pytest

from tests.browser.home_page import home_of
from tests.engines.conftest import OpenTab
from tests.engines.pages import write_list_page
from tests.harness.chaos import ChaosProxy
from tests.harness.serving import Server, Worker

pytestmark = [pytest.mark.full, pytest.mark.alone]

IN_ELEMENT = "document.querySelector('progress-list').shadowRoot"


async def test_the_home_page_lists_jobs_live(proxy: ChaosProxy, worker: Worker, open_tab: OpenTab, sid: str) -> None:
    """A job appears, changes its state and is removed, also while the connection was broken."""
    tab = await open_tab(f"http://localhost:{proxy.port}/?prefix={sid}")
    await tab.until_text(".connection", "live")
    await worker.create(f"{sid}-1", total_steps=2, title="First")
    await tab.until_texts(".list-link", ["First"])
    await tab.until_texts(".list-word", ["Waiting"])
    await worker.create(f"{sid}-2", total_steps=2)
    await tab.until_texts(".list-link", [f"{sid}-2", "First"])
    await worker.start(f"{sid}-1", 1)
    await tab.until_texts(".list-word", ["Waiting", "Running"])
    await tab.until("document.title === '(1) Jobs'")
    proxy.cut()
    await worker.complete(f"{sid}-1", 1)
    await worker.delete(f"{sid}-2")
    await tab.until_texts(".list-link", ["First"])
    await tab.until_texts(".list-percent", ["50%"])
    await worker.update(f"{sid}-1", action="finish")
    await tab.until_texts(".list-word", ["Completed"])
    await worker.delete(f"{sid}-1")
    await tab.until_texts(".list-link", [])
    await tab.until_text(".list-empty p", "No job matches.")


async def test_filters_of_the_home_page_are_in_its_address(
    server: Server, worker: Worker, open_tab: OpenTab, sid: str
) -> None:
    """A click and the keyboard set them; a reload and the way back keep them."""
    for number, team in enumerate(["web", "web", "ops"]):
        await worker.create(f"{sid}-{number}", total_steps=2, labels={"team": team}, title=f"Job {number}")
    await worker.start(f"{sid}-0", 1)
    tab = await open_tab(home_of(server, sid))
    await tab.until_texts(".list-link", ["Job 2", "Job 1", "Job 0"])
    await tab.click(".list-row .chip[data-value=web]")
    await tab.until_texts(".list-link", ["Job 1", "Job 0"])
    await tab.click("#states button:nth-of-type(3)")
    await tab.until_texts(".list-link", ["Job 0"])
    filtered = home_of(server, sid, label="team:web", status="running")
    assert await tab.evaluate("location.href") == filtered
    await tab.go(filtered)
    await tab.until_texts(".list-link", ["Job 0"])
    await tab.until_texts("#states [aria-pressed=true] .home-count", ["1"])
    await tab.go(home_of(server, sid))
    await tab.go_back()
    await tab.until_texts(".list-link", ["Job 0"])
    await tab.go_back()
    await tab.until_texts(".list-link", ["Job 1", "Job 0"])
    await tab.type("/")
    await tab.until("document.activeElement.id === 'search'")
    await tab.type("job 1")
    await tab.until_texts(".list-link", ["Job 1"])
    assert await tab.evaluate("location.href") == home_of(server, sid, label="team:web", q="job 1")


async def test_an_element_lists_the_sessions_of_its_filter(
    server: Server, pages: Path, worker: Worker, open_tab: OpenTab, sid: str
) -> None:
    """Its children show while there are none; it follows its attributes, and a click leads to the session's page."""
    tab = await open_tab(server.url + write_list_page(pages, sid))
    await tab.evaluate("customElements.whenDefined('progress-list').then(() => null)")
    await tab.until("document.querySelector('#instead').checkVisibility()")
    await worker.create(f"{sid}-1", total_steps=2, labels={"team": "web"})
    await worker.create(f"{sid}-2", total_steps=2)
    await tab.until_texts(".list-link", [f"{sid}-2", f"{sid}-1"], IN_ELEMENT)
    assert not await tab.evaluate("document.querySelector('#instead').checkVisibility()")
    await worker.start(f"{sid}-2", 1)
    await tab.until_texts(".list-word", ["Running", "Waiting"], IN_ELEMENT)
    await tab.evaluate("void document.querySelector('progress-list').setAttribute('label', 'team:web')")
    await tab.until_texts(".list-link", [f"{sid}-1"], IN_ELEMENT)
    await worker.create(f"{sid}-3", total_steps=2, labels={"team": "web"})
    await worker.delete(f"{sid}-1")
    await tab.until_texts(".list-link", [f"{sid}-3"], IN_ELEMENT)
    assert await tab.evaluate("errors") == []
    await tab.click(".list-link", IN_ELEMENT)
    await tab.until(f"location.href === '{server.url}/s/{sid}-3' && document.querySelector('#connection') !== null")
