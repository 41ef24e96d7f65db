"""The programs of docs/examples/agents show what their agents do: the real libraries, with models that play a part."""

import asyncio
import json
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from progress_sse.client.testing import Complete, Start, recording
from tests.conftest import Serve
from tests.harness.documents import blocks_of
from tests.harness.serving import ROOT, Server, eventually, session_path
from tests.live.notices.receiver import receiving, write_hooks

pytestmark = [pytest.mark.full, pytest.mark.processes]

FOLDER = ROOT / "docs" / "examples" / "agents"
PAGE = (ROOT / "docs" / "how-to" / "show-what-your-agent-is-doing.md").read_text("utf-8")
SOON_S = 60
"""Seconds within which what is due has happened, on a busy machine too."""

Load = Callable[[str], ModuleType]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Load:
    """Imports a program by its name."""
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.setenv("OPENAI_AGENTS_DISABLE_TRACING", "1")

    def load(name: str) -> ModuleType:
        monkeypatch.delitem(sys.modules, name, raising=False)
        program = import_module(name)
        if hasattr(program, "guide"):
            monkeypatch.setattr(program, "WEATHER", Weather())
        return program

    return load


class Weather(dict[str, str]):
    """What two calls at once look up: each waits for the other one."""

    def __init__(self) -> None:
        super().__init__(Bern="sun", Rome="rain")
        self._both = threading.Barrier(2)

    def __getitem__(self, city: str) -> str:
        weather = super().__getitem__(city)
        self._both.wait(SOON_S)
        return weather


def turns(nights: int) -> list[list[tuple[str, dict[str, Any]]]]:
    """The calls of a model, turn by turn, and its answer. The first call fails; the next two are parallel."""
    first, more = [("look_up", {"city": "Oslo"})], [("look_up", {"city": city}) for city in ("Bern", "Rome")]
    return [first, more, [("book", {"city": "Bern", "nights": nights})], []]


async def run_openai_sdk(program: Any, nights: int) -> object:
    """Run with a model as in the library's own tests."""
    from agents import Model, ModelResponse, Usage
    from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

    calls = turns(nights)
    calls.insert(2, [("transfer_to_desk", {})])

    class Played(Model):  # type: ignore[misc]  # where the library is not installed
        async def get_response(self, *_: object, **__: object) -> Any:
            turn = calls.pop(0)
            text = ResponseOutputText(text="done", type="output_text", annotations=[])
            output: list[Any] = [
                ResponseFunctionToolCall(
                    type="function_call", call_id=f"{len(calls)}-{number}", name=name, arguments=json.dumps(arguments)
                )
                for number, (name, arguments) in enumerate(turn)
            ] or [ResponseOutputMessage(id="a", type="message", role="assistant", status="completed", content=[text])]
            return ModelResponse(output=output, usage=Usage(), response_id=None)

        def stream_response(self, *_: object, **__: object) -> Any:
            raise NotImplementedError

    program.guide.model = program.desk.model = Played()
    return await program.run(program.guide, "a trip?", "trip")


async def run_pydantic_ai_agent(program: Any, nights: int) -> object:
    """Run with a `FunctionModel`."""
    from pydantic_ai.models.function import DeltaToolCall, FunctionModel

    calls = turns(nights)

    async def play(_: object, __: object) -> AsyncIterator[Any]:
        turn = calls.pop(0)
        for number, (name, arguments) in enumerate(turn):
            yield {number: DeltaToolCall(name, json.dumps(arguments), tool_call_id=f"{len(calls)}-{number}")}
        if not turn:
            yield "done"

    with program.guide.override(model=FunctionModel(stream_function=play)):
        return await program.run(program.guide, "a trip?", "trip")


async def run_langgraph_graph(program: Any, nights: int) -> object:
    """Run the graph, whose first node fails."""
    state = await program.run(program.trip, {"city": "Oslo", "nights": nights}, "trip")
    return state["room"] and "done"


Step = tuple[str, str, list[str]]
"""Name, status, and the errors of itself or else of its parts."""

LOOKED_UP: Step = ("look_up", "success", [])
NO_ROOM = "no room in Bern for 12 nights"

RUNS: dict[Callable[[Any, int], Awaitable[object]], tuple[list[Step], str]] = {
    run_openai_sdk: (
        [("look_up", "success", ["KeyError: 'Oslo'"]), LOOKED_UP, LOOKED_UP],
        f"UserError: Error running tool book: {NO_ROOM}",
    ),
    run_pydantic_ai_agent: (
        [("look_up", "success", ["no weather of Oslo"]), LOOKED_UP, LOOKED_UP],
        f"ValueError: {NO_ROOM}",
    ),
    run_langgraph_graph: (
        [("look_up", "success", ["KeyError: 'Oslo'"])],
        "ValueError: no room in Oslo for 12 nights",
    ),
}

each_library = pytest.mark.parametrize("run", RUNS, ids=lambda run: run.__name__)


def program_of(run: Any, load: Load) -> ModuleType:
    return load(run.__name__.removeprefix("run_"))


async def session_of(server: Server, session_id: str) -> Any:
    async with httpx.AsyncClient(base_url=server.url) as client:
        return (await client.get(session_path(session_id))).raise_for_status().json()


