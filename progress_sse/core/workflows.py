"""Step definitions: the shipped default, files of the user's own, and look-up by name."""

import json
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from progress_sse._internal.files import read_file
from progress_sse.core.errors import ConfigurationError, InvalidRequestError, UnknownWorkflowError
from progress_sse.core.model import DEFAULT_ESTIMATED_MS, DEFAULT_TIMEOUT_MS, MAX_SAFE_INTEGER, StepDefinition
from progress_sse.wire.text import Text, first_fault

DEFAULT: Final = "default"
"""The workflow of sessions that name none."""

_SHIPPED: Final = (StepDefinition("原稿生成", 300_000, 60_000), StepDefinition("メニュー登録", 120_000, 30_000))
_SHIPPED_TOTAL_STEPS: Final = 7

Milliseconds = Annotated[int, Field(strict=True, ge=0, le=MAX_SAFE_INTEGER)]


class StepSpec(BaseModel):
    """A step definition as users write it, in a file or a request; a `timeout_ms` of 0 stands for the default."""

    model_config = ConfigDict(extra="ignore")

    step: Annotated[int, Field(strict=True)] | None = Field(None, description="Its place in the list, from 1.")
    name: Annotated[Text, Field(min_length=1)] | None = None
    timeout_ms: Milliseconds | None = None
    estimated_ms: Milliseconds | None = None


def define_steps(specs: list[StepSpec]) -> tuple[StepDefinition, ...]:
    """Return the definitions that `specs` describe, in their order.

    Raises:
        InvalidRequestError: A spec bears a number that is not its place.
    """
    for number, spec in enumerate(specs, start=1):
        if spec.step not in (None, number):
            raise InvalidRequestError("steps must be numbered 1, 2, 3 … in order, where they are numbered at all.")
    return tuple(
        StepDefinition(
            spec.name or _unnamed(number),
            spec.timeout_ms or DEFAULT_TIMEOUT_MS,
            DEFAULT_ESTIMATED_MS if spec.estimated_ms is None else spec.estimated_ms,
        )
        for number, spec in enumerate(specs, start=1)
    )


def _unnamed(number: int) -> str:
    return f"STEP{number}"


@lru_cache(maxsize=256)
def _padded(definitions: tuple[StepDefinition, ...], total_steps: int) -> tuple[StepDefinition, ...]:
    missing = range(len(definitions) + 1, total_steps + 1)
    return definitions[: max(0, total_steps)] + tuple(StepDefinition(_unnamed(number)) for number in missing)


class Workflows:
    """Step definitions by workflow name. There is always one named `default`."""

    def __init__(self, workflows: Mapping[str, tuple[StepDefinition, ...]] | None = None) -> None:
        """Take `workflows` beside, or in place of, the shipped default."""
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
        """Return the workflow `default` cut, or filled up with steps that nobody defined, to `total_steps`.

        Sessions of as many steps share them.
        """
        return _padded(self.named(), total_steps)


class _Workflow(BaseModel):
    steps: Annotated[list[StepSpec], Field(min_length=1)]


class _WorkflowsFile(BaseModel):
    workflows: dict[str, _Workflow]


def load_workflows(path: Path, *, max_total_steps: int, max_text_chars: int) -> Workflows:
    """Read a TOML or JSON file of `workflows.<name>.steps`; which of the two it is, its suffix says.

    Raises:
        ConfigurationError: It cannot be read, or does not say what it should.
    """
    try:
        read = _WorkflowsFile.model_validate(_parse(path), context={"max_text_chars": max_text_chars})
        workflows = {name: define_steps(workflow.steps) for name, workflow in read.workflows.items()}
    except (OSError, ValueError, RecursionError, InvalidRequestError) as error:
        raise ConfigurationError(f"The steps file {path} cannot be used: {_reason(error)}") from error
    for name, definitions in workflows.items():
        if len(definitions) > max_total_steps:
            raise ConfigurationError(f"The steps file {path} cannot be used: workflow {name!r} has too many steps.")
    return Workflows(workflows)


def _parse(path: Path) -> Any:
    text = read_file(path).decode()
    return json.loads(text) if path.suffix == ".json" else tomllib.loads(text)


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return first_fault(error)
    return str(error)
