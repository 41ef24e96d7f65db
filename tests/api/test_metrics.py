"""`GET /metrics`: the numbers that it shows, the clients that may see them, and the texts that it never shows."""

import asyncio
import sys
from typing import Any, get_args

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from progress_sse import ProgressHub, ProgressService, create_app
from progress_sse._internal.histogram import BOUNDS_S, Histogram
from progress_sse.core.errors import StoreUnavailableError
from progress_sse.core.model import SessionStatus
from progress_sse.settings import load_settings
from progress_sse.store.backend_monitor import REST_FACTOR, SessionCounts
from progress_sse.store.memory import MemoryBackend
from progress_sse.store.types import StorageLimits
from progress_sse.streaming.registry import RefusalReason
from tests.api.conftest import Connect, client_of
from tests.api.problems import assert_problem
from tests.clock import ManualClock
from tests.harness.metrics import parse_metrics
from tests.harness.tokens import KEY, bearer, make_token

START = {"action": "start", "step": 1}
SECRET_ID = "order-of-a-customer"


async def metrics_of(client: httpx.AsyncClient, **headers: str) -> dict[str, float]:
    response = await client.get("/metrics", headers=headers)
    assert response.status_code == 200, response.text
    return parse_metrics(response.text)


async def test_polls_and_commands_are_counted_by_outcome(client: httpx.AsyncClient) -> None:
    """Each exactly once."""
    path = f"/api/progress/{SECRET_ID}"
    await client.post(f"{path}/update", json=START)
    await client.post(f"{path}/update", json=START)
    await client.post(f"{path}/update", json={"action": "complete", "step": 2})
    await client.post(f"{path}/update", json={"action": "nap", "step": 2})
    await client.put("/api/progress/other", json={"total_steps": 2})
    tag = (await client.get(path)).headers["etag"]
    for _ in range(3):
        assert (await client.get(path, headers={"if-none-match": tag})).status_code == 304
    await client.get("/api/progress/absent")
    shown = await metrics_of(client)
    expected = {
        'polls_total{answer="200"}': 1,
        'polls_total{answer="304"}': 3,
        'polls_total{answer="not_found"}': 1,
        'commands_total{action="start",outcome="accepted"}': 2,
        'commands_total{action="create",outcome="accepted"}': 1,
        'commands_total{action="complete",outcome="refused"}': 1,
        'commands_total{action="delete",outcome="accepted"}': 0,
        'refusals_total{reason="step-not-started"}': 1,
        'refusals_total{reason="invalid-request"}': 1,
        'refusals_total{reason="streams-full"}': 0,
        'sessions{status="running"}': 1,
        'sessions{status="pending"}': 1,
        'sessions{status="error"}': 0,
        "commit_seconds_count": 3,
        "streams": 0,
        "subscribers": 0,
        "commands_waiting": 0,
    }
    assert {name: shown[f"progress_sse_{name}"] for name in expected} == expected
    assert shown["progress_sse_tasks"] >= 1
    assert shown["process_open_fds"] > 0


async def test_requests_of_readers_are_counted_by_each_state_that_they_get_to(client: httpx.AsyncClient) -> None:
    """Once for each, and not where nothing changed."""
    path = f"/api/progress/{SECRET_ID}"
    await client.put(path, json={"total_steps": 2, "accepts": ["cancel", "retry"]})
    await client.post(f"{path}/update", json=START)
    for _ in range(2):
        asked = (await client.post(f"{path}/requests", json={"kind": "cancel"})).json()
    await client.post(f"{path}/update", json={"action": "acknowledge", "request": asked["id"], "state": "seen"})
    await client.post(f"{path}/update", json={"action": "complete", "step": 1, "success": False})
    await client.post(f"{path}/requests", json={"kind": "retry"})
    shown = await metrics_of(client)
    counted = {name: number for name, number in shown.items() if name.startswith("progress_sse_reader_requests")}
    assert len(counted) == 2 * 5
    assert {name.partition("{")[2]: number for name, number in counted.items() if number} == {
        'kind="cancel",state="asked"}': 1,
        'kind="cancel",state="seen"}': 1,
        'kind="cancel",state="too_late"}': 1,
        'kind="retry",state="asked"}': 1,
    }
    assert shown['progress_sse_commands_total{action="ask",outcome="accepted"}'] == 3
    assert shown['progress_sse_commands_total{action="acknowledge",outcome="accepted"}'] == 1