def errors_of(step: Any) -> list[str]:
    failed = [step] if step["status"] == "error" else step.get("parts", {"listed": []})["listed"]
    return [each["error"] for each in failed]


@each_library
async def test_each_call_ends_its_own_step(load: Load, run: Any) -> None:
    """Also one that has failed, before the next turn, and two of one tool at once: the session's end would end all."""
    with recording() as recorder:
        await run(program_of(run, load), 2)
    reports = [each for each in recorder.of("trip") if isinstance(each, Start | Complete)]
    numbers = list(range(1, len(RUNS[run][0]) + 2))
    assert [each.step for each in reports if isinstance(each, Start)] == numbers
    assert sorted(each.step for each in reports if isinstance(each, Complete)) == numbers
    assert [type(each) for each in reports[:3]] == [Start, Complete, Start]


@pytest.mark.parametrize("fails", [False, True])
@each_library
async def test_only_a_failure_that_ends_the_run_fails_the_session(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load: Load, run: Any, fails: bool
) -> None:
    """A call that the agent recovers from shows its failure, and is done; no notice is sent of it."""
    program, (before, error) = program_of(run, load), RUNS[run]
    async with receiving() as receiver:
        hook = receiver.hook(on=["started", "completed", "failed", "cancelled"])
        server = await asyncio.to_thread(serve, hooks=write_hooks(tmp_path / "hooks.toml", a=hook))
        monkeypatch.setenv("PROGRESS_SSE_URL", server.url)
        with pytest.raises(Exception, match="no room") if fails else nullcontext():
            assert await run(program, 12 if fails else 2) == "done"
        await eventually(lambda: len(receiver.received) > 1, SOON_S)
        session = await session_of(server, "trip")
    steps = [(step["name"], step["status"], errors_of(step)) for step in session["steps"]]
    assert steps == [*before, ("book", "error", [error]) if fails else ("book", "success", [])]
    assert (session["status"], session.get("error")) == (("error", error) if fails else ("completed", None))
    assert [each.event for each in receiver.received] == ["started", "failed" if fails else "completed"]


@pytest.mark.parametrize(
    ("mode", "photos", "ends", "answer"),
    [
        ("auto", "abc", ["success", "success", "success"], "published"),
        ("legacy", "abc", ["success", "success", "success"], "published"),
        ("auto", "a?c", ["success", "error", "pending"], "Failed at step 2: OSError: disk full"),
    ],
)
async def test_a_tool_answers_at_once_and_a_client_that_waits_gets_progress(
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    load: Load,
    mode: Any,
    photos: str,
    ends: list[str],
    answer: str,
) -> None:
    """The page's link comes before the end; each photo is a step, and a notification of MCP."""
    from mcp import Client

    passes, received = asyncio.Semaphore(0), list[tuple[float, float | None]]()

    async def upload(photo: str) -> None:
        await passes.acquire()
        if photo == "?":
            raise OSError("disk full")

    async def receive(progress: float, total: float | None, _: str | None) -> None:
        received.append((progress, total))

    monkeypatch.setenv("PROGRESS_SSE_URL", server.url)
    program: Any = load("mcp_tool")
    monkeypatch.setattr(program, "upload", upload)
    async with asyncio.timeout(SOON_S), Client(program.server, mode=mode) as client, httpx.AsyncClient() as http:
        begun: Any = await client.call_tool("publish_photos", {"photos": list(photos)})
        link, _, session_id = begun.content[0].text.partition(" shows the session ")
        assert link == f"{server.url}/s/{session_id}"
        jobs = asyncio.gather(*program.jobs, return_exceptions=True)
        assert "text/html" in (await http.get(link)).headers["Content-Type"]
        waiting = asyncio.create_task(
            client.call_tool("wait_for_photos", {"session_id": session_id}, progress_callback=receive)
        )
        for number in range(1, ends.count("success") + 1):
            assert not waiting.done()
            passes.release()
            await eventually(lambda number=number: len(received) >= number, SOON_S)  # type: ignore[misc]
        passes.release()
        ended: Any = await waiting
        await jobs
    assert [each.text for each in ended.content] == [answer]
    rises = [each for each in received if each != (99, 100)]  # Seen where a poll comes before the open end is declared.
    assert rises == [(33, 100), (66, 100), (100, 100)][: ends.count("success")]
    session = await session_of(server, session_id)
    assert [(step["name"], step["status"]) for step in session["steps"]] == list(zip(photos, ends, strict=True))


def test_the_page_shows_the_programs() -> None:
    """Each block of the page is a part of its program, which the page names above it, of ten lines of code."""
    names = []
    for section in PAGE.split("\n## ")[1:]:
        for block in blocks_of("", section):
            [name] = [path.name for path in FOLDER.glob("*.py") if f"(../examples/agents/{path.name})" in section]
            assert block.text in (FOLDER / name).read_text("utf-8")
            assert sum(bool(line.strip()) and '"""' not in line for line in block.text.splitlines()) <= 10
            names.append(name)
    assert set(names) == {path.name for path in FOLDER.glob("*.py")}
