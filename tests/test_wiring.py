"""From settings to parts: which store they name, and which steps files are valid."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from progress_sse.core.errors import ConfigurationError
from progress_sse.core.model import StepDefinition
from progress_sse.core.workflows import Workflows
from progress_sse.settings import Settings
from progress_sse.store.redis.backend import RedisBackend
from progress_sse.wiring import make_backend, make_workflows


@pytest.mark.parametrize(
    "store",
    [
        *("", "memory", "sqlite://", "sqlite:///", "postgres://x", "/a/b", "redis://localhost:x"),
        *("redis://h/0?foo=1", "redis://h/0?db=x", "redis://h/foo", "redis://h/0/1", "redis://h/1x", "redis://h/-1"),
        *("redis+sentinel://h/name/-1", "redis+sentinel://h/name/0?foo=1"),
        *("redis+sentinel://host", "redis+sentinel://host/", "redis+sentinel:///name/0"),
        *("redis+cluster://", "redis+cluster://a:1,", "redis+cluster://a:x", "redis+cluster://a:1/3"),
        *("redis+sentinel://a:1,/name", "redis+sentinel://a:x/name", "redis+sentinel://a/name/x"),
    ],
)
def test_an_unknown_store_is_refused(store: str) -> None:
    """Rather than replaced by another one."""
    with pytest.raises(ConfigurationError):
        make_backend(Settings(store=store))


@pytest.mark.parametrize("store", ["memory://", "sqlite:///progress.db"])
def test_a_store_of_one_process_refuses_more_workers(store: str) -> None:
    """One clear sentence."""
    with pytest.raises(ConfigurationError, match="one process"):
        make_backend(Settings(store=store, workers=2))


@pytest.mark.parametrize(
    "store",
    [
        "redis://localhost:6379/0",
        "redis://",
        "redis://localhost/?db=1&health_check_interval=1",
        "rediss://user:password@example.com",
        "redis+sentinel://user:password@a:1,b/name/2",
        "redis+cluster://user:password@a:1,b",
    ],
)
def test_a_store_in_redis_is_connected_to_later(store: str) -> None:
    """Making it needs no connection; any number of processes may share it."""
    assert isinstance(make_backend(Settings(store=store, workers=4)), RedisBackend)


@pytest.mark.parametrize("store", ["", "postgres://x", "redisx://h", "redis://localhost:x", "redis+sentinel://h"])
def test_the_error_lists_the_forms_of_a_store_in_redis(store: str) -> None:
    """All of them, for an unknown store."""
    with pytest.raises(ConfigurationError) as refusal:
        make_backend(Settings(store=store))
    forms = re.findall(r"redis[a-z+]*(?=://)", str(refusal.value))
    assert forms == ["redis", "rediss", "redis+sentinel", "redis+cluster"]


IMPORT = (
    StepDefinition("fetch", 5000, 2000),
    StepDefinition("STEP2", 120_000, 0),
    StepDefinition("取り込み", 120_000),
)

TOML = """
# Comments and other keys are ignored.
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
    return make_workflows(Settings(steps_file=path, max_total_steps=max_total_steps, max_text_chars=max_text_chars))


def write(path: Path, content: Any) -> Path:
    """Write text as it is, and everything else as JSON."""
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


