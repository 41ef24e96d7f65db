"""The application of `docs/how-to/flask.md`, beside the server."""

from collections.abc import Iterator

import httpx
import pytest
from playwright.async_api import Browser

from tests.frameworks.how_to import COMPLETED, HowTo, follow
from tests.harness.serving import session_path
from tests.harness.tokens import bearer

pytestmark = [pytest.mark.processes, pytest.mark.full]


@pytest.fixture(scope="module")
def how_to(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HowTo]:
    """The running server and application."""
    page = HowTo("flask.md", tmp_path_factory.mktemp("flask"), 5000, 8000)
    page.write_files()
    with page.running("progress-sse serve", port=8000), page.running("flask run", port=5000):
        yield page


async def test_a_browser_gets_a_token_for_its_own_jobs_only(how_to: HowTo) -> None:
    """Its token opens the stream of its job, and the token of another browser does not."""
    async with httpx.AsyncClient(base_url=how_to.url(5000), follow_redirects=True) as client:
        assert "<form" in (await client.get("/imports")).text
        page = await client.post("/imports")
        session_id = page.url.path.rpartition("/")[2]
        assert f'<progress-steps session="{session_id}"' in page.text
        session = how_to.url(8000) + session_path(session_id)
        answer = await client.get("/progress-token")
        assert answer.headers["cache-control"] == "no-store"
        assert await follow(session, bearer(answer.text)) == COMPLETED
        assert (await client.delete(session, headers=bearer(answer.text))).status_code == 403
    async with httpx.AsyncClient(base_url=how_to.url(5000)) as stranger:
        token = (await stranger.get("/progress-token")).text
        assert (await stranger.get(session, headers=bearer(token))).status_code == 403
        assert (await stranger.get(session)).status_code == 401


async def test_the_page_shows_the_job(how_to: HowTo, chromium: Browser) -> None:
    """The form starts the job, and the element shows its end, with a token that it asked for."""
    async with await chromium.new_page() as page:
        page.set_default_timeout(90_000)  # For a busy machine.
        await page.goto(f"{how_to.url(5000)}/imports")
        await page.get_by_role("button").click()
        await page.wait_for_function("document.querySelector('progress-steps')?.matches(':state(completed)')")
