"""The page of commands."""

from collections.abc import Iterator

import click

from docs.generators.docstrings import plain
from docs.generators.markdown import code, page, table
from progress_sse.cli.main import main


def command_line_page() -> str:
    """Return the page."""
    return page("The command line", *_parts("progress-sse", main, None))


def _parts(name: str, command: click.Command, parent: click.Context | None) -> Iterator[str]:
    context = click.Context(command, parent=parent, info_name=name.rpartition(" ")[2])
    if parent is not None:
        yield f"## {name}"
    if isinstance(command, click.Group):
        yield plain(command.help)
        for each in command.list_commands(context):
            child = command.get_command(context, each)
            assert child is not None
            yield from _parts(f"{name} {each}", child, context)
        return
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"```text\n{name} {usage}\n```"
    yield plain(command.help)
    if name == "progress-sse serve":
        yield "The options are the [settings](settings.md)."
        return
    options = [each for each in command.params if isinstance(each, click.Option)]
    if options:
        yield table("option | meaning", ([_flag(each, context), each.help or ""] for each in options))


def _flag(option: click.Option, context: click.Context) -> str:
    return code(" ".join([", ".join(option.opts), *([] if option.is_flag else [option.make_metavar(context)])]))
