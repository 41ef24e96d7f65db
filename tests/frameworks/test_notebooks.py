"""A job in a notebook: a real kernel runs its cells, and a browser shows what they put out."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.browser.session_page import COMPLETED
from tests.conftest import Serve
from tests.harness.http1 import HOST
from tests.harness.serving import Worker

pytestmark = pytest.mark.full

TOKEN = "of-the-worker"
Run = Callable[[str], Awaitable[dict[str, Any]]]


@pytest.fixture
async def run() -> AsyncIterator[Run]:
    """Run code as a cell of one kernel, and return the outputs by their media types, or the names of their streams."""
    from nbclient import NotebookClient  # Only the full run has it.
    from nbformat import v4

    client = NotebookClient(v4.new_notebook(), timeout=90, startup_timeout=90, kernel_name="python3")

    async def run(code: str) -> dict[str, Any]:
        client.nb.cells.append(v4.new_code_cell(code))
        cell = await client.async_execute_cell(client.nb.cells[-1], len(client.nb.cells) - 1)
        return {kind: data for out in cell.outputs for kind, data in out.get("data", {out.get("name"): out}).items()}

    async with client.async_setup_kernel():
        yield run


def new_progress(session_id: str, url: str) -> str:
    """The code that makes a progress, and starts the first of its two steps."""
    arguments = f"{session_id!r}, steps=['Find', 'Save'], url={url!r}, token={TOKEN!r}"
    return f"from progress_sse import Progress\nprogress = Progress({arguments})\nprogress.step(1).start()\n"


async def test_a_cell_shows_the_page_of_its_job(
    serve: Serve, run: Run, chromium: Browser, tmp_path: Path, sid: str
) -> None:
    """In few lines, and live; the job goes on without the tab, and the cell that is opened later shows its end."""
    notebook = serve(www=tmp_path).url.replace(HOST, "localhost")  # Another site.
    server = serve(frame_origins=notebook, publish_token=TOKEN)
    html = (await run(f"{new_progress(sid, server.url)}progress"))["text/html"]
    assert TOKEN not in html
    (tmp_path / "notebook.html").write_text(f"<!doctype html>{html}", "utf-8")
    tab = await chromium.new_page(locale="en-GB")
    await tab.goto(f"{notebook}/notebook.html")
    frame, headline = tab.frames[1], tab.frame_locator("iframe").locator(".headline")
    await expect(headline).to_contain_text("Step 1 of 2: Find")
    assert await frame.evaluate("document.documentElement.scrollHeight <= innerHeight"), "the frame cuts the page off"
    await expect(frame.get_by_role("listitem")).to_have_count(0)
    await run("progress.step(1).complete()\nprogress.step(2).start()")
    await expect(headline).to_contain_text("Step 2 of 2: Save")
    await tab.close()
    await run("progress.step(2).complete()\nprogress.flush()")
    tab = await chromium.new_page(locale="en-GB")
    await tab.goto(f"{notebook}/notebook.html")
    await expect(tab.frame_locator("iframe").locator(".headline")).to_have_text(COMPLETED)


@pytest.mark.parametrize("has_widgets", [True, False])
async def test_a_bar_of_tqdm_is_that_of_a_notebook(serve: Serve, run: Run, sid: str, has_widgets: bool) -> None:
    """A widget, or without ipywidgets the bar of a terminal; both report. Without an origin, the page is a link."""
    server = serve()
    if not has_widgets:
        await run("import sys, warnings\nsys.modules['ipywidgets'] = None\nwarnings.simplefilter('ignore')")
    bar = "for _ in tqdm('abc', desc='Rows', step=progress.step(1)): pass\nprogress.flush()\nprogress"
    outputs = await run(f"from progress_sse.bridges.tqdm import tqdm\n{new_progress(sid, server.url)}{bar}")
    assert outputs["text/html"].startswith("<a href=")
    assert ("application/vnd.jupyter.widget-view+json" in outputs) == has_widgets
    assert ("stderr" in outputs) == (not has_widgets)
    async with Worker.at(server) as worker:
        step = (await worker.poll(sid))["steps"][0]
    assert (step["message"], step["progress"]) == ("Rows", {"current": 3, "total": 3})
