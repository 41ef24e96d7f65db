"""The project of `docs/how-to/django.md`, on the Django that this Python gives and on Django 6."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, Page

from tests.frameworks.how_to import COMPLETED, HowTo, follow
from tests.harness.serving import ROOT, session_path
from tests.harness.tokens import bearer

pytestmark = [pytest.mark.processes, pytest.mark.full, pytest.mark.timeout(600)]

DJANGO_6 = str(ROOT / ".venv" / "django6" / "bin" / "python")
PASSWORD = "a-password-of-the-tests"

PROJECT = """
django-admin startproject mysite .
python manage.py startapp jobs
mkdir jobs/templatetags
touch jobs/templatetags/__init__.py
"""

USERS = f"""
python manage.py migrate --verbosity 0
python manage.py shell --command "
from django.contrib.auth.models import User
for name in ('alice', 'bob'): User.objects.create_superuser(name, password='{PASSWORD}')
"
"""

WATCH = "window.seen = []; addEventListener('progress-update', ({ detail }) => seen.push(detail.data));"
"""Runs before the scripts of a page, and keeps what its element shows."""

HAS_MOVED = "seen.some(({ steps }) => steps.some(({ progress }) => 0 < progress?.current && progress.current < 100))"


class Site:
    """The project of the page, to be run beside the progress server or with it inside."""

    def __init__(self, folder: Path, python: str, *, is_inside: bool) -> None:
        self.how_to = HowTo("django.md", folder, 8000, 8001, python=python)
        self.url = self.how_to.url(8000)
        self.progress_url = f"{self.url}/progress" if is_inside else self.how_to.url(8001)
        self._is_inside = is_inside
        self.how_to.run(PROJECT)
        settings = folder / "mysite" / "settings.py"
        begun = settings.read_text("utf-8")
        self.how_to.write_files()
        added = settings.read_text("utf-8")
        if is_inside:
            assert added.count(self.how_to.url(8001)) == 1
            added = added.replace(self.how_to.url(8001), "/progress")
        settings.write_text(begun + added, "utf-8")
        if django_version(python) < (6,):
            tasks = folder / "jobs" / "tasks.py"
            text = tasks.read_text("utf-8")
            assert "from django.tasks import task\n" in text
            tasks.write_text(text.replace("from django.tasks import", "from django_tasks import"), "utf-8")
        self.how_to.run(USERS)

    @contextmanager
    def running(self) -> Iterator[None]:
        if self._is_inside:
            with self.how_to.running("uvicorn", port=8000):
                yield
        else:
            with self.how_to.running("progress-sse serve", port=8001), self.how_to.running("runserver", port=8000):
                yield

    def worker(self) -> AbstractContextManager[None]:
        return self.how_to.running("db_worker", after="uvicorn" if self._is_inside else "runserver")

    @asynccontextmanager
    async def logged_in(self, name: str) -> AsyncIterator[httpx.AsyncClient]:
        async with httpx.AsyncClient(base_url=self.url, follow_redirects=True, timeout=30) as client:
            await client.get("/admin/login/")
            await submit(client, "/admin/login/?next=/imports/", username=name, password=PASSWORD)
            yield client


def django_version(python: str) -> tuple[int, ...]:
    version = subprocess.check_output([python, "-c", "import django; print(*django.VERSION[:2])"], text=True)
    return tuple(map(int, version.split()))


async def submit(client: httpx.AsyncClient, path: str, **fields: str) -> httpx.Response:
    data = {**fields, "csrfmiddlewaretoken": client.cookies["csrftoken"]}
    return (await client.post(path, data=data)).raise_for_status()


async def log_in(page: Page, site: Site, path: str) -> None:
    page.set_default_timeout(90_000)  # For a busy machine.
    await page.goto(f"{site.url}/admin/login/?next={path}")
    await page.get_by_label("Username").fill("alice")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((sys.executable, False), id="beside"),
        pytest.param((DJANGO_6, False), id="django6-beside"),
        pytest.param((DJANGO_6, True), id="django6-inside"),
    ],
)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The running site, and its server."""
    python, is_inside = request.param
    site = Site(tmp_path_factory.mktemp("django"), python, is_inside=is_inside)
    with site.running():
        yield site


async def test_a_user_gets_a_token_for_their_own_jobs_only(site: Site) -> None:
    """Their token opens the stream of the job, which a worker does; the token of another user does not."""
    async with site.logged_in("alice") as alice, site.logged_in("bob") as bob:
        page = await submit(alice, "/imports/")
        session_id = page.url.path.split("/")[2]
        assert f'<progress-steps session="{session_id}" label="Import">' in page.text
        answer = await alice.get("/imports/token/")
        assert "no-store" in answer.headers["cache-control"]
        headers, session = bearer(answer.text), site.progress_url + session_path(session_id)
        followed = asyncio.create_task(follow(session, headers))
        with site.worker():
            assert await followed == COMPLETED
        assert (await alice.delete(session, headers=headers)).status_code == 403
        other = (await bob.get("/imports/token/")).text
        assert (await bob.get(session, headers=bearer(other))).status_code == 403
    async with httpx.AsyncClient(base_url=site.url) as stranger:
        assert (await stranger.get("/imports/token/")).status_code == 401
        assert (await stranger.get("/imports/")).status_code == 302
        assert (await stranger.get(session)).status_code == 401


async def test_the_page_shows_the_job_as_it_moves(site: Site, chromium: Browser) -> None:
    """It waits for the worker, and then shows the job from its start to its end."""
    async with await chromium.new_page() as page:
        await page.add_init_script(WATCH)
        await log_in(page, site, "/imports/")
        await page.get_by_role("button", name="Import").click()
        await page.wait_for_function("seen.at(-1)?.status === 'not_found'")
        with site.worker():
            await page.wait_for_function("seen.at(-1).status === 'completed'")
        assert await page.evaluate(HAS_MOVED)


async def test_a_page_says_that_it_may_not_show_the_job_of_another_user(site: Site, chromium: Browser) -> None:
    """The token of its user does not cover that job."""
    async with await chromium.new_page() as page:
        await log_in(page, site, "/imports/2-report/")
        await page.get_by_text("You are not allowed to see this job").wait_for()


async def test_the_newer_django_is_one_with_tasks() -> None:
    """Otherwise the tests of `django.tasks` would show nothing."""
    assert await asyncio.to_thread(django_version, DJANGO_6) >= (6,)
