"""The page of commands."""

from collections import Counter
from collections.abc import Iterator
from typing import TypeAlias

import click

from docs.generators.docstrings import summary
from docs.generators.markdown import code, page, table
from progress_sse.cli.main import main

_Option: TypeAlias = tuple[str, str]
"""An option as it is written, and its meaning."""


def command_line_page() -> str:
    """Return the page; options that several commands have stand once."""
    commands = [*_commands(click.Context(main, info_name="progress-sse"))]
    counts = Counter(option for context in commands for option in _options(context))
    shared = [option for option, count in counts.items() if count > 1]
    parts = [part for context in commands for part in _parts(context, shared)]
    return page(
        "The command line",
        f"{summary(main.help)} `--help` has more on each command.",
        *parts,
        "## Options of several commands",
        _table(shared),
    )


def _commands(context: click.Context) -> Iterator[click.Context]:
    group = context.command
    assert isinstance(group, click.Group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        child = click.Context(command, parent=context, info_name=name)
        yield child
        if isinstance(command, click.Group):
            yield from _commands(child)


def _parts(context: click.Context, shared: list[_Option]) -> Iterator[str]:
    name, command = context.command_path, context.command
    if isinstance(command, click.Group):
        yield from [f"## {name}", summary(command.help)]
        return
    pieces = [piece for piece in command.collect_usage_pieces(context) if piece != "[OPTIONS]"]
    yield f"## {code(' '.join([name, *pieces]))}"
    yield summary(command.help)
    if name == "progress-sse serve":
        yield "The options are the [settings](settings.md)."
        return
    own = [option for option in _options(context) if option not in shared]
    if own:
        yield _table(own)
    common = [code(option[0].partition(" ")[0]) for option in _options(context) if option in shared]
    if common:
        yield f"[Also](#options-of-several-commands): {', '.join(common)}."


def _options(context: click.Context) -> list[_Option]:
    if context.command_path == "progress-sse serve":
        return []
    options = [each for each in context.command.params if isinstance(each, click.Option)]
    return [(_flag(each, context), each.help or "") for each in options]


def _table(options: list[_Option]) -> str:
    return table("option | meaning", ([code(flag), meaning] for flag, meaning in options))


def _flag(option: click.Option, context: click.Context) -> str:
    return " ".join([", ".join(option.opts), *([] if option.is_flag else [option.make_metavar(context)])])
