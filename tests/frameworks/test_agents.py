"""The programs of docs/examples/agents show what their agents do: the real libraries, with models that play a part."""

import asyncio
import json
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
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
"""Name, status, and the errors of the parts."""

LOOKED_UP: Step = ("look_up", "success", [])
NO_ROOM = "no room in Bern for 12 nights"

RUNS: dict[Callable[[Any, int], Awaitable[object]], tuple[list[Step], str]] = {
    run_openai_sdk: (
        [("look_up", "success", ["KeyError: 'Oslo'"]), LOOKED_UP, LOOKED_UP, ("hand over to desk", "success", [])],
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


def steps_of(session: Any) -> list[Step]:
    return [
        (step["name"], step["status"], [part["error"] for part in step.get("parts", {"listed": []})["listed"]])
        for step in session["steps"]
    ]


async def run_with_hook(
    serve: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch, run: Callable[[], Awaitable[None]]
) -> tuple[Any, list[str]]:
    """Run at a server with a hook, and return the session in the end and the events of its notices."""
    async with receiving() as receiver:
        hooks = write_hooks(folder / "hooks.toml", a=receiver.hook(on=["started", "completed", "failed", "cancelled"]))
        server = await asyncio.to_thread(serve, hooks=hooks)
        monkeypatch.setenv("PROGRESS_SSE_URL", server.url)
        await run()
        ends = {"completed", "failed"}
        await eventually(lambda: not ends.isdisjoint(each.event for each in receiver.received), SOON_S)
        return await session_of(server, "trip"), [each.event for each in receiver.received]


@each_library
async def test_a_call_that_the_agent_recovers_from_does_not_fail_the_session(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load: Load, run: Any
) -> None:
    """Its step shows the failure, and is done; no notice is sent of it."""
    program = program_of(run, load)

    async def answered() -> None:
        assert await run(program, 2) == "done"

    session, events = await run_with_hook(serve, tmp_path, monkeypatch, answered)
    assert (session["status"], steps_of(session)) == ("completed", [*RUNS[run][0], ("book", "success", [])])
    assert events == ["started", "completed"]


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


@each_library
async def test_a_call_whose_failure_ends_the_run_fails_the_session(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load: Load, run: Any
) -> None:
    """Its step bears the error, and so does the session."""
    program, (before, error) = program_of(run, load), RUNS[run]

    async def failed() -> None:
        with pytest.raises(Exception, match="no room"):
            await run(program, 12)

    session, events = await run_with_hook(serve, tmp_path, monkeypatch, failed)
    *former, last = session["steps"]
    assert (session["status"], session["error"]) == ("error", error)
    assert steps_of({"steps": former}) == before
    assert (last["name"], last["status"], last["error"]) == ("book", "error", error)
    assert events == ["started", "failed"]


class Uploads:
    """Lets uploads pass one by one."""

    def __init__(self) -> None:
        self.passes = asyncio.Semaphore(0)
        self.refused = ""

    async def __call__(self, photo: str) -> None:
        await self.passes.acquire()
        if photo == self.refused:
            raise OSError("disk full")


@pytest.fixture
def uploads() -> Uploads:
    return Uploads()


@pytest.fixture
def photos(server: Server, monkeypatch: pytest.MonkeyPatch, load: Load, uploads: Uploads) -> Any:
    """The program of the MCP server, at a server of ours."""
    monkeypatch.setenv("PROGRESS_SSE_URL", server.url)
    program = load("mcp_tool")
    monkeypatch.setattr(program, "upload", uploads)
    return program


async def begun(client: Any, server: Server) -> str:
    """Call the tool, and return the session whose page it names while the job has not ended."""
    answer = await client.call_tool("publish_photos", {"photos": ["a", "b", "c"]})
    link, _, session_id = answer.content[0].text.partition(" shows the session ")
    assert link == f"{server.url}/s/{session_id}"
    async with asyncio.timeout(SOON_S), httpx.AsyncClient() as http:
        assert "text/html" in (await http.get(link)).headers["Content-Type"]
        waiting = {"If-None-Match": '"absent"', "Prefer": "wait=30"}
        await http.get(server.url + session_path(session_id), headers=waiting)
    assert (await session_of(server, session_id))["status"] in ("pending", "running")
    return str(session_id)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_tool_answers_at_once_and_a_client_that_waits_gets_progress(
    server: Server, photos: Any, uploads: Uploads, mode: str
) -> None:
    """The link comes before the end; each photo is a step, and a notification of MCP."""
    from mcp import Client

    received: list[tuple[float, float | None]] = []

    async def receive(progress: float, total: float | None, _: str | None) -> None:
        received.append((progress, total))

    async with asyncio.timeout(SOON_S), Client(photos.server, mode=mode) as client:
        session_id = await begun(client, server)
        arguments = {"session_id": session_id}
        waiting = asyncio.create_task(client.call_tool("wait_for_photos", arguments, progress_callback=receive))
        for number in (1, 2, 3):
            assert not waiting.done()
            uploads.passes.release()
            await eventually(lambda number=number: len(received) == number, SOON_S)  # type: ignore[misc]
        answer = await waiting
    assert [each.text for each in answer.content] == ["published"]
    assert received == [(33, 100), (66, 100), (100, 100)]
    session = await session_of(server, session_id)
    assert (session["status"], steps_of(session)) == ("completed", [(name, "success", []) for name in "abc"])


async def test_a_job_that_fails_after_the_answer(server: Server, photos: Any, uploads: Uploads) -> None:
    """The client that waits gets the error."""
    from mcp import Client

    uploads.refused = "b"
    async with asyncio.timeout(SOON_S), Client(photos.server) as client:
        session_id = await begun(client, server)
        [job] = photos.jobs
        for _ in "ab":
            uploads.passes.release()
        answer = await client.call_tool("wait_for_photos", {"session_id": session_id})
        with pytest.raises(OSError, match="disk full"):
            await job
    session = await session_of(server, session_id)
    assert [each.text for each in answer.content] == [session["error"]] == ["OSError: disk full"]
    assert [step["status"] for step in session["steps"]] == ["success", "error", "pending"]


def test_the_page_shows_the_programs() -> None:
    """Each block of the page is a part of its program, which the page names above it."""
    names = []
    for section in PAGE.split("\n## ")[1:]:
        for block in blocks_of("", section):
            [name] = [path.name for path in FOLDER.glob("*.py") if f"(../examples/agents/{path.name})" in section]
            assert block.text in (FOLDER / name).read_text("utf-8")
            names.append(name)
    assert set(names) == {path.name for path in FOLDER.glob("*.py")}
