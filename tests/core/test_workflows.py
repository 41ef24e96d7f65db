"""Step definitions: the shipped default, look-up by name, and files of users' own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from progress_sse.core.errors import ConfigurationError, InvalidRequestError, UnknownWorkflowError
from progress_sse.core.model import StepDefinition
from progress_sse.core.workflows import StepSpec, Workflows, define_steps, load_workflows

SHIPPED = (
    StepDefinition("原稿生成", 300_000, 60_000),
    StepDefinition("メニュー登録", 120_000, 30_000),
    *(StepDefinition(f"STEP{number}", 120_000, 30_000) for number in range(3, 8)),
)

IMPORT = (
    StepDefinition("fetch", 5000, 2000),
    StepDefinition("STEP2", 120_000, 0),
    StepDefinition("取り込み", 120_000, 30_000),
)

TOML = """
# Comments and other keys are the user's own business.
title = "Our jobs"

[[workflows.import.steps]]
name = "fetch"
timeout_ms = 5000
estimated_ms = 2000
colour = "red"

[[workflows.import.steps]]
step = 2
timeout_ms = 0
estimated_ms = 0

[[workflows.import.steps]]
name = "取り込み"
"""

JSON = {
    "workflows": {
        "import": {
            "steps": [
                {"name": "fetch", "timeout_ms": 5000, "estimated_ms": 2000},
                {"timeout_ms": 0, "estimated_ms": 0},
                {"step": 3, "name": "取り込み", "timeout_ms": None},
            ]
        }
    }
}


def load(path: Path, *, max_total_steps: int = 1000, max_text_chars: int = 8192) -> Workflows:
    """Read a steps file under the default limits."""
    return load_workflows(path, max_total_steps=max_total_steps, max_text_chars=max_text_chars)


def write(path: Path, content: Any) -> Path:
    """Write text as it is, and everything else as JSON."""
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


class TestLookUp:
    """`Workflows`."""

    def test_ships_seven_steps(self) -> None:
        """Of which two are defined."""
        assert Workflows().named() == Workflows().named("default") == SHIPPED

    def test_takes_the_users_default(self) -> None:
        """In place of the shipped one; others stand beside it."""
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
        """Cut, or filled up with steps that nobody defined."""
        resized = Workflows().resized(total_steps)
        assert len(resized) == total_steps
        assert resized[:7] == SHIPPED[:total_steps]
        assert [step.name for step in resized[7:]] == [f"STEP{number}" for number in range(8, total_steps + 1)]

    @pytest.mark.parametrize("total_steps", [0, -1])
    def test_has_no_steps_where_none_are_wanted(self, total_steps: int) -> None:
        """And not all but the last, as a slice would."""
        assert Workflows().resized(total_steps) == ()

    def test_numbers_by_position_in_the_users_default(self) -> None:
        """What is missing is named by its own number."""
        assert Workflows({"default": (StepDefinition("a"),)}).resized(3)[1:] == (
            StepDefinition("STEP2"),
            StepDefinition("STEP3"),
        )


class TestSpecs:
    """`define_steps`."""

    def test_fills_in_what_is_not_said(self) -> None:
        """A limit of 0 or null is the default's, an estimate of 0 is meant."""
        specs = [
            StepSpec(),
            StepSpec(name="b", timeout_ms=0, estimated_ms=0),
            StepSpec(step=3, timeout_ms=2**53 - 1, estimated_ms=2**53 - 1),
        ]
        assert define_steps(specs) == (
            StepDefinition("STEP1", 120_000, 30_000),
            StepDefinition("b", 120_000, 0),
            StepDefinition("STEP3", 2**53 - 1, 2**53 - 1),
        )

    @pytest.mark.parametrize("numbers", [[0], [2], [1, 1], [1, 3], [2, 1], [None, 1], [-1]])
    def test_refuses_numbers_out_of_place(self, numbers: list[int | None]) -> None:
        """Gaps, repeats and another order; where steps are numbered, the number is their place."""
        with pytest.raises(InvalidRequestError, match="numbered"):
            define_steps([StepSpec(step=number) for number in numbers])


