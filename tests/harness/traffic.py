"""Workers that report and readers that come and go, while a test does something to the servers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from tests.harness.follower import Follower
from tests.harness.oracle import Oracle, Verdict
from tests.harness.serving import Worker


class Traffic:
    """So many sessions behind one port, each with a worker and a reader of its own; whoever fails tries again."""

    def __init__(self, port: int, sessions: int) -> None:
        """Prepare it; nothing is sent yet."""
        self.oracle = Oracle()
        self.session_ids = [f"traffic-{n}" for n in range(sessions)]
        self._followers = [Follower(self.oracle, "follower", port, [each]) for each in self.session_ids]
        self._port = port
        self._is_over = False

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Let everybody work inside the block."""
        async with Worker.at(self._port) as worker:
            for session_id, follower in zip(self.session_ids, self._followers, strict=True):
                await worker.create(session_id)
                await follower.read(1, at_most_s=10)
            async with asyncio.TaskGroup() as group:
                for session_id, follower in zip(self.session_ids, self._followers, strict=True):
                    group.create_task(self._work(worker, session_id))
                    group.create_task(self._follow(follower))
                yield
                self._is_over = True

    async def _work(self, worker: Worker, session_id: str) -> None:
        while not self._is_over:
            for step in (1, 2):
                await self._report(worker, session_id, "start", step)
                await self._report(worker, session_id, "complete", step)

    async def _report(self, worker: Worker, session_id: str, action: str, step: int) -> None:
        post = await self.oracle.post(worker, session_id, action, step)
        while post.outcome != "ok":
            # Cut off, or met by a server that cannot at the moment. A refusal would mean that something is gone.
            assert post.status in (None, 409, 502, 503, 504), post
            await asyncio.sleep(0.05)
            await self.oracle.send(worker, post)

    async def _follow(self, follower: Follower) -> None:
        while not self._is_over:
            with contextlib.suppress(OSError):
                await follower.read(50, at_most_s=1)

    async def verdicts(self) -> dict[str, Verdict]:
        """What is wrong, for each session of which anything is, once every reader has seen it as it polls now."""
        async with Worker.at(self._port) as worker:
            finals = {session_id: await worker.poll(session_id) for session_id in self.session_ids}
        for follower in self._followers:
            await follower.read_until({follower.session_ids[0]: finals[follower.session_ids[0]]})
        verdicts = {session_id: self.oracle.check(session_id, final) for session_id, final in finals.items()}
        return {session_id: verdict for session_id, verdict in verdicts.items() if not verdict.is_clean()}
