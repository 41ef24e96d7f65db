"""An agent framework whose own spans are reported, without code of ours in the agent."""

from contextlib import nullcontext
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider

from progress_sse.bridges.opentelemetry import SessionProcessor
from tests.harness.serving import Server, session_path

pytestmark = [pytest.mark.full, pytest.mark.processes]


def parts_of(session: Any) -> set[tuple[str, str]]:
    [step] = session["steps"]
    assert step["name"] == "invoke_agent forecaster"
    return {(part["part"], part["status"]) for part in step["parts"]["listed"]}


@pytest.mark.parametrize("error", [None, OSError("no network")])
def test_an_agent_is_a_step_and_its_calls_are_parts(
    server: Server, monkeypatch: pytest.MonkeyPatch, sid: str, error: Exception | None
) -> None:
    """Readers see a tool while it runs; its exception is the error of the part, the step and the session."""
    from pydantic_ai import Agent  # which only the full run has
    from pydantic_ai.models.instrumented import InstrumentationSettings
    from pydantic_ai.models.test import TestModel

    monkeypatch.setenv("PROGRESS_SSE_URL", server.url)
    provider, shown = TracerProvider(), []
    provider.add_span_processor(SessionProcessor())

    def poll() -> Any:
        assert provider.force_flush()
        return httpx.get(server.url + session_path(sid)).json()

    def weather(city: str) -> str:
        """Return the weather."""
        shown.append(poll())
        if error is not None:
            raise error
        return f"rain in {city}"

    agent = Agent(TestModel(), name="forecaster", tools=[weather])
    agent.instrument = InstrumentationSettings(tracer_provider=provider)
    with (
        nullcontext() if error is None else pytest.raises(OSError, match="no network"),
        provider.get_tracer("job").start_as_current_span("forecast", attributes={"progress.session": sid}),
    ):
        agent.run_sync("What will the weather be?")
    assert parts_of(shown[0]) == {("chat test", "success"), ("execute_tool weather", "running")}
    ended = poll()
    if error is None:
        assert (ended["status"], ended["steps"][0]["status"]) == ("completed", "success")
        assert parts_of(ended) == {(name, "success") for name in ("chat test", "execute_tool weather", "chat test (2)")}
    else:
        assert (ended["status"], ended["error"]) == ("error", "OSError: no network")
        assert ended["steps"][0]["error"] == "OSError: no network"
        assert parts_of(ended) == {("chat test", "success"), ("execute_tool weather", "error")}
