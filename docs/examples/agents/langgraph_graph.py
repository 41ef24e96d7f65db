"""Shows a run of LangGraph: each node that runs is a step."""

import asyncio
import sys
from typing import Any, TypedDict
from uuid import uuid4

from langgraph.graph import END, START, StateGraph
from langgraph.types import Command

from progress_sse.bridges.agents import AgentProgress


async def run(graph: Any, state: Any, session_id: str) -> Any:
    """Run a graph, show how, and return its last state."""
    async with AgentProgress(session_id) as progress:
        async for mode, event in graph.astream(state, stream_mode=["tasks", "values"]):
            if mode == "values":
                state = event
            elif "input" in event:
                progress.begin(event["id"], event["name"])
            else:
                progress.end(event["id"], event["error"])
    return state


WEATHER = {"Bern": "sun", "Rome": "rain"}


class Trip(TypedDict, total=False):
    """The state of the graph."""

    city: str
    nights: int
    weather: str
    room: str


def look_up(trip: Trip) -> Trip:
    """Look up the weather."""
    return {"weather": WEATHER[trip["city"]]}


def guess(trip: Trip) -> Any:
    """Recover from a failure of `look_up`."""
    return Command(update={"weather": "unknown"}, goto="book")


def book(trip: Trip) -> Trip:
    """Book a room."""
    if trip["nights"] > 9:
        raise ValueError(f"no room in {trip['city']} for {trip['nights']} nights")
    return {"room": f"{trip['nights']} nights"}


builder = StateGraph(Trip)
builder.add_node("look_up", look_up, error_handler=guess)
builder.add_node("book", book)
builder.add_edge(START, "look_up")
builder.add_edge("look_up", "book")
builder.add_edge("book", END)
trip = builder.compile()

if __name__ == "__main__":
    print(asyncio.run(run(trip, {"city": sys.argv[1], "nights": 2}, f"trip-{uuid4()}")))  # noqa: T201
