"""The application of `docs/how-to/embed.md`."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser

from progress_sse import Progress, ReportError
from tests.frameworks.how_to import COMPLETED, SECRET, STRICT_POLICY, HowTo, below_a_path, follow
from tests.harness.serving import session_path

ALICE = {"X-User": "alice"}

IS_COMPLETED = "() => document.querySelector('progress-steps').matches(':state(completed)')"
"""As a function, since the policy of a page forbids the evaluation of a string."""

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def how_to(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HowTo]:
    """The running application."""
    page = HowTo("embed.md", tmp_path_factory.mktemp("fastapi"), 8000)
    page.write_files()
    with page.running("uvicorn", port=8000):
        yield page


@pytest.fixture(scope="module")
def url(how_to: HowTo) -> str:
    """The address of the application."""
    return how_to.url(8000)


def test_a_job_is_started_as_a_proxy_would(how_to: HowTo) -> None:
    """The command of the page prints the address of the job's page."""
    assert re.search(r"^location: imports/alice-[0-9a-f]{32}\r?$", how_to.run_block("curl"), re.MULTILINE)


async def test_a_user_follows_the_job_and_no_other_user_does(url: str) -> None:
    """The page names the session, whose stream shows the job until its end."""
    async with httpx.AsyncClient(base_url=url, follow_redirects=True) as client:
        assert (await client.post("/imports")).status_code == 401
        page = await client.post("/imports", headers=ALICE)
        session_id = page.url.path.rpartition("/")[2]
        assert f'<progress-steps session="{session_id}"' in page.text
        assert (await client.get("/progress/web/define.js")).status_code == 200
        session = f"{url}/progress{session_path(session_id)}"
        assert await follow(session, ALICE) == COMPLETED
        for stranger in ({}, {"X-User": "bob"}, {"X-User": "alic"}, {"Authorization": f"Bearer {SECRET}"}):
            assert (await client.get(session, headers=stranger)).status_code == 403
        assert "&#x27;" in (await client.get("/imports/'")).text


async def test_a_worker_elsewhere_reports_with_the_token(url: str) -> None:
    """Its reports need the token; the user's login does not allow them."""

    def report(token: str | None) -> None:
        with Progress("alice-1", steps=["Load"], url=f"{url}/progress", token=token, on_error="raise") as progress:
            progress.step(1).run(int)

    for token in (None, "wrong"):
        with pytest.raises(ReportError):
            await asyncio.to_thread(report, token)
    await asyncio.to_thread(report, SECRET)
    async with httpx.AsyncClient(base_url=f"{url}/progress", headers=ALICE) as client:
        path = session_path("alice-1")
        assert (await client.get(path)).json()["status"] == "completed"
        for sent in (b"", "é".encode()):
            assert (await client.put(path, json={}, headers={b"Authorization": sent})).status_code == 403


@pytest.mark.full
async def test_the_page_works_below_a_path_and_under_a_strict_policy(
    tmp_path: Path, chromium: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy passes a path on, and its policy allows nothing of other origins and nothing inline."""
    monkeypatch.setenv("UVICORN_ROOT_PATH", "/app")
    how_to = HowTo("embed.md", tmp_path, 8000)
    how_to.write_files()
    with how_to.running("uvicorn", port=8000), below_a_path("/app", how_to.url(8000), STRICT_POLICY) as url:
        page = await chromium.new_page(extra_http_headers=ALICE)
        page.set_default_timeout(90_000)  # For a busy machine.
        started = await page.request.post(f"{url}/imports")
        assert started.url.startswith(f"{url}/imports/alice-")
        await page.goto(started.url)
        await page.wait_for_function(IS_COMPLETED)
        await page.close()