async def test_runs_that_teach_are_counted(client: httpx.AsyncClient) -> None:
    """Completed ones of a profile, each once; its name is not a label."""
    path = f"/api/progress/{SECRET_ID}"
    assert (await metrics_of(client))["progress_sse_runs_learned_total"] == 0
    profile = {"profile": SECRET_ID}
    bodies: list[dict[str, Any]] = [{**profile, "steps": [{}]}, {"steps": [{}]}, {**profile, "steps": [{}, {}]}]
    for body in bodies:
        assert (await client.put(f"{path}?replace=true", json=body)).status_code in (200, 201)
        for update in (START, {"action": "complete", "step": 1}, {"action": "complete", "step": 1, "message": "m"}):
            assert (await client.post(f"{path}/update", json=update)).status_code == 200
    shown = await metrics_of(client)
    assert shown["progress_sse_runs_learned_total"] == 1
    assert not [name for name in shown if SECRET_ID in name]


async def test_log_lines_are_counted(client: httpx.AsyncClient) -> None:
    """Those that were appended, each once; lines of a request that came before do not count."""
    path = f"/api/progress/{SECRET_ID}"
    await client.post(f"{path}/update", json=START)
    for _ in range(2):
        body = {"action": "log", "lines": [SECRET_ID, "two\nthree"]}
        response = await client.post(f"{path}/update", json=body, headers={"idempotency-key": "k"})
        assert response.status_code == 200
    shown = await metrics_of(client)
    assert shown["progress_sse_log_lines_total"] == 3
    assert shown['progress_sse_commands_total{action="log",outcome="accepted"}'] == 2
    assert shown["progress_sse_log_lines_delivered_total"] == shown["progress_sse_log_gaps_total"] == 0
    assert not [name for name in shown if SECRET_ID in name]


async def test_refusals_are_counted_in_every_part(client: httpx.AsyncClient) -> None:
    """In the middleware, in the router, and for unforeseen exceptions; the path is not a label."""
    for path in ("/no/such/path", "/api/no-such-path", "/s/a%2Fb", "/api/progress/a%00b"):
        await client.get(path)
    await client.post("/livez")
    shown = await metrics_of(client)
    reasons = {name.partition('"')[2].rstrip('"}') for name in shown if name.startswith("progress_sse_refusals")}
    assert reasons == {"not-found", "method-not-allowed", "invalid-session-id", *get_args(RefusalReason)}
    assert shown['progress_sse_refusals_total{reason="not-found"}'] == 2
    assert shown['progress_sse_refusals_total{reason="invalid-session-id"}'] == 2


class Broken(MemoryBackend):
    """Memory that cannot count its sessions, and fails at every operation."""

    def __init__(self) -> None:
        super().__init__(StorageLimits())
        self.lists.count_by_status = self._count  # type: ignore[method-assign]

    async def _count(self) -> Any:
        raise StoreUnavailableError

    async def commit(self, change: Any) -> None:
        raise StoreUnavailableError

    async def load(self, session_id: str) -> Any:
        raise RuntimeError("a mistake")


async def test_a_store_that_fails_is_seen(connect: Connect) -> None:
    """The metrics are still served, without those that only the store knows."""
    async with connect(backend=Broken()) as client:
        assert (await client.post("/api/progress/a/update", json=START)).status_code == 500
        shown = await metrics_of(client)
    assert shown['progress_sse_commands_total{action="start",outcome="failed"}'] == 1
    assert not [name for name in shown if name.startswith("progress_sse_sessions{")]
    assert shown['progress_sse_refusals_total{reason="internal-error"}'] == 1


async def test_metrics_need_the_right_to_list(connect: Connect) -> None:
    """PR-02: counts of sessions are for operators; a token for some sessions is not enough."""
    reader, worker = make_token(prefixes=[""]), make_token(prefixes=["a"], actions=["read", "publish", "list"])
    operator = make_token(prefixes=[""], actions=["list"])
    async with connect(read="token", token_key=KEY, publish_token="for-workers") as client:
        assert_problem(await client.get("/metrics"), 401, "unauthorized")
        for token in (reader, worker):
            assert_problem(await client.get("/metrics", headers=bearer(token)), 403, "forbidden")
        for token in (operator, "for-workers"):
            assert await metrics_of(client, **bearer(token))


