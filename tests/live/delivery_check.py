"""Checks delivery with the oracle: workers report and followers read, while a test causes faults."""

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Final

from tests.harness.follower import Follower
from tests.harness.oracle import Oracle, fold_all
from tests.harness.serving import Server, Worker, eventually

TRY_AGAIN = (None, 409, 502, 503, 504)
"""Cut off, still under way, or refused for the moment. Any other status means that acknowledged data is lost."""


@contextlib.asynccontextmanager
async def workers_at(servers: Sequence[Server | int]) -> AsyncIterator[list[Worker]]:
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(Worker.at(server)) for server in servers]


STORY: Final = 8
"""Updates of one story."""


def next_of_story(session_id: str, made: int) -> dict[str, Any]:
    """The next update of an open-ended session, after `made` ones: one thing after the other that it can say."""
    story, part = divmod(made, STORY)
    mine = {"name": f"step {story}", "attempt_id": f"{session_id} {story}"}
    links = [{"label": "Result", "url": f"/{made}"}]
    updates: list[dict[str, Any]] = [
        {"action": "start", **mine, "append": True, "lease_ms": 3_600_000},
        {"action": "progress", **mine, "current": made},
        {"action": "describe", "labels": {"story": str(story)}},
        {"action": "plan", "steps": [{"name": f"planned {story}"}]},
        {"action": "skip", "name": f"planned {story}"},
        {"action": "complete", **mine, "success": story % 4 > 0, "links": links},
        {"action": "start", **mine, "lease_ms": 3_600_000},
        {"action": "finish", "success": False},
    ]
    return updates[part]


class DeliveryCheck:
    """Workers at several servers, and followers that drop their streams at random and resume at another server."""

    def __init__(
        self,
        servers: Sequence[Server | int],
        *,
        sessions: int,
        followers: int,
        can_stay: bool = True,
        tells_stories: bool = False,
    ) -> None:
        """Prepare it.

        Args:
            servers: The servers; a port is a proxy's.
            sessions: How many sessions there are.
            followers: How many readers come and go.
            can_stay: Whether a stream lasts to the end if no client drops it.
            tells_stories: Whether the sessions are open-ended, and their workers say all that they can.
        """
        self.oracle = Oracle()
        self._tells_stories = tells_stories
        self._ports = [server if isinstance(server, int) else server.port for server in servers]
        self.sessions = [f"dg-{n}" for n in range(sessions)]
        self._followers = [
            Follower(self.oracle, f"follower-{n}", self._ports[0], [self.sessions[n % sessions]])
            for n in range(followers)
        ]
        # A follower that never leaves sees every transition: from it the oracle learns which one is at which position.
        self._stayers = [
            Follower(self.oracle, "stayer", self._ports[n % len(self._ports)], [session_id])
            for n, session_id in enumerate(self.sessions if can_stay else [])
        ]
        # Each of these follows all sessions, up to the limit of one stream.
        self._several = [
            Follower(self.oracle, f"several-{n}", port, self.sessions[:20], several=True)
            for n, port in enumerate(self._ports)
        ]
        self._is_reported = asyncio.Event()
        self._is_over = asyncio.Event()

    async def run(self, transitions: int, fault: Callable[[], Awaitable[object]] | None = None) -> None:
        async with self._clients_at_work(transitions) as work:
            while fault is not None and not work.done():
                await fault()
            await work

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with self._clients_at_work(None) as work:
            yield
            self._is_reported.set()
            await work

    async def wait_for_updates(self, count: int) -> None:
        """Wait until the workers have sent so many more updates."""
        enough = len(self.oracle.posts) + count
        await eventually(lambda: len(self.oracle.posts) >= enough, 60)

    @contextlib.asynccontextmanager
    async def _clients_at_work(self, transitions: int | None) -> AsyncIterator[asyncio.Future[list[None]]]:
        async with asyncio.TaskGroup() as group, workers_at(self._ports) as workers:
            for session_id in self.sessions:
                await workers[0].create(session_id, **({"open_ended": True} if self._tells_stories else {}))
            for stayer in self._stayers:
                group.create_task(self._stay(stayer))
            for follower in (*self._followers, *self._several):
                group.create_task(self._follow(follower))
            yield asyncio.gather(*(self._work(workers, session_id, transitions) for session_id in self.sessions))
            self._is_over.set()
        await self._check()

    async def _work(self, workers: Sequence[Worker], session_id: str, transitions: int | None) -> None:
        """Report so many transitions, each to a random server; without a number, until the end."""
        rng = random.Random(session_id)
        step = 0
        for made in itertools.count() if transitions is None else range(transitions):
            if self._is_reported.is_set():
                break
            if self._tells_stories:
                await self._report(rng.choice(workers), session_id, **next_of_story(session_id, made))
                continue
            if made % 5 == 0:
                step = step % 6 + 1
                await self._report(rng.choice(workers), session_id, "start", step)
            elif made % 5 < 4:
                await self._report(rng.choice(workers), session_id, "progress", step, current=made)
            else:
                await self._report(rng.choice(workers), session_id, "complete", step, success=rng.random() < 0.8)

    async def _report(self, worker: Worker, session_id: str, action: str, step: int | None = None, **more: Any) -> None:
        post = await self.oracle.post(worker, session_id, action, step, **more)
        while post.outcome != "ok":
            assert post.status in TRY_AGAIN, post
            await asyncio.sleep(0.05)  # The pace of this worker's retries.
            await self.oracle.send(worker, post)

    async def _follow(self, follower: Follower) -> None:
        rng = random.Random()
        while not self._is_over.is_set():
            follower.port = rng.choice(self._ports)
            with contextlib.suppress(OSError):
                await follower.read(rng.randint(1, 40), at_most_s=0.5)

    async def _stay(self, follower: Follower) -> None:
        stream = await follower.connect()
        await self._is_over.wait()
        session_id = follower.session_ids[0]
        async with Worker.at(self._ports[0]) as worker:
            final = await worker.poll(session_id)
        await stream.wait_until(lambda s: fold_all(s.events) == final)
        await stream.aclose()
        follower.take(stream)

    async def _check(self) -> None:
        async with Worker.at(self._ports[-1]) as worker:
            finals = {session_id: await worker.poll(session_id) for session_id in self.sessions}
        for follower in (*self._followers, *self._several):
            await follower.read_until({session_id: finals[session_id] for session_id in follower.session_ids})
        for session_id, final in finals.items():
            verdict = self.oracle.check(session_id, final)
            assert verdict.is_clean(), (session_id, verdict)
