"""The page of settings."""

from typing import get_args

from docs.generators.markdown import code, page, table
from progress_sse.settings import ENV_PREFIX, Settings


def settings_page() -> str:
    """Return the page."""
    return page(
        "Settings",
        f"Each setting is an option of `progress-sse serve` (`--heartbeat-s 5`) and an environment variable\n"
        f"(`{ENV_PREFIX}HEARTBEAT_S=5`); the option wins. `make run` passes options on:\n"
        f'`make run ARGS="--port 9000"`. [An embedded server](../how-to/embed.md) takes the same names by `Settings`.',
        table(
            "setting | values | default | meaning",
            (
                [code(name), _values(name), _default(field.default), field.description or ""]
                for name, field in Settings.model_fields.items()
            ),
        ),
        "[Limits and rates](limits.md) says what a caller is, and which limits have no setting.",
    )


def _values(name: str) -> str:
    """Return the values that a setting takes."""
    field = Settings.model_fields[name]
    choices = [each for each in get_args(field.annotation) if isinstance(each, str)]
    if choices:
        return ", ".join(map(code, choices))
    if field.annotation in (bool, bool | None):
        return "a flag" if field.default is False else f"a flag, or {code('--no-' + name.replace('_', '-'))}"
    kinds = {int: "whole number", float: "number"}
    kind = next((kinds[each] for each in (field.annotation, *get_args(field.annotation)) if each in kinds), "")
    signs = {"gt": ">", "ge": "≥", "le": "≤"}
    limits = [
        f"{sign} {getattr(each, key)}" for each in field.metadata for key, sign in signs.items() if hasattr(each, key)
    ]
    return " ".join([kind, ", ".join(limits)]).strip() if kind else "text"


def _default(value: object) -> str:
    """Return a default as it is written on the command line."""
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    return code(value)
