"""Step definitions as users write them, in a steps file or in a request."""

from collections.abc import Callable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from progress_sse.core.errors import InvalidRequestError
from progress_sse.core.model import DEFAULT_TIMEOUT_MS, MAX_SAFE_INTEGER, StepDefinition
from progress_sse.core.workflows import default_step_name
from progress_sse.wire.text import Text

Milliseconds = Annotated[int, Field(strict=True, ge=0, le=MAX_SAFE_INTEGER)]


class StepSpec(BaseModel):
    """One step definition; a `timeout_ms` of 0 stands for the default."""

    model_config = ConfigDict(extra="ignore")

    step: Annotated[int, Field(strict=True)] | None = Field(None, description="Its place in the list, from 1.")
    name: Annotated[Text, Field(min_length=1)] | None = None
    timeout_ms: Milliseconds | None = None
    estimated_ms: Milliseconds | None = None


def define_steps(
    specs: list[StepSpec], name_of: Callable[[int], str] = default_step_name
) -> tuple[StepDefinition, ...]:
    """Return the definitions that `specs` describe, in their order; `name_of` names those that have no name.

    Raises:
        InvalidRequestError: A spec has a number that is not its place.
    """
    for number, spec in enumerate(specs, start=1):
        if spec.step not in (None, number):
            raise InvalidRequestError("steps must be numbered 1, 2, 3 … in order, where they are numbered at all.")
    return tuple(
        StepDefinition(
            spec.name or name_of(number),
            spec.timeout_ms or DEFAULT_TIMEOUT_MS,
            spec.estimated_ms,
        )
        for number, spec in enumerate(specs, start=1)
    )
