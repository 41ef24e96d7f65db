"""The command line: every setting a flag, every refusal one sentence."""

import re

import pytest
from click.testing import CliRunner, Result

from progress_sse.cli import main
from progress_sse.settings import Settings


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments])


def test_every_setting_is_a_flag_with_its_default_and_environment_variable() -> None:
    """The help is the list of settings."""
    help_text = re.sub(r"\s+", "", run("serve", "--help").output)
    for name, field in Settings.model_fields.items():
        default = "none" if field.default in (None, ()) else field.default
        assert f"--{name.replace('_', '-')}" in help_text
        assert f"[default:{default};env:PROGRESS_SSE_{name.upper()}]".replace(" ", "") in help_text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--workers", "2", "--store", "memory://"], "memory is a store of one process, so --workers must be 1."),
        (["--store", "postgres://x"], "store must be memory://, sqlite:///PATH, redis://"),
        (["--read", "token"], "read=token needs the key that tokens are signed with"),
        (["--host", "0.0.0.0"], "so workers need a token"),  # noqa: S104  # to be refused
        (["--port", "x"], "port: Input should be a valid integer"),
        (["--steps-file", "/nowhere/steps.toml"], "The steps file /nowhere/steps.toml cannot be used"),
        (["--port", "0", "--store", "sqlite:////nowhere/progress.db"], "/nowhere"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_settings_that_cannot_work_are_refused_in_one_sentence(arguments: list[str], sentence: str) -> None:
    """Exit code 1, no traceback, nothing served."""
    result = run("serve", *arguments)
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert sentence in result.output
    assert result.output.count("\n") == 1


def test_the_version_is_told() -> None:
    """For whoever reports a fault."""
    assert re.fullmatch(r"progress-sse, version \d+\.\d+\.\d+\n", run("--version").output)
