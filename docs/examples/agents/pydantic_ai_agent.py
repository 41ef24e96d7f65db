"""Shows a run of Pydantic AI: each tool call is a step."""

import asyncio
import sys
from collections.abc import AsyncIterable, Awaitable, Callable
from itertools import count
from typing import Any
from uuid import uuid4

from pydantic_ai import Agent, FunctionToolCallEvent, FunctionToolResultEvent, ModelRetry

from progress_sse import AsyncProgress
from progress_sse.client.aio import AsyncStep


def shown_by(progress: AsyncProgress) -> Callable[[Any, AsyncIterable[Any]], Awaitable[None]]:
    """Return a handler of the events of a run."""
    numbers, steps = count(1), dict[str, AsyncStep]()

    async def handle(_: Any, events: AsyncIterable[Any]) -> None:
        async for event in events:
            if isinstance(event, FunctionToolCallEvent):
                progress.plan([event.part.tool_name])
                steps[event.tool_call_id] = progress.step(next(numbers))
                steps[event.tool_call_id].start()
            elif isinstance(event, FunctionToolResultEvent):
                step = steps.pop(event.tool_call_id)
                if event.part.outcome in ("failed", "retried"):
                    step.part("call").fail(str(event.part.content))
                step.complete()

    return handle


async def run(agent: Any, question: str, session_id: str) -> str:
    """Answer a question, and show how."""
    async with AsyncProgress(session_id, open_ended=True) as progress:
        return str((await agent.run(question, event_stream_handler=shown_by(progress))).output)


WEATHER = {"Bern": "sun", "Rome": "rain"}
guide = Agent()


@guide.tool_plain
def look_up(city: str) -> str:
    """Look up the weather."""
    if city not in WEATHER:
        raise ModelRetry(f"no weather of {city}")
    return WEATHER[city]


@guide.tool_plain
def book(city: str, nights: int) -> str:
    """Book a room."""
    if nights > 9:
        raise ValueError(f"no room in {city} for {nights} nights")
    return f"{nights} nights in {city}"


if __name__ == "__main__":
    guide.model = sys.argv[1]
    print(asyncio.run(run(guide, sys.argv[2], f"trip-{uuid4()}")))  # noqa: T201
