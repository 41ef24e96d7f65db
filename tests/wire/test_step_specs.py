"""Step definitions as users write them."""

import pytest

from progress_sse.core.errors import InvalidRequestError
from progress_sse.core.model import StepDefinition
from progress_sse.wire.step_specs import StepSpec, define_steps


def test_fills_in_missing_values() -> None:
    """A limit of 0 or null becomes that of the workflow, or none; a missing estimate declares nothing, unlike 0."""
    specs = [
        StepSpec(),
        StepSpec(name="b", timeout_ms=0, estimated_ms=0),
        StepSpec(step=3, timeout_ms=2**53 - 1, estimated_ms=2**53 - 1),
    ]
    assert [each.timeout_ms for each in define_steps(specs)] == [None, None, 2**53 - 1]
    assert define_steps(specs, timeout_ms=120_000) == (
        StepDefinition("STEP1", 120_000),
        StepDefinition("b", 120_000, 0),
        StepDefinition("STEP3", 2**53 - 1, 2**53 - 1),
    )


@pytest.mark.parametrize("numbers", [[0], [2], [1, 1], [1, 3], [2, 1], [None, 1], [-1]])
def test_refuses_numbers_out_of_place(numbers: list[int | None]) -> None:
    """Gaps, repeats and another order: a number must be the step's place."""
    with pytest.raises(InvalidRequestError, match="numbered"):
        define_steps([StepSpec(step=number) for number in numbers])
