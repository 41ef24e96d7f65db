"""Shows a run of the OpenAI Agents SDK: each tool call and each hand-off is a step."""

import asyncio
import sys
from itertools import count
from typing import Any
from uuid import uuid4

from agents import Agent, RunConfig, RunHooks, Runner, function_tool

from progress_sse import AsyncProgress
from progress_sse.client.aio import AsyncStep


class Steps(RunHooks):
    """Starts and ends steps with the calls of a run."""

    def __init__(self, progress: AsyncProgress) -> None:
        self.progress, self.numbers, self.steps = progress, count(1), dict[Any, AsyncStep]()

    def start(self, name: str) -> AsyncStep:
        self.progress.plan([name])
        step = self.progress.step(next(self.numbers))
        step.start()
        return step

    async def on_tool_start(self, context: Any, agent: Any, tool: Any) -> None:
        self.steps[context] = self.start(tool.name)

    async def on_tool_end(self, context: Any, agent: Any, tool: Any, result: object) -> None:
        self.steps.pop(context).complete()

    async def on_handoff(self, context: Any, from_agent: Any, to_agent: Any) -> None:
        self.start(f"hand over to {to_agent.name}").complete()

    def on_error(self, call: Any) -> None:
        if call.kind == "tool_exception":
            self.steps[call.run_context].part("call").fail(call.error)


async def run(agent: Any, question: str, session_id: str) -> str:
    """Answer a question, and show how."""
    async with AsyncProgress(session_id, open_ended=True) as progress:
        steps = Steps(progress)
        config = RunConfig(tool_error_formatter=steps.on_error)
        return str((await Runner.run(agent, question, hooks=steps, run_config=config)).final_output)


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
