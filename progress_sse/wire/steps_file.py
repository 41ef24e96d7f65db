"""The steps file: TOML or JSON with `workflows.<name>.steps`."""

import json
import tomllib
from typing import Annotated, Any

from pydantic import BaseModel, Field

from progress_sse.core.model import StepDefinition
from progress_sse.wire.step_specs import StepSpec, define_steps


class _Workflow(BaseModel):
    steps: Annotated[list[StepSpec], Field(min_length=1)]


class _StepsFile(BaseModel):
    workflows: dict[str, _Workflow]


def decode_steps_file(
    content: bytes, *, is_json: bool, max_total_steps: int, max_text_chars: int
) -> dict[str, tuple[StepDefinition, ...]]:
    """Return the step definitions of each workflow in the file.

    Raises:
        ValueError: It is not TOML or JSON in UTF-8 (a `ValidationError`: its fields are wrong), or too large.
        RecursionError: It is nested too deeply.
        InvalidRequestError: The steps of a workflow are not numbered in order.
    """
    file = _StepsFile.model_validate(_parse(content.decode(), is_json), context={"max_text_chars": max_text_chars})
    workflows = {name: define_steps(workflow.steps) for name, workflow in file.workflows.items()}
    for name, definitions in workflows.items():
        if len(definitions) > max_total_steps:
            raise ValueError(f"workflow {name!r} has too many steps.")
    return workflows


def _parse(text: str, is_json: bool) -> Any:
    return json.loads(text) if is_json else tomllib.loads(text)
