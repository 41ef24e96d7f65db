"""Workflows: the shipped default, and look-up by name."""

import pytest

from progress_sse.core.errors import UnknownWorkflowError
from progress_sse.core.model import StepDefinition
from progress_sse.core.workflows import Workflows

SHIPPED = (
    StepDefinition("原稿生成", 300_000, 60_000),
    StepDefinition("メニュー登録", 120_000, 30_000),
    *(StepDefinition(f"STEP{number}", 120_000) for number in range(3, 8)),
)


class TestLookUp:
    """`Workflows`."""

    def test_ships_seven_steps(self) -> None:
        """Two of them have names and estimates of their own."""
        assert Workflows().named() == Workflows().named("default") == SHIPPED

    def test_takes_the_users_default(self) -> None:
        """In place of the shipped one; other workflows are added to it."""
        own = (StepDefinition("only"),)
        assert Workflows({"default": own}).named() == own
        assert Workflows({"other": own}).named() == SHIPPED
        assert Workflows({"other": own}).named("other") == own

    @pytest.mark.parametrize("name", ["", "Default", "default ", "\ud800"])
    def test_knows_no_other_name(self, name: str) -> None:
        """Names are compared to the letter."""
        with pytest.raises(UnknownWorkflowError):
            Workflows().named(name)

    @pytest.mark.parametrize("total_steps", [1, 2, 7, 9, 1000])
    def test_fits_the_default_to_a_number_of_steps(self, total_steps: int) -> None:
        """Cut, or filled up with steps that no workflow defines."""
        resized = Workflows().resized(total_steps)
        assert len(resized) == total_steps
        assert resized[:7] == SHIPPED[:total_steps]
        assert [step.name for step in resized[7:]] == [f"STEP{number}" for number in range(8, total_steps + 1)]

    @pytest.mark.parametrize("total_steps", [0, -1])
    def test_has_no_steps_where_none_are_wanted(self, total_steps: int) -> None:
        """A negative slice would return all but the last."""
        assert Workflows().resized(total_steps) == ()

    def test_numbers_by_position_in_the_users_default(self) -> None:
        """A missing step is named by its own number."""
        assert Workflows({"default": (StepDefinition("a"),)}).resized(3)[1:] == (
            StepDefinition("STEP2", 120_000),
            StepDefinition("STEP3", 120_000),
        )
