"""Shows a run of the OpenAI Agents SDK: each tool call is a step."""

import asyncio
import sys
from typing import Any
from uuid import uuid4

from agents import Agent, RunConfig, RunHooks, Runner, function_tool

from progress_sse.bridges.agents import AgentProgress


class Calls(AgentProgress, RunHooks):
    """Shows the calls of a run."""

    async def on_tool_start(self, context: Any, agent: Any, tool: Any) -> None:
        self.begin(context, tool.name)

    async def on_tool_end(self, context: Any, agent: Any, tool: Any, result: object) -> None:
        self.end(context)


async def run(agent: Any, question: str, session_id: str) -> str:
    """Answer a question, and show how."""
    async with Calls(session_id) as calls:
        config = RunConfig(tool_error_formatter=lambda call: calls.end(call.run_context, call.error))
        return str((await Runner.run(agent, question, hooks=calls, run_config=config)).final_output)


WEATHER = {"Bern": "sun", "Rome": "rain"}


@function_tool
def look_up(city: str) -> str:
    """Look up the weather."""
    return WEATHER[city]


@function_tool(failure_error_function=None)  # so that a failure ends the run
def book(city: str, nights: int) -> str:
    """Book a room."""
    if nights > 9:
        raise ValueError(f"no room in {city} for {nights} nights")
    return f"{nights} nights in {city}"


desk = Agent(name="desk", tools=[book])
guide = Agent(name="guide", tools=[look_up], handoffs=[desk])

if __name__ == "__main__":
    print(asyncio.run(run(guide, sys.argv[1], f"trip-{uuid4()}")))  # noqa: T201
