"""Step definitions as users write them, in a request or in a steps file (TOML or JSON, `workflows.<name>.steps`)."""

import json
import tomllib
from collections.abc import Callable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from progress_sse.core.bounds import TOO_DEEP, check_depth
from progress_sse.core.errors import InvalidRequestError
from progress_sse.core.model import DEFAULT_TIMEOUT_MS, MAX_SAFE_INTEGER, StepDefinition
from progress_sse.core.workflows import default_step_name
from progress_sse.wire.text import Text

Milliseconds = Annotated[int, Field(strict=True, ge=0, le=MAX_SAFE_INTEGER)]


class StepSpec(BaseModel):
    """One step definition; a `timeout_ms` of 0 stands for none."""

    model_config = ConfigDict(extra="ignore")

    step: Annotated[int, Field(strict=True)] | None = Field(None, description="Its place in the list, from 1.")
    name: Annotated[Text, Field(min_length=1)] | None = None
    timeout_ms: Milliseconds | None = None
    estimated_ms: Milliseconds | None = None


def define_steps(
    specs: list[StepSpec], name_of: Callable[[int], str] = default_step_name, timeout_ms: int | None = None
) -> tuple[StepDefinition, ...]:
    """Return the definitions that `specs` describe, in their order; `name_of` names those that have no name.

    Those that have no limit get `timeout_ms`, in milliseconds, or none.

    Raises:
        InvalidRequestError: A spec has a number that is not its place.
    """
    for number, spec in enumerate(specs, start=1):
        if spec.step not in (None, number):
            raise InvalidRequestError("steps must be numbered 1, 2, 3 … in order, where they are numbered at all.")
    return tuple(
        StepDefinition(spec.name or name_of(number), spec.timeout_ms or timeout_ms, spec.estimated_ms)
        for number, spec in enumerate(specs, start=1)
    )


class _Workflow(BaseModel):
    steps: Annotated[list[StepSpec], Field(min_length=1)]


class _StepsFile(BaseModel):
    workflows: dict[str, _Workflow]


def decode_steps_file(
    content: bytes, *, is_json: bool, max_total_steps: int, max_text_chars: int
) -> dict[str, tuple[StepDefinition, ...]]:
    """Return the step definitions of each workflow in the file.

    Raises:
        ValueError: It is not TOML or JSON in UTF-8 (a `ValidationError`: its fields are wrong), too large or too deep.
        InvalidRequestError: The steps of a workflow are not numbered in order.
    """
    try:
        parsed = json.loads(content.decode()) if is_json else tomllib.loads(content.decode())
    except RecursionError:
        raise ValueError(TOO_DEEP) from None
    check_depth(parsed)
    file = _StepsFile.model_validate(parsed, context={"max_text_chars": max_text_chars})
    workflows = {
        name: define_steps(workflow.steps, timeout_ms=DEFAULT_TIMEOUT_MS) for name, workflow in file.workflows.items()
    }
    for name, definitions in workflows.items():
        if len(definitions) > max_total_steps:
            raise ValueError(f"workflow {name!r} has too many steps.")
    return workflows
