"""Profiles over HTTP: what runs teach, and how it is shown and forgotten."""

import json
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest

from progress_sse.core.errors import StoreUnavailableError
from progress_sse.store.memory import MemoryBackend
from progress_sse.store.types import StorageLimits
from progress_sse.story.session_state import checked
from progress_sse.story.time_left import usual_times
from tests.api.conftest import Connect
from tests.api.problems import assert_problem
from tests.api.profile_runs import LEARNED, STALE_S, Runs, nightly
from tests.clock import ManualClock
from tests.harness.serving import ROOT


@pytest.fixture
async def runs(connect: Connect) -> AsyncIterator[Runs]:
    clock = ManualClock()
    async with connect(clock=clock) as client:
        yield Runs(client, clock)


@pytest.mark.protocol("P-23.24")
async def test_five_runs_teach_what_a_step_takes(runs: Runs) -> None:
    """Before, it only shows how many runs there were."""
    steps = nightly("Import", "Build")
    for count in range(1, 5):
        await runs.run(60, 5, **steps)
        assert (await runs.client.get(LEARNED)).json() == {"runs": count, "steps": []}
    await runs.run(60, 5, **steps)
    response = await runs.client.get(LEARNED)
    assert response.headers["cache-control"] == "no-store"
    learned = response.json()
    assert list(learned) == ["runs", "steps"]
    assert (learned["runs"], [each["name"] for each in learned["steps"]]) == (5, ["Build", "Import"])
    for each, ms in zip(learned["steps"], (5_000, 60_000), strict=True):
        assert list(each) == ["name", "learned"]
        assert list(each["learned"]) == ["runs", "p50_ms", "p90_ms"]
        assert each["learned"]["runs"] == 5
        assert 0.85 * ms < each["learned"]["p50_ms"] <= each["learned"]["p90_ms"]


async def test_a_later_run_has_its_time_from_them(runs: Runs) -> None:
    """From its first start on."""
    steps = nightly("Import", "Build")
    earlier = await runs.run(60, 5, count=5, **steps)
    assert all("time" not in each for each in earlier)
    [later] = await runs.run(60, 5, **steps)
    assert (later["time"]["basis"], later["time"]["runs"]) == ("history", 5)
    assert later["time"]["percentage"] > 85


@pytest.mark.protocol("P-23.33", "P-23.35")
async def test_the_steps_of_a_session_have_what_was_learned(runs: Runs) -> None:
    """Of its profile, which is not told; a step that few runs had has nothing."""
    path = "/api/progress/new/steps"
    assert (await runs.client.get(path)).json() == {"total_steps": 0, "steps": []}
    await runs.run(60, 5, count=5, **nightly("Import", "Build"))
    await runs.client.put("/api/progress/new", json=nightly("Build", "Upload"))
    response = await runs.client.get(path)
    assert (response.status_code, response.headers["cache-control"]) == (200, "no-store")
    assert "nightly" not in response.text
    build, upload = response.json()["steps"]
    by_profile = {each["name"]: each["learned"] for each in (await runs.client.get(LEARNED)).json()["steps"]}
    assert build == {"step": 1, "name": "Build", "timeout_ms": None, "estimated_ms": 30_000} | {
        "learned": by_profile["Build"]
    }
    assert upload == {"step": 2, "name": "Upload", "timeout_ms": None, "estimated_ms": 30_000}
    head = await runs.client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == response.headers["content-length"]


async def test_a_follower_gets_what_was_learned(runs: Runs) -> None:
    """Once the server uses it."""
    [state] = (await runs.run(60, count=6, **nightly("Import")))[-1:]
    assert checked(state, "run-6")["time"]["basis"] == "history"
    usual = usual_times((await runs.client.get("/api/progress/run-6/steps")).json())
    assert list(usual) == ["Import"]
    assert 51_000 < usual["Import"] < 69_000


async def test_the_steps_of_a_session_without_a_profile_have_nothing_learned(runs: Runs) -> None:
    """Also of one that a start created, and that has the names of steps that were learned."""
    await runs.run(60, count=5, **nightly("原稿生成"))
    await runs.client.post("/api/progress/started/update", json={"action": "start", "step": 1})
    assert (await runs.client.get("/api/progress/started/steps")).json() == (await runs.client.get("/api/steps")).json()


async def test_a_session_that_names_no_workflow_teaches_nothing(runs: Runs) -> None:
    """Nor one with steps of its own, without a profile."""
    await runs.run(*[1] * 7, count=5)
    await runs.run(1, count=5, steps=[{"name": "Import"}])
    await runs.run(1, count=5, total_steps=1)
    for profile in ("default", "nightly", "run-1"):
        assert (await runs.client.get(f"/api/steps?profile={profile}")).json() == {"runs": 0, "steps": []}