async def test_no_id_is_ever_a_label(client: httpx.AsyncClient) -> None:
    """PR-02: the metrics, which operators keep for months, name no session and do not grow with their number."""
    before = await metrics_of(client)
    for number in range(50):
        path = f"/api/progress/{SECRET_ID}-{number}"
        await client.post(f"{path}/update", json={**START, "message": SECRET_ID})
        await client.get(path)
        await client.get(f"/{SECRET_ID}")
        await client.delete(path)
    text = (await client.get("/metrics")).text
    assert SECRET_ID not in text
    assert set(parse_metrics(text)) - set(before) == {'progress_sse_refusals_total{reason="not-found"}'}


@pytest.mark.protocol("P-17.5")
async def test_both_formats_are_supported(client: httpx.AsyncClient) -> None:
    """Prometheus asks for OpenMetrics, and gets it."""
    response = await client.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert response.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    families = text_string_to_metric_families(response.text)  # type: ignore[no-untyped-call]  # untyped in the library
    shown = {"progress_sse_delivery_seconds", "progress_sse_polls", "process_open_fds"}
    assert shown <= {family.name for family in families}
    assert (await client.get("/metrics")).headers["content-type"].startswith("text/plain; version=0.0.4")
    assert (await client.head("/metrics")).status_code == 200


async def test_a_malformed_accept_gets_the_plain_format(client: httpx.AsyncClient) -> None:
    """A malformed header is ignored [RFC 9110 §12.4.1]."""
    response = await client.get("/metrics", headers={"accept": "application/openmetrics-text;version=x"})
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")


async def test_several_processes_have_different_labels(connect: Connect) -> None:
    """A request is answered by one of them, so each sample names its process."""
    service = ProgressService(
        load_settings(store="redis://127.0.0.1:1/0", workers=2), backend=MemoryBackend(StorageLimits())
    )
    app = create_app(service.settings, service=service)
    async with app.router.lifespan_context(app), client_of(app) as client:
        text = (await client.get("/metrics")).text
    assert {'pid="' in line for line in text.splitlines() if not line.startswith("#")} == {True}


async def test_two_servers_in_one_process_count_separately() -> None:
    """No registry is shared."""
    hubs = [ProgressHub(load_settings(store="memory://")) for _ in range(2)]
    counts = []
    for number, hub in enumerate(hubs):
        async with hub.lifespan(), client_of(hub.app) as client:
            for _ in range(number + 1):
                await client.get("/api/progress/a")
            counts.append((await metrics_of(client))['progress_sse_polls_total{answer="not_found"}'])
    assert counts == [1, 2]


async def test_metrics_need_an_optional_package(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says how to install it."""
    monkeypatch.delitem(sys.modules, "progress_sse.observability.metrics", raising=False)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    response = await client.get("/metrics")
    assert_problem(response, 404, "not-found")
    assert "progress-sse[metrics]" in response.json()["detail"]


class Counted(MemoryBackend):
    """Memory that takes two seconds to count its sessions, and sometimes never ends."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(StorageLimits())
        self.clock = clock
        self.times = 0
        self.hangs = False
        self.lists.count_by_status = self._count  # type: ignore[method-assign]

    async def _count(self) -> dict[SessionStatus, int]:
        times = self.times = self.times + 1
        if self.hangs:
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        self.clock.advance(2)
        return {"running": times}


async def test_counting_sessions_stays_cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simultaneous requests share a count; a slow count is not repeated soon, or is given up."""
    clock = ManualClock()
    backend = Counted(clock)
    session_counts = SessionCounts(backend, clock)
    assert list(await asyncio.gather(session_counts.take(), session_counts.take())) == [{"running": 1}] * 2
    clock.advance(2 * REST_FACTOR - 1)
    assert await session_counts.take() == {"running": 1}
    clock.advance(1)
    assert await session_counts.take() == {"running": 2}
    clock.advance(2 * REST_FACTOR)
    monkeypatch.setattr("progress_sse.store.backend_monitor.COUNT_TIMEOUT_S", 0)
    backend.hangs = True
    assert await session_counts.take() is None


def test_durations_are_counted_as_prometheus_does() -> None:
    """A bound belongs to its class, each class includes all smaller durations, and the last one all."""
    durations = Histogram()
    for seconds in (0.0001, BOUNDS_S[0], 0.3, 99):
        durations.add(seconds)
    assert durations.cumulated()[0] == (BOUNDS_S[0], 2)
    assert dict(durations.cumulated())[0.25] == 2
    assert dict(durations.cumulated())[0.5] == 3
    assert durations.cumulated()[-1] == (float("inf"), 4)
    assert durations.total_s == pytest.approx(99.3006)
