"""Workflows: step definitions by name, and the default that is shipped."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from progress_sse.core.errors import UnknownWorkflowError
from progress_sse.core.model import DEFAULT_TIMEOUT_MS, StepDefinition, is_session_id

DEFAULT: Final = "default"
"""The workflow of sessions that name none."""

_SHIPPED: Final = (StepDefinition("原稿生成", 300_000, 60_000), StepDefinition("メニュー登録", 120_000, 30_000))
_SHIPPED_TOTAL_STEPS: Final = 7


def default_step_name(number: int) -> str:
    """Return the name of a step that has none of its own."""
    return f"STEP{number}"


def profile_of(profile: str | None, workflow: str | None) -> str | None:
    """Return the profile of a session: the one that it names, or the name of its workflow, if that can be one."""
    if profile is None and workflow is not None and is_session_id(workflow):
        return workflow
    return profile


@lru_cache(maxsize=256)
def _padded(definitions: tuple[StepDefinition, ...], total_steps: int) -> tuple[StepDefinition, ...]:
    missing = range(len(definitions) + 1, total_steps + 1)
    return definitions[: max(0, total_steps)] + tuple(
        StepDefinition(default_step_name(number), DEFAULT_TIMEOUT_MS) for number in missing
    )


class Workflows:
    """Step definitions by workflow name. There is always one named `default`."""

    def __init__(self, workflows: Mapping[str, tuple[StepDefinition, ...]] | None = None) -> None:
        """Add `workflows` to the shipped default; one named `default` replaces it."""
        self._workflows = {DEFAULT: _padded(_SHIPPED, _SHIPPED_TOTAL_STEPS), **(workflows or {})}

    def named(self, name: str = DEFAULT) -> tuple[StepDefinition, ...]:
        """Return the definitions of a workflow.

        Raises:
            UnknownWorkflowError: There is none of that name.
        """
        if name not in self._workflows:
            raise UnknownWorkflowError
        return self._workflows[name]

    def resized(self, total_steps: int) -> tuple[StepDefinition, ...]:
        """Return the workflow `default` cut to `total_steps`, or filled up with steps named by their numbers.

        All sessions with that number of steps share the definitions.
        """
        return _padded(self.named(), total_steps)