class TestFile:
    """`make_workflows`."""

    @pytest.mark.parametrize(
        ("name", "content"), [("steps.toml", TOML), ("steps.json", JSON), ("steps.TOML", TOML), ("steps", TOML)]
    )
    def test_is_toml_or_json(self, tmp_path: Path, name: str, content: Any) -> None:
        """Both say the same; only `.json` is JSON."""
        workflows = load(write(tmp_path / name, content))
        assert workflows.named("import") == IMPORT
        assert workflows.named() == Workflows().named()

    def test_can_be_within_the_limits(self, tmp_path: Path) -> None:
        """Up to the last step and character."""
        path = write(tmp_path / "steps.json", {"workflows": {"w": {"steps": [{"name": "x" * 10}] * 5}}})
        assert len(load(path, max_total_steps=5, max_text_chars=10).named("w")) == 5

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            ("", "Expecting value"),
            ("{", "Expecting property name"),
            ("[" * 100_000 + "]" * 100_000, "it is nested too deeply"),
            ("[" * 101 + "]" * 101, "it is nested too deeply"),
            ("[" * 100 + "]" * 100, "must be an object"),
            ([], "must be an object"),
            (None, "must be an object"),
            ({}, "workflows: is missing"),
            ({"workflows": []}, "workflows: must be an object"),
            ({"workflows": {"w": []}}, "workflows.w: "),
            ({"workflows": {"w": {}}}, "workflows.w.steps: is missing"),
            ({"workflows": {"w": {"steps": {}}}}, "workflows.w.steps: must be a list"),
            ({"workflows": {"w": {"steps": []}}}, "workflows.w.steps: must not be empty"),
            ({"workflows": {"w": {"steps": ["fetch"]}}}, "workflows.w.steps.0: "),
            ({"workflows": {"w": {"steps": [{"name": ""}]}}}, "workflows.w.steps.0.name: must not be empty"),
            ({"workflows": {"w": {"steps": [{"name": 1}]}}}, "workflows.w.steps.0.name: must be text"),
            ({"workflows": {"w": {"steps": [{"name": "x" * 8193}]}}}, "workflows.w.steps.0.name: .*8192"),
            ({"workflows": {"w": {"steps": [{"name": "a\0b"}]}}}, "workflows.w.steps.0.name: .*NUL"),
            ({"workflows": {"w": {"steps": [{"name": "\ud800"}]}}}, "workflows.w.steps.0.name: "),
            ({"workflows": {"w": {"steps": [{}, {"timeout_ms": -1}]}}}, "w.steps.1.timeout_ms: must be at least 0"),
            ({"workflows": {"w": {"steps": [{"timeout_ms": 1.5}]}}}, "timeout_ms: must be an integer"),
            ({"workflows": {"w": {"steps": [{"timeout_ms": "1"}]}}}, "timeout_ms: must be an integer"),
            ({"workflows": {"w": {"steps": [{"timeout_ms": True}]}}}, "timeout_ms: must be an integer"),
            ({"workflows": {"w": {"steps": [{"timeout_ms": 2**53}]}}}, "timeout_ms: must be at most"),
            ({"workflows": {"w": {"steps": [{"estimated_ms": -1}]}}}, "estimated_ms: must be at least 0"),
            ({"workflows": {"w": {"steps": [{"step": 2}]}}}, "numbered"),
            ({"workflows": {"w": {"steps": [{"step": "1"}]}}}, "workflows.w.steps.0.step: must be an integer"),
            ({"workflows": {"w": {"steps": [{}] * 1001}}}, "workflow 'w' has too many steps"),
        ],
    )
    def test_is_refused_where_it_is_wrong(self, tmp_path: Path, content: Any, reason: str) -> None:
        """With one sentence that names the file and the fault's place in it."""
        path = write(tmp_path / "steps.json", content)
        with pytest.raises(ConfigurationError, match=reason) as refusal:
            load(path)
        assert str(path) in str(refusal.value)
        assert len(str(refusal.value)) < 500

    @pytest.mark.parametrize(
        "content", ["workflows = 1", "[workflows", "a = 1\na = 2", "x = nan\n[[workflows.w.steps]]\nname = nan"]
    )
    def test_is_refused_where_toml_is_wrong(self, tmp_path: Path, content: str) -> None:
        """With a sentence that names the file."""
        path = write(tmp_path / "steps.toml", content)
        with pytest.raises(ConfigurationError, match=r"steps\.toml cannot be used: "):
            load(path)

    def test_is_refused_where_it_cannot_be_read(self, tmp_path: Path) -> None:
        """It does not exist, is a folder, or is not text."""
        (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
        (tmp_path / "folder.toml").mkdir()
        for name in ("nothing.toml", "folder.toml", "binary.toml"):
            with pytest.raises(ConfigurationError, match=f"{name} cannot be used: "):
                load(tmp_path / name)
