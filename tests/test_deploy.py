"""The programs that `docs/deploy` is for can read its files; `tests/live` tests the part of nginx."""

from __future__ import annotations

import configparser
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from progress_sse.cli.main import main
from progress_sse.settings import ENV_PREFIX, Settings

FOLDER = Path(__file__).parents[1] / "docs" / "deploy"


@pytest.fixture
def compose() -> Any:
    """The compose file."""
    return yaml.safe_load((FOLDER / "compose.yaml").read_text("utf-8"))


def test_compose_starts_two_servers_on_one_redis(compose: Any) -> None:
    """The settings exist, and so does each service that a setting names."""
    services = compose["services"]
    assert {"nginx", "server-1", "server-2", "redis"} <= set(services)
    for name in ("server-1", "server-2"):
        settings = {key.removeprefix(ENV_PREFIX).lower() for key in services[name]["environment"]}
        assert settings <= set(Settings.model_fields)
        assert services[name]["environment"]["PROGRESS_SSE_STORE"].startswith("redis://redis:")
        assert (FOLDER / services[name]["build"]["context"] / services[name]["build"]["dockerfile"]).is_file()
    assert "--appendfsync always" in " ".join(services["redis"]["command"])


def test_compose_mounts_the_configuration_of_nginx(compose: Any) -> None:
    """It names the same servers as the compose file."""
    [mount] = compose["services"]["nginx"]["volumes"]
    configuration = (FOLDER / mount.partition(":")[0]).read_text("utf-8")
    named = set(re.findall(r"server (server-\d+):8000;", configuration))
    assert named == {name for name in compose["services"] if name.startswith("server-")}


def test_the_unit_starts_a_command_that_exists() -> None:
    """Its options are those of `serve`, and its timeout leaves the streams time to end."""
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's names have capitals
    unit.read_string((FOLDER / "progress-sse.service").read_text("utf-8"))
    command = shlex.split(unit["Service"]["ExecStart"])
    options = [word for word in command if word.startswith("--")]
    help_text = CliRunner().invoke(main, [command[1], "--help"]).output
    assert options
    assert all(option in help_text for option in options)
    assert int(unit["Service"]["TimeoutStopSec"]) > Settings.model_fields["graceful_timeout_s"].default


def test_the_image_runs_the_server_itself() -> None:
    """The command starts without a shell, which would swallow SIGTERM, on a Python that the package supports."""
    text = (FOLDER / "Dockerfile").read_text("utf-8")
    assert re.search(r'^CMD \["progress-sse", "serve"\]$', text, re.MULTILINE)
    assert re.search(r"^FROM python:3\.1[1-9]", text, re.MULTILINE)
