"""An agent framework whose own spans are reported, without code of ours in the agent."""

from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider
from pydantic_ai import Agent
from pydantic_ai.models.instrumented import InstrumentationSettings
from pydantic_ai.models.test import TestModel

from progress_sse.bridges.opentelemetry import SessionProcessor
from tests.harness.serving import Server, session_path

pytestmark = [pytest.mark.full, pytest.mark.processes]


class Job:
    """An agent with one tool, whose runs are steps of a session."""

    def __init__(self, server: Server, session_id: str) -> None:
        self._url = server.url + session_path(session_id)
        self._session_id = session_id
        self.shown: Any = None
        self.error: Exception | None = None
        self._provider = TracerProvider()
        self._provider.add_span_processor(SessionProcessor())
        settings = InstrumentationSettings(tracer_provider=self._provider, include_content=False)
        self._agent = Agent(TestModel(), name="forecaster", tools=[self.weather])
        self._agent.instrument = settings

    def weather(self, city: str) -> str:
        """Return the weather, once it was seen what readers see meanwhile."""
        self.shown = self.poll()
        if self.error is not None:
            raise self.error
        return f"rain in {city}"

    def run(self) -> None:
        attributes = {"progress.session": self._session_id}
        with self._provider.get_tracer("job").start_as_current_span("forecast", attributes=attributes):
            self._agent.run_sync("What will the weather be?")

    def poll(self) -> Any:
        assert self._provider.force_flush()
        return httpx.get(self._url).json()


@pytest.fixture
def job(server: Server, monkeypatch: pytest.MonkeyPatch, sid: str) -> Job:
    monkeypatch.setenv("PROGRESS_SSE_URL", server.url)
    return Job(server, sid)


def parts_of(session: Any) -> set[tuple[str, str]]:
    return {(part["part"], part["status"]) for part in session["steps"][0]["parts"]["listed"]}


def test_an_agent_is_a_step_and_its_calls_are_parts(job: Job) -> None:
    """Readers see the tool while it runs."""
    job.run()
    assert [step["name"] for step in job.shown["steps"]] == ["invoke_agent forecaster"]
    assert parts_of(job.shown) == {("chat test", "success"), ("execute_tool weather", "running")}
    ended = job.poll()
    assert (ended["status"], ended["steps"][0]["status"]) == ("completed", "success")
    calls = {"chat test", "execute_tool weather", "chat test (2)"}
    assert parts_of(ended) == {(call, "success") for call in calls}


def test_a_tool_that_raises_fails_the_job(job: Job) -> None:
    """The error is that of the part, the step and the session."""
    job.error = OSError("no network")
    with pytest.raises(OSError, match="no network"):
        job.run()
    ended = job.poll()
    assert (ended["status"], ended["error"]) == ("error", "OSError: no network")
    assert ended["steps"][0]["error"] == "OSError: no network"
    assert parts_of(ended) == {("chat test", "success"), ("execute_tool weather", "error")}
