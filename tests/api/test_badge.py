"""The badge of a session: what it shows, to which clients, and for how long a cache may keep it."""

from xml.etree import ElementTree as ET

import httpx
import pytest

from tests.api.conftest import FULL_TOKEN, PUBLISH_TOKEN
from tests.api.problems import assert_problem
from tests.browser.page_driver import MARKUP
from tests.harness.tokens import bearer, make_token

BADGE = "/s/a/badge.svg"
SVG = "{http://www.w3.org/2000/svg}"


async def texts_of(client: httpx.AsyncClient, path: str = BADGE) -> list[str | None]:
    response = await client.get(path)
    assert (response.status_code, response.headers["content-type"]) == (200, "image/svg+xml; charset=utf-8")
    picture = ET.fromstring(response.content)  # noqa: S314  # our own
    assert {each.tag.removeprefix(SVG) for each in picture.iter()} <= {"svg", "title", "clipPath", "rect", "g", "text"}
    texts = [each.text for each in picture.iter(f"{SVG}text")]
    assert picture.get("aria-label") == picture.findtext(f"{SVG}title") == f"{texts[0]}: {texts[1]}"
    return texts


@pytest.mark.protocol("P-17.8")
async def test_a_badge_shows_status_and_percentage(client: httpx.AsyncClient) -> None:
    """From before the session exists to its removal."""
    assert await texts_of(client) == ["a", "not found"]
    unknown = (await client.get(BADGE)).headers["etag"]
    await client.put("/api/progress/a", json={"total_steps": 3})
    assert await texts_of(client) == ["a", "pending"]
    for update, shown in (
        ({"action": "start", "step": 1}, "0%"),
        ({"action": "complete", "step": 1}, "33%"),
        ({"action": "start", "step": 2}, "33%"),
        ({"action": "complete", "step": 2, "success": False}, "failed"),
        ({"action": "start", "step": 3}, "33%"),
        ({"action": "start", "step": 2}, "33%"),
        ({"action": "finish", "success": False, "conclusion": "cancelled"}, "cancelled"),
        ({"action": "start", "step": 2}, "33%"),
        ({"action": "finish"}, "completed"),
    ):
        assert (await client.post("/api/progress/a/update", json=update)).status_code == 200
        assert (await texts_of(client))[1] == shown
    tag = (await client.get(BADGE)).headers["etag"]
    await client.delete("/api/progress/a")
    assert await texts_of(client) == ["a", "deleted"]
    assert (await client.get(BADGE)).headers["etag"] not in (tag, unknown)


async def test_a_badge_of_a_job_that_may_get_more_steps_counts_them(client: httpx.AsyncClient) -> None:
    """A percentage of steps that are not known would mean nothing."""
    await client.put("/api/progress/a", json={"open_ended": True})
    await client.post("/api/progress/a/update", json={"action": "start", "name": "x"})
    assert await texts_of(client) == ["a", "1 step so far"]


async def test_a_badge_of_a_timed_session_goes_by_time(client: httpx.AsyncClient) -> None:
    """As the bar of the page does."""
    steps = [{"name": "x", "estimated_ms": 1000}, {"name": "y", "estimated_ms": 3000}]
    await client.put("/api/progress/a", json={"steps": steps, "title": "Nightly import"})
    for action in ("start", "complete"):
        await client.post("/api/progress/a/update", json={"action": action, "step": 1})
    time = (await client.get("/api/progress/a")).json()["time"]["percentage"]
    assert time != 50
    assert await texts_of(client) == ["Nightly import", f"{time}%"]


@pytest.mark.parametrize("title", [*MARKUP[:-1], "]]>&#0;&lt;", "日本語"])
async def test_a_badge_shows_foreign_text_as_text(client: httpx.AsyncClient, title: str) -> None:
    """SE-10: whatever a worker says; and the picture may load and run nothing."""
    await client.put("/api/progress/a", json={"total_steps": 1, "title": title})
    assert (await texts_of(client))[0] == title
    response = await client.get(BADGE)
    assert response.headers["content-security-policy"] == "default-src 'none'"
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("title", "label"),
    [
        (MARKUP[-1], "abc  def"),
        ("\ufffe\uffff x", "x"),
        ("x" * 200, "x" * 39 + "…"),
        ("日本語" * 20, "日本語" * 13 + "…"),
        ("one\ntwo", "one two"),
    ],
)
async def test_a_badge_shows_what_fits_of_a_title(client: httpx.AsyncClient, title: str, label: str) -> None:
    """Without what acts on its surroundings, or is no text in XML."""
    await client.put("/api/progress/a", json={"total_steps": 1, "title": title})
    assert (await texts_of(client))[0] == label


@pytest.mark.protocol("P-17.8")
async def test_a_cache_keeps_a_badge_for_a_moment(client: httpx.AsyncClient) -> None:
    """After that it asks whether the session has changed."""
    first = await client.get(BADGE)
    assert first.headers["cache-control"] == "public, max-age=10"
    again = await client.get(BADGE, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    await client.put("/api/progress/a", json={})
    changed = await client.get(BADGE, headers={"if-none-match": first.headers["etag"]})
    assert changed.status_code == 200
    poll = await client.get("/api/progress/a")
    assert poll.headers["etag"] != changed.headers["etag"]
    assert (await client.head(BADGE)).headers["etag"] == changed.headers["etag"]


@pytest.mark.protocol("P-17.8")
async def test_a_badge_needs_the_right_to_read(closed: httpx.AsyncClient) -> None:
    """SE-01: no shared cache keeps it, and a refusal does not say whether the session exists."""
    shown = await closed.get(BADGE, headers=bearer(FULL_TOKEN))
    assert (shown.status_code, shown.headers["cache-control"]) == (200, "private, max-age=10")
    assert shown.headers["vary"] == "Authorization, Cookie"
    cookie = {"cookie": f"progress_sse={make_token(sessions=['a'])}"}
    assert (await closed.get(BADGE, headers=cookie)).status_code == 200
    assert_problem(await closed.get(BADGE), 401, "unauthorized")
    refusals = [await closed.get(f"/s/{each}/badge.svg", headers=cookie) for each in ("b", "missing")]
    assert_problem(refusals[0], 403, "forbidden")
    assert refusals[0].content == refusals[1].content
    worker = bearer(make_token(sessions=["a"], actions=["publish"]))
    assert_problem(await closed.get(BADGE, headers=worker), 403, "forbidden")
    assert (await closed.get(BADGE, headers=bearer(PUBLISH_TOKEN))).status_code == 200
