"""The settings as options of commands."""

from collections.abc import Callable
from typing import Any, Final, get_args

import click
from pydantic.fields import FieldInfo

from progress_sse.settings import ENV_PREFIX, Settings

_METAVARS: Final = {str(int): "INTEGER", str(int | None): "INTEGER", str(float): "NUMBER"}


def setting_option(name: str) -> Callable[[Any], Any]:
    """Return the flag of a setting; `Settings` parses its value, as for the environment."""
    field: FieldInfo = Settings.model_fields[name]
    flag = f"--{name.replace('_', '-')}"
    default = "none" if field.default in (None, ()) else field.default
    explained = (field.description or "").replace("`", "")
    help_text = f"{explained} [default: {default}; env: {ENV_PREFIX}{name.upper()}]"
    if field.annotation in (bool, bool | None):
        flag += "" if field.default is False else f"/--no-{flag.removeprefix('--')}"
        return click.option(flag, name, is_flag=True, default=None, help=help_text)
    choices = [choice for choice in get_args(field.annotation) if isinstance(choice, str)]
    metavar = "|".join(choices) or _METAVARS.get(str(field.annotation), "TEXT")
    return click.option(flag, name, default=None, metavar=metavar, help=help_text)


def setting_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add an option for each setting."""
    for name in reversed(Settings.model_fields):
        command = setting_option(name)(command)
    return command
