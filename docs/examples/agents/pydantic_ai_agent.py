"""Shows a run of Pydantic AI: each tool call is a step."""

import asyncio
import sys
from collections.abc import AsyncIterable
from typing import Any
from uuid import uuid4

from pydantic_ai import Agent, FunctionToolCallEvent, FunctionToolResultEvent, ModelRetry

from progress_sse.bridges.agents import AgentProgress


async def run(agent: Any, question: str, session_id: str) -> str:
    """Answer a question, and show how."""

    async def show(_: Any, events: AsyncIterable[Any]) -> None:
        async for event in events:
            if isinstance(event, FunctionToolCallEvent):
                progress.begin(event.tool_call_id, event.part.tool_name)
            elif isinstance(event, FunctionToolResultEvent):
                failed = event.part.outcome in ("failed", "retried")
                progress.end(event.tool_call_id, str(event.part.content) if failed else None)

    async with AgentProgress(session_id) as progress:
        return str((await agent.run(question, event_stream_handler=show)).output)


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