def start(step: int, **more: int) -> dict[str, Any]:
    return {"action": "start", "step": step, **more}


def end(step: int, **more: bool) -> dict[str, Any]:
    return {"action": "complete", "step": step, **more}


@pytest.mark.protocol("P-23.30")
@pytest.mark.parametrize(
    "updates",
    [
        [start(1), end(1, success=False), start(1), end(1), {"action": "skip", "step": 3}, *[start(2), end(2)] * 2],
        [start(1, ago_ms=60_000), end(1), start(2), end(2), {"action": "skip", "step": 3}],
    ],
    ids=["failed, skipped, and completed twice", "moved, as the server was away when it began"],
)
async def test_a_run_teaches_once_what_was_started_once_and_seen_whole(runs: Runs, updates: Any) -> None:
    """That is its second step."""
    for number in range(5):
        path = f"/api/progress/run-{number}"
        await runs.client.put(path, json=nightly("Import", "Build", "Upload"))
        for update in updates:
            assert (await runs.client.post(f"{path}/update", json=update)).status_code == 200
    runs.clock.advance(STALE_S)
    learned = (await runs.client.get(LEARNED)).json()
    assert (learned["runs"], [each["name"] for each in learned["steps"]]) == (5, ["Build"])


@pytest.mark.protocol("P-23.27")
async def test_what_was_learned_can_be_forgotten(runs: Runs) -> None:
    """At once, and as often as one likes; other profiles stay."""
    await runs.run(60, count=5, **nightly("Import"))
    await runs.run(60, count=5, **nightly("Import") | {"profile": "weekly"})
    for _ in range(2):
        response = await runs.client.delete("/api/steps/nightly/learned")
        assert (response.status_code, response.content) == (204, b"")
        assert (await runs.client.get(LEARNED)).json() == {"runs": 0, "steps": []}
    assert (await runs.client.get("/api/steps?profile=weekly")).json()["runs"] == 5
    [later] = await runs.run(60, **nightly("Import"))
    assert "time" not in later


@pytest.mark.protocol("P-23.21")
async def test_a_profile_has_any_text_of_a_session_id(runs: Runs) -> None:
    """Percent-encoded in addresses."""
    profile = "月次 50% & more?"
    await runs.run(60, **nightly("Import") | {"profile": profile})
    assert (await runs.client.get("/api/steps", params={"profile": profile})).json()["runs"] == 1
    assert (await runs.client.delete(f"/api/steps/{quote(profile)}/learned")).status_code == 204


class ForgetfulBackend(MemoryBackend):
    """Memory in which what was learned cannot be read."""

    def __init__(self) -> None:
        super().__init__(StorageLimits())
        self.histories.load = self._load  # type: ignore[method-assign]

    async def _load(self, profile: str) -> Any:
        raise StoreUnavailableError


async def test_the_steps_of_a_workflow_are_known_without_the_store(connect: Connect) -> None:
    """What was learned is not, and a session is created all the same."""
    async with connect(backend=ForgetfulBackend()) as client:
        plain = (await client.get("/api/steps")).content
        shown = await client.get("/api/steps?workflow=default")
        assert (shown.status_code, shown.content) == (200, plain)
        assert_problem(await client.get(LEARNED), 503, "store-unavailable")
        assert (await client.put("/api/progress/a", json=nightly("Import"))).status_code == 201
        assert (await client.get("/api/progress/a/steps")).json()["steps"][0]["name"] == "Import"


async def test_the_page_shows_what_there_is(runs: Runs) -> None:
    """The example in its text has the form of the answer; its commands run in `tests/test_docs.py`."""
    page = (ROOT / "docs" / "how-to" / "learn-how-long-jobs-take.md").read_text("utf-8")
    [example] = [json.loads(block) for block in re.findall(r"^```json\n(\{\n.*?)^```$", page, re.DOTALL | re.MULTILINE)]
    names = [each["name"] for each in example["steps"]]
    await runs.run(60, 1200, count=5, **nightly(*names))
    learned = (await runs.client.get(LEARNED)).json()
    assert _form(learned) == _form(example)


def _form(value: Any) -> Any:
    """A JSON value without its numbers."""
    if isinstance(value, dict):
        return {key: _form(each) for key, each in value.items()}
    return [_form(each) for each in value] if isinstance(value, list) else value if isinstance(value, str) else None