class TestFile:
    """`load_workflows`."""

    @pytest.mark.parametrize(
        ("name", "content"), [("steps.toml", TOML), ("steps.json", JSON), ("steps.TOML", TOML), ("steps", TOML)]
    )
    def test_is_toml_or_json(self, tmp_path: Path, name: str, content: Any) -> None:
        """Both say the same; only `.json` is JSON."""
        workflows = load(write(tmp_path / name, content))
        assert workflows.named("import") == IMPORT
        assert workflows.named() == SHIPPED

    def test_can_be_within_the_limits(self, tmp_path: Path) -> None:
        """To the last step and character."""
        path = write(tmp_path / "steps.json", {"workflows": {"w": {"steps": [{"name": "x" * 10}] * 5}}})
        assert len(load(path, max_total_steps=5, max_text_chars=10).named("w")) == 5

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            ("", "Expecting value"),
            ("{", "Expecting property name"),
            ("[" * 100_000, "recursion"),
            ([], "valid dictionary"),
            (None, "valid dictionary"),
            ({}, "workflows: Field required"),
            ({"workflows": []}, "workflows: .*dictionary"),
            ({"workflows": {"w": []}}, "workflows.w: "),
            ({"workflows": {"w": {}}}, "workflows.w.steps: Field required"),
            ({"workflows": {"w": {"steps": {}}}}, "workflows.w.steps: .*list"),
            ({"workflows": {"w": {"steps": []}}}, "workflows.w.steps: .*at least 1"),
            ({"workflows": {"w": {"steps": ["fetch"]}}}, "workflows.w.steps.0: "),
            ({"workflows": {"w": {"steps": [{"name": ""}]}}}, "workflows.w.steps.0.name: .*at least 1"),
            ({"workflows": {"w": {"steps": [{"name": 1}]}}}, "workflows.w.steps.0.name: .*string"),
            ({"workflows": {"w": {"steps": [{"name": "x" * 8193}]}}}, "workflows.w.steps.0.name: .*8192"),
            ({"workflows": {"w": {"steps": [{"name": "a\0b"}]}}}, "workflows.w.steps.0.name: .*NUL"),
            ({"workflows": {"w": {"steps": [{"name": "\ud800"}]}}}, "workflows.w.steps.0.name: "),
            ({"workflows": {"w": {"steps": [{}, {"timeout_ms": -1}]}}}, "workflows.w.steps.1.timeout_ms: .*greater"),
            ({"workflows": {"w": {"steps": [{"timeout_ms": 1.5}]}}}, "timeout_ms: .*integer"),
            ({"workflows": {"w": {"steps": [{"timeout_ms": "1"}]}}}, "timeout_ms: .*integer"),
            ({"workflows": {"w": {"steps": [{"timeout_ms": True}]}}}, "timeout_ms: .*integer"),
            ({"workflows": {"w": {"steps": [{"timeout_ms": 2**53}]}}}, "timeout_ms: .*less"),
            ({"workflows": {"w": {"steps": [{"estimated_ms": -1}]}}}, "estimated_ms: .*greater"),
            ({"workflows": {"w": {"steps": [{"step": 2}]}}}, "numbered"),
            ({"workflows": {"w": {"steps": [{"step": "1"}]}}}, "workflows.w.steps.0.step: .*integer"),
            ({"workflows": {"w": {"steps": [{}] * 1001}}}, "workflow 'w' has too many steps"),
        ],
    )
    def test_is_refused_where_it_is_wrong(self, tmp_path: Path, content: Any, reason: str) -> None:
        """With one sentence that names the file and the place."""
        path = write(tmp_path / "steps.json", content)
        with pytest.raises(ConfigurationError, match=reason) as refusal:
            load(path)
        assert str(path) in str(refusal.value)
        assert len(str(refusal.value)) < 500

    @pytest.mark.parametrize(
        "content", ["workflows = 1", "[workflows", "a = 1\na = 2", "x = nan\n[[workflows.w.steps]]\nname = nan"]
    )
    def test_is_refused_where_toml_is_wrong(self, tmp_path: Path, content: str) -> None:
        """Likewise."""
        path = write(tmp_path / "steps.toml", content)
        with pytest.raises(ConfigurationError, match=r"steps\.toml cannot be used: "):
            load(path)

    def test_is_refused_where_it_cannot_be_read(self, tmp_path: Path) -> None:
        """Not there, a folder, or no text."""
        (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
        (tmp_path / "folder.toml").mkdir()
        for name in ("nothing.toml", "folder.toml", "binary.toml"):
            with pytest.raises(ConfigurationError, match=f"{name} cannot be used: "):
                load(tmp_path / name)
