"""Take the README's picture of the page, light and dark: `make picture`."""

import asyncio
import tempfile
from pathlib import Path
from typing import Final, Literal

from playwright.async_api import Browser, FloatRect, async_playwright, expect

from tests.conftest import CHROMIUM, FLAGS
from tests.harness.serving import Server, Worker

IMAGES: Final = Path(__file__).parent / "images"
WAIT_MS: Final = 60_000
MARGIN_PX: Final = 12
STEP_S: Final = 6
STEPS: Final = [{"name": name, "estimated_ms": 1500 * STEP_S} for name in ("Find", "Resize", "Publish")]


async def main() -> None:
    """Run a job up to its second step, and take its picture in both colour schemes."""
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder)) as server:
        async with Worker.at(server) as worker, async_playwright() as playwright:
            await worker.create("photos", steps=STEPS, title="Photos of the week", labels={"album": "Lisbon"})
            await worker.start("photos", 1)
            await asyncio.sleep(STEP_S)
            await worker.complete("photos", 1, message="200 photos found")
            await worker.start("photos", 2)
            await asyncio.sleep(STEP_S)
            await worker.progress("photos", 2, current=124, total=200, message="IMG_0124.jpg")
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            for scheme in ("light", "dark"):
                await take_picture(browser, server.url, scheme)
            await browser.close()


async def take_picture(browser: Browser, url: str, scheme: Literal["light", "dark"]) -> None:
    """Take the picture of the session's view."""
    page = await browser.new_page(
        color_scheme=scheme, reduced_motion="reduce", locale="en-GB", viewport={"width": 720, "height": 900}
    )
    await page.goto(f"{url}/s/photos")
    view = page.get_by_role("article")
    await expect(view).to_contain_text("124 / 200", timeout=WAIT_MS)
    await expect(view).to_contain_text("live", timeout=WAIT_MS)
    box = await view.bounding_box()
    assert box is not None
    clip = FloatRect(x=0, y=0, width=box["x"] * 2 + box["width"], height=box["y"] + box["height"] + MARGIN_PX)
    await page.screenshot(path=IMAGES / f"page-{scheme}.png", clip=clip)
    await page.close()


if __name__ == "__main__":
    asyncio.run(main())
