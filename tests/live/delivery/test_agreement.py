"""Snapshots, polls and folded transitions agree on the state of a session."""

import random
from collections.abc import Iterator
from fractions import Fraction

import pytest

from tests.harness.oracle import PENDING_KEYS, POLL_KEYS, STEP_KEYS, Body, fold
from tests.harness.rawsse import RawStream
from tests.harness.serving import Server, Worker, events_path
from tests.live.delivery.reading import snapshot_of

SUMMARY_KEYS = tuple(key for key in POLL_KEYS if key != "steps")


@pytest.mark.guarantee("D", "M")
@pytest.mark.protocol("P-3.8", "P-3.11", "P-4.3", "P-5.5", "P-5.7", "P-23.2", "P-23.5")
async def test_snapshot_poll_and_fold_agree_at_each_id(server: Server, worker: Worker, sid: str) -> None:
    """DG-09: at each id, snapshot, poll and fold are equal byte for byte; ETag, formulas and keys are right."""
    estimates = [random.Random(sid).randint(0, 90_000) for _ in range(6)]
    steps = [{"name": f"段階 {n}", "timeout_ms": 1000 + n, "estimated_ms": ms} for n, ms in enumerate(estimates)]
    await worker.create(sid, steps=steps)
    bodies: dict[str, bytes] = {}
    async with await RawStream.open(server.port, events_path(sid)) as stream:
        event = await stream.next_event()
        state = event.json()
        for update in script(random.Random(9), len(steps)):
            answer = await worker.update(sid, **update)
            assert answer.status_code == 200, (update, answer.text)
            poll = await worker.poll_raw(sid)
            snapshot = await snapshot_of(server, sid)
            assert (snapshot.data or "").encode() == poll.content
            while event.id != snapshot.id:
                event = await stream.next_event()
                state = fold(state, event.json())
            assert state == poll.json()
            assert_shape(poll.json(), estimates)
            assert bodies.setdefault(poll.headers["ETag"], poll.content) == poll.content
            await assert_not_modified(worker, sid, poll.headers["ETag"])
    assert len(bodies) > 30


@pytest.mark.guarantee("J")
@pytest.mark.protocol("P-3.8")
@pytest.mark.parametrize("creation", [None, {}, {"total_steps": 4}], ids=["by its start", "empty", "total_steps"])
async def test_a_plain_session_has_the_documented_keys_alone(
    server: Server, worker: Worker, sid: str, creation: Body | None
) -> None:
    """Whether a step fails or not: in polls, in snapshots and in the session of each event."""
    if creation is not None:
        await worker.create(sid, **creation)
    async with await RawStream.open(server.port, events_path(sid)) as stream:
        for update in script(random.Random(3), 4):
            answer = await worker.update(sid, **update)
            assert answer.status_code == 200, (update, answer.text)
            assert tuple(await worker.poll(sid)) == POLL_KEYS
        last = await snapshot_of(server, sid)
        while (event := await stream.next_event()).id != last.id:
            shown = event.json()
            assert set(shown) == {"step", "session"} or tuple(shown) == POLL_KEYS
            assert tuple(shown.get("session", SUMMARY_KEYS)) == SUMMARY_KEYS
    assert "error" in {step["status"] for step in last.json()["steps"]}


def script(rng: random.Random, total: int) -> Iterator[Body]:
    """A run with every kind of update, retries and repeats included; it stops before the session is completed."""
    for step in [*range(1, total), *(rng.randint(1, total - 1) for _ in range(8))]:
        yield {"action": "start", "step": step, "timeout_ms": rng.choice([None, 0, 5000])}
        for current in range(rng.randint(0, 3)):
            total_units = rng.choice([None, 7, current])
            report = {"action": "progress", "step": step, "current": current, "message": rng.choice(["", "読み込み"])}
            yield {**report, "total": total_units}
            yield {**report, "total": total_units}
        is_success = rng.random() < 0.7
        yield {
            "action": "complete",
            "step": step,
            "success": is_success,
            "message": "m",
            "error": "" if is_success else "e",
        }
        if rng.random() < 0.3:
            yield {"action": "complete", "step": step, "success": not is_success}


def assert_shape(poll: Body, estimates: list[int]) -> None:
    """Check the documented order of the keys, and compute the formulas of the protocol anew."""
    failed = [entry["status"] for entry in poll["steps"]].count("error")
    assert tuple(poll) == (*POLL_KEYS, "time")
    total = poll["total_steps"]
    assert (total, [entry["step"] for entry in poll["steps"]]) == (len(estimates), list(range(1, total + 1)))
    parts = Fraction(0)
    for entry, estimated_ms in zip(poll["steps"], estimates, strict=True):
        *keys, last = entry
        assert tuple(keys) in (STEP_KEYS, PENDING_KEYS, (*STEP_KEYS, "progress"))
        assert (last, entry[last]) == ("estimated_ms", estimated_ms)
        if "progress" in entry:
            assert entry["status"] == "running"
            current, units = entry["progress"]["current"], entry["progress"]["total"]
            parts += Fraction(current, units) if units else 0
        parts += entry["status"] in ("success", "error")
    assert poll["percentage"] == 100 * parts // total
    assert poll["estimated_remaining_ms"] == sum(estimates[poll["current_step"] :])
    assert failed or poll["status"] != "error"


async def assert_not_modified(worker: Worker, sid: str, etag: str) -> None:
    """A client that has the ETag gets 304 without a body; lists of ETags and `*` work, another ETag gets 200."""
    for value in (etag, f'"other", {etag}', "*", f"W/{etag}" if not etag.startswith("W/") else etag):
        answer = await worker.poll_raw(sid, **{"If-None-Match": value})
        assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", etag), value
    assert (await worker.poll_raw(sid, **{"If-None-Match": '"other"'})).status_code == 200
