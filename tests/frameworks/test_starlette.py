"""The application of `docs/how-to/starlette.md`."""

from pathlib import Path

import httpx
import pytest

from tests.frameworks.how_to import COMPLETED, HowTo, follow
from tests.harness.serving import session_path

pytestmark = [pytest.mark.processes, pytest.mark.full]


async def test_a_browser_follows_its_own_job_only(tmp_path: Path) -> None:
    """The cookie of the browser that started the job opens the stream, and no other cookie does."""
    how_to = HowTo("starlette.md", tmp_path, 8000)
    how_to.write_files()
    url = how_to.url(8000)
    with how_to.running("uvicorn", port=8000):
        async with httpx.AsyncClient(base_url=url, follow_redirects=True) as client:
            assert "<form" in (await client.get("/imports")).text
            page = await client.post("/imports")
            session_id = page.url.path.rpartition("/")[2]
            assert f'<progress-steps session="{session_id}"' in page.text
            assert (await client.get("/progress/web/define.js")).status_code == 200
            session = f"{url}/progress{session_path(session_id)}"
            assert await follow(session, {"Cookie": f"session={client.cookies['session']}"}) == COMPLETED
            assert (await client.delete(session)).status_code == 403
            assert "&#x27;" in (await client.get("/imports/'")).text
        async with httpx.AsyncClient(base_url=url) as stranger:
            assert (await stranger.get(session)).status_code == 403
            await stranger.post("/imports")
            assert (await stranger.get(session)).status_code == 403
