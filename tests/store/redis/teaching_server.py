"""A process that is killed as it teaches: `python -m` this module with the port of Redis, a prefix, `before|after`."""

import asyncio
import os
import signal
import sys

from progress_sse.core.commands import IdempotencyKey
from progress_sse.core.updates import Complete
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.redis.backend import RedisBackend
from progress_sse.store.redis.histories import RedisHistories
from progress_sse.store.types import StorageLimits
from tests.store.learning import PROFILE, STEPS

KEY = IdempotencyKey("completion", "digest")


async def complete_and_die(port: str, prefix: str, moment: str) -> None:
    """Complete a run of the profile, and die before its lesson is sent, or just after."""
    teach = RedisHistories.teach

    async def die(histories: RedisHistories, *lesson: object) -> None:
        if moment == "after":
            await teach(histories, *lesson)  # type: ignore[arg-type]  # as it came
        os.kill(os.getpid(), signal.SIGKILL)

    RedisHistories.teach = die  # type: ignore[assignment,method-assign]  # to die in its place
    store = ProgressStore(RedisBackend(f"redis://127.0.0.1:{port}/0", StorageLimits(), prefix=prefix, lifetime_s=3600))
    await store.open()
    await store.create_session("s", steps=STEPS[:1], profile=PROFILE)
    await store.start_step("s", 1)
    await store.apply("s", Complete(1), KEY)


if __name__ == "__main__":
    asyncio.run(complete_and_die(*sys.argv[1:]))
