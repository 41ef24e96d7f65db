"""A stream of several sessions keeps all promises of a stream of one session, for each of them."""

import asyncio
import random
import re

import pytest

from tests.harness.follower import Follower
from tests.harness.oracle import Oracle, fold_all
from tests.harness.rawsse import RawStream
from tests.harness.serving import Server, Worker


@pytest.mark.full
@pytest.mark.protocol("P-7.2")
@pytest.mark.timeout(180)
async def test_several_sessions_on_one_stream_keep_every_promise(server: Server, worker: Worker) -> None:
    """DG-12: 20 sessions on one stream, cut at random, with changing lists: none lost, twice or out of order."""
    oracle, rng = Oracle(), random.Random(12)
    sessions = [f"dg-12-{server.store[:6].strip(':/')}-{n}" for n in range(20)]
    controls = [Follower(oracle, "control", server.port, [session_id]) for session_id in sessions]
    control_streams = [await follower.connect() for follower in controls]
    for stream in control_streams:
        await stream.next_event()
    followers = [Follower(oracle, f"several-{n}", server.port, sessions) for n in range(4)]
    changing = followers[0]
    work = asyncio.gather(
        *(run_session(oracle, worker, session_id, random.Random(session_id)) for session_id in sessions)
    )
    while not work.done():
        await asyncio.gather(*(follower.read(rng.randint(1, 60), at_most_s=0.5) for follower in followers))
        for follower in followers:
            assert len(follower.last_event_id or "") <= 128
        changing.session_ids = rng.sample(sessions, rng.randint(2, 20))
    await work
    changing.session_ids = sessions
    finals = {session_id: await worker.poll(session_id) for session_id in sessions}
    await asyncio.gather(*(follower.read_until(finals) for follower in followers))
    for follower, stream in zip(controls, control_streams, strict=True):
        await stream.wait_until(lambda s, f=follower: fold_all(s.events) == finals[f.session_ids[0]])  # type: ignore[misc]
        await stream.aclose()
        follower.take(stream)
    for session_id, final in finals.items():
        verdict = oracle.check(session_id, final)
        assert verdict.is_clean(), (session_id, verdict)
    assert all(follower.connections > 3 for follower in followers)


async def run_session(oracle: Oracle, worker: Worker, session_id: str, rng: random.Random) -> None:
    """Report one worker's job, with retries, up to the last step but one."""
    for step in range(1, 7):
        for is_success in (False, True) if rng.random() < 0.3 else (True,):
            await oracle.post(worker, session_id, "start", step)
            for current in range(rng.randint(0, 4)):
                await oracle.post(worker, session_id, "progress", step, current=current)
            await oracle.post(worker, session_id, "complete", step, success=is_success)


@pytest.mark.protocol("P-7.3")
async def test_a_stream_of_several_resumes_each_session_it_can(server: Server, worker: Worker, sid: str) -> None:
    """DG-12: after a changed list, kept sessions get the missed steps, new ones a snapshot, removed ones nothing."""
    stay, leave, new = (f"{sid}-{n}" for n in ("stay", "leave", "new"))
    for session_id in (stay, leave, new):
        await worker.create(session_id)
    async with await RawStream.open(server.port, f"/api/events?session_id={stay}&session_id={leave}") as stream:
        await stream.next_events(2)
        last = stream.last_event_id
    for session_id in (stay, leave, new):
        await worker.start(session_id, 1)
    target = f"/api/events?session_id={new}&session_id={stay}"
    async with await RawStream.open(server.port, target, last_event_id=last) as stream:
        events = await stream.next_events(2)
        seen = {(e.event, e.json().get("session_id") or e.json()["session"]["session_id"]) for e in events}
        assert seen == {("step", stay), ("snapshot", new)}
        await worker.start(leave, 2)
        await worker.start(stay, 2)
        following = await stream.next_event()
        assert (following.event, following.json()["session"]["session_id"]) == ("step", stay)
        assert all(len(event.id or "") in range(1, 129) for event in stream.events)


@pytest.mark.protocol("P-7.4")
async def test_a_stream_of_several_ends_with_the_last_of_them(server: Server, worker: Worker, sid: str) -> None:
    """DG-12: `end` comes when all sessions are completed and delivered; a reader with its id then gets 204."""
    sessions = [f"{sid}-{n}" for n in range(2)]
    target = "/api/events?" + "&".join(f"session_id={session_id}" for session_id in sessions)
    for session_id in sessions:
        await worker.create(session_id, total_steps=1)
        await worker.start(session_id, 1)
    async with await RawStream.open(server.port, target) as stream:
        await stream.next_events(2)
        await worker.complete(sessions[0], 1)
        await stream.next_event()
        await stream.wait_until(lambda s: len(s.comments) >= 1)
        assert stream.ending is None
        await worker.complete(sessions[1], 1)
        step, end = await stream.next_events(2)
        assert (step.event, end.event) == ("step", "end")
        assert re.fullmatch(r"[A-Za-z0-9._~-]{1,128}", end.id or "")
        assert sorted(end.json()["session_ids"]) == sessions
        assert await stream.closed() == "end"
        last = stream.last_event_id
    async with await RawStream.open(server.port, target, last_event_id=last) as stream:
        assert (await stream.received_head()).status == 204
    async with await RawStream.open(server.port, target) as stream:
        assert await stream.closed() == "end"
        assert [event.event for event in stream.events] == ["snapshot", "snapshot", "end"]
