"""The oracle's experiment over servers that share a store: workers, followers, and trouble in the meantime."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from tests.harness.follower import Follower
from tests.harness.oracle import Oracle, fold_all
from tests.harness.serving import Server, Worker


@contextlib.asynccontextmanager
async def workers_at(servers: Sequence[Server]) -> AsyncIterator[list[Worker]]:
    """A worker at each server."""
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(Worker.at(server)) for server in servers]


class Experiment:
    """Workers at several servers, and followers who drop their streams at random and go on at another server."""

    def __init__(self, servers: Sequence[Server], *, sessions: int, followers: int, can_stay: bool = True) -> None:
        """Prepare it; `can_stay` tells whether a stream that nobody drops lasts to the end."""
        self.oracle = Oracle()
        self.servers = servers
        self.sessions = [f"dg-{n}" for n in range(sessions)]
        self.followers = [
            Follower(self.oracle, f"follower-{n}", servers[0].port, [self.sessions[n % sessions]])
            for n in range(followers)
        ]
        # Who never leaves sees each transition by itself: the oracle knows by him which one is at which position.
        self.stayers = [
            Follower(self.oracle, "stayer", servers[n % len(servers)].port, [session_id])
            for n, session_id in enumerate(self.sessions if can_stay else [])
        ]
        # Each of these follows all, as far as one stream takes them.
        self.several = [
            Follower(self.oracle, f"several-{n}", server.port, self.sessions[:20], several=True)
            for n, server in enumerate(servers)
        ]
        self.is_over = asyncio.Event()

    async def work(self, workers: Sequence[Worker], session_id: str, transitions: int) -> None:
        """Report as much, each thing to one server or another, and again under its key until it is taken."""
        rng = random.Random(session_id)
        steps = itertools.cycle(range(1, 7))
        step, made = 0, 0
        while made < transitions:
            if made % 5 == 0:
                step = next(steps)
                await self.post(rng.choice(workers), session_id, "start", step)
            elif made % 5 < 4:
                await self.post(rng.choice(workers), session_id, "progress", step, current=made)
            else:
                await self.post(rng.choice(workers), session_id, "complete", step, success=rng.random() < 0.8)
            made += 1

    async def post(self, worker: Worker, session_id: str, action: str, step: int, **more: int | bool) -> None:
        post = await self.oracle.post(worker, session_id, action, step, **more)
        while post.outcome != "ok":
            assert post.status in (None, 503), post
            await asyncio.sleep(0.05)
            await self.oracle.send(worker, post)

    async def follow(self, follower: Follower) -> None:
        rng = random.Random()
        while not self.is_over.is_set():
            follower.port = rng.choice(self.servers).port
            with contextlib.suppress(OSError):
                await follower.read(rng.randint(1, 40), at_most_s=0.5)

    async def stay(self, follower: Follower) -> None:
        stream = await follower.connect()
        await self.is_over.wait()
        session_id = follower.session_ids[0]
        async with Worker.at(self.servers[0]) as worker:
            final = await worker.poll(session_id)
        await stream.wait_until(lambda s: fold_all(s.events) == final)
        await stream.aclose()
        follower.take(stream)

    async def run(self, transitions: int, trouble: Callable[[], Awaitable[object]] | None = None) -> None:
        """Let everybody do his part, and check; meanwhile make trouble."""
        async with asyncio.TaskGroup() as group, workers_at(self.servers) as workers:
            for session_id in self.sessions:
                await workers[0].create(session_id)
            for stayer in self.stayers:
                group.create_task(self.stay(stayer))
            for follower in (*self.followers, *self.several):
                group.create_task(self.follow(follower))
            work = asyncio.gather(*(self.work(workers, session_id, transitions) for session_id in self.sessions))
            while trouble is not None and not work.done():
                await trouble()
            await work
            self.is_over.set()
        await self.check()

    async def check(self) -> None:
        async with Worker.at(self.servers[-1]) as worker:
            finals = {session_id: await worker.poll(session_id) for session_id in self.sessions}
        for follower in (*self.followers, *self.several):
            await follower.read_until({session_id: finals[session_id] for session_id in follower.session_ids})
        for session_id, final in finals.items():
            verdict = self.oracle.check(session_id, final)
            assert verdict.is_clean(), (session_id, verdict)
        for server in self.servers:
            assert "Traceback" not in server.log()
