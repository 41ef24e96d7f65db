"""Write the reference pages that follow from the code, and `llms.txt`; `--check` compares them instead.

A page that another page describes by hand is not among them: the protocol, and the tracker.
"""

import asyncio
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any, Final, get_args

import click

from progress_sse.api.openapi.document import DESCRIPTION
from progress_sse.api.openapi.operations import OPERATIONS
from progress_sse.api.routes import ROUTES
from progress_sse.cli.main import main as command_line
from progress_sse.core.errors import ProblemError
from progress_sse.observability.metrics import PREFIX, families
from progress_sse.service import ProgressService
from progress_sse.settings import ENV_PREFIX, Settings, load_settings

DOCS: Final = Path(__file__).parent
LINE_CHARS: Final = 100
NOTE: Final = "<!-- Written by docs/generate.py. -->"


# Markdown


def page(title: str, *parts: str) -> str:
    """Return a page."""
    return "\n\n".join([f"# {title}", NOTE, *(part.strip("\n") for part in parts)]) + "\n"


def table(header: str, rows: Iterable[Iterable[str]]) -> str:
    """Return a table; `header` separates its columns by bars."""
    lines = [header, " | ".join("---" for _ in header.split("|"))]
    lines += [" | ".join(cell.replace("|", "\\|") for cell in row) for row in rows]
    return "\n".join(f"| {line} |".replace("|  |", "| |") for line in lines)


def code(text: object) -> str:
    """Return inline code."""
    return f"`{text}`"


def plain(docstring: str | None) -> str:
    """Return the text of a docstring, with Markdown's code in place of reStructuredText's."""
    text = inspect.cleandoc(docstring or "").replace("``", "`")
    return re.sub(r"(^|\n)::\n\n((?:    .*\n?|\n)+)", _fenced, text)


def _fenced(found: re.Match[str]) -> str:
    return f"{found[1]}```python\n{dedent(found[2]).strip()}\n```\n\n"


SECTION: Final = re.compile(r"^(Args|Attributes|Raises|Returns|Yields):\n((?:[ ]{4}.*\n?|\n)+)", re.MULTILINE)


def described(docstring: str | None) -> str:
    """Return a docstring in Google's style as Markdown: its sections become lists."""
    return SECTION.sub(_list, plain(docstring) + "\n").strip()


def _list(section: re.Match[str]) -> str:
    entries = re.split(r"\n(?=\S)", dedent(section[2]).strip())
    items = (re.sub(r"^([\w*]+): ", r"`\1`: ", " ".join(entry.split())) for entry in entries)
    return f"{section[1]}:\n\n" + "\n".join(f"- {item}" for item in items) + "\n\n"


# Settings


def bounds(name: str) -> str:
    """Return the values that a setting takes."""
    field = Settings.model_fields[name]
    choices = [each for each in get_args(field.annotation) if isinstance(each, str)]
    if choices:
        return ", ".join(map(code, choices))
    if field.annotation is bool:
        return "a flag"
    kinds = {int: "whole number", float: "number"}
    kind = next((kinds[each] for each in (field.annotation, *get_args(field.annotation)) if each in kinds), "")
    signs = {"gt": ">", "ge": "≥", "le": "≤"}
    limits = [
        f"{sign} {getattr(each, key)}" for each in field.metadata for key, sign in signs.items() if hasattr(each, key)
    ]
    return " ".join([kind, ", ".join(limits)]).strip() if kind else "text"


def default(value: object) -> str:
    """Return a default as it is written on the command line."""
    if value is None or value == ():
        return "none"
    return "off" if value is False else code(value)


def settings() -> str:
    """Return the page of settings."""
    return page(
        "Settings",
        f"Each setting is an option of `progress-sse serve` (`--heartbeat-s 5`) and an environment variable\n"
        f"(`{ENV_PREFIX}HEARTBEAT_S=5`); the option wins. `make run` passes options on:\n"
        f'`make run ARGS="--port 9000"`. [An embedded server](../how-to/embed.md) takes the same names by `Settings`.',
        table(
            "setting | values | default | meaning",
            (
                [code(name), bounds(name), default(field.default), field.description or ""]
                for name, field in Settings.model_fields.items()
            ),
        ),
        "[Limits and rates](limits.md) says what a caller is, and which limits have no setting.",
    )


# Metrics


def metrics() -> str:
    """Return the page of metrics."""
    return page(
        "Metrics",
        "`GET /metrics` has these metrics, and those of the process (`process_…`).\n"
        f"[Operate](../how-to/operate.md#metrics) says how to scrape them. Each name begins with `{PREFIX}`.",
        table("metric | kind | labels | meaning", asyncio.run(_metric_rows())),
    )


async def _metric_rows() -> list[list[str]]:
    service = ProgressService(load_settings(store="memory://"))
    sessions = {"pending": 0}
    return [
        [
            code(family.name.removeprefix(PREFIX) + ("_total" if family.type == "counter" else "")),
            family.type,
            ", ".join(code(label) for label in family.samples[0].labels if label != "le"),
            family.documentation,
        ]
        for family in families(service, sessions)  # type: ignore[arg-type]  # one status shows the label
        if family.name.startswith(PREFIX)
    ]


# Problems


def subclasses(base: type[ProblemError]) -> Iterator[type[ProblemError]]:
    """Yield all classes below a class."""
    for each in base.__subclasses__():
        yield each
        yield from subclasses(each)


def problems() -> str:
    """Return the page of problems."""
    kinds = sorted({(each.status, each.problem): each for each in subclasses(ProblemError)}.items())
    return page(
        "Problems",
        "A refused or failed request gets `application/problem+json`, as [the protocol](../protocol.md) specifies.\n"
        "Decide by `type`; `detail` is for people.",
        table(
            "status | `type` | title | when",
            ([str(status), code(f"/problems/{name}"), kind.title, _when(kind)] for (status, name), kind in kinds),
        ),
    )


def _when(kind: type[ProblemError]) -> str:
    text = " ".join(plain(kind.__doc__).split("\n\n")[0].split())
    text = text.removeprefix("Raised ").removeprefix("Never raised: ")
    return text[0].upper() + text[1:]


# The command line


def commands() -> str:
    """Return the page of commands."""
    return page("The command line", *_command_parts("progress-sse", command_line, None))


def _command_parts(name: str, command: click.Command, parent: click.Context | None) -> Iterator[str]:
    context = click.Context(command, parent=parent, info_name=name.rpartition(" ")[2])
    if parent is not None:
        yield f"## {name}"
    if isinstance(command, click.Group):
        yield plain(command.help)
        for each in command.list_commands(context):
            child = command.get_command(context, each)
            assert child is not None
            yield from _command_parts(f"{name} {each}", child, context)
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


# The Python client


def signature(function: Callable[..., object]) -> str:
    """Return a signature with the bare names of types, and without `self`."""
    full = inspect.signature(function)
    return bare(str(full.replace(parameters=_parameters(full))))


def constructor_call(owner: type, constructor: Callable[..., object]) -> str:
    """Return the call that makes an object; a long one has a line for each parameter."""
    short = f"{owner.__name__}{signature(constructor).removesuffix(' -> None')}"
    if len(short) <= LINE_CHARS:
        return short
    parameters = _parameters(inspect.signature(constructor))
    lines = [bare(str(each)) for each in parameters]
    named = [index for index, each in enumerate(parameters) if each.kind is each.KEYWORD_ONLY]
    lines[named[0] : named[0]] = ["*"]
    return "\n".join([f"{owner.__name__}(", *(f"    {line}," for line in lines), ")"])


def _parameters(full: inspect.Signature) -> list[inspect.Parameter]:
    return [each for each in full.parameters.values() if each.name not in {"self", "cls"}]


def bare(text: str) -> str:
    """Return a signature's text without the modules and quotes of its types."""
    text = re.sub(r"\*<class '[\w.]*?(\w+)'>", r"Unpack[\1]", text).replace("~", "")
    text = re.sub(r"'(\w+)'", r"\1", text)
    return re.sub(r"\b(?:[a-z_]\w*\.)+(?=[A-Za-z])", "", text)


INTERNAL: Final = {"put"}
"""Public names of classes that only this package uses."""


def members(owner: type) -> Iterator[tuple[str, Any]]:
    """Yield the public methods and properties of a class, those of its own bases included."""
    seen: set[str] = set()
    for each in owner.__mro__:
        for name, value in vars(each).items():
            if each.__module__.startswith("progress_sse") and not name.startswith("_") and name not in seen | INTERNAL:
                seen.add(name)
                if inspect.isfunction(value) or isinstance(value, (classmethod, property)):
                    yield name, value


def documented(owner: type, name: str) -> str:
    """Return the docstring of a method; one that only points to a base's is replaced by that."""
    texts = [getattr(vars(each).get(name), "__doc__", None) or "" for each in owner.__mro__ if name in vars(each)]
    return next((text for text in texts if "; see `" not in text), texts[0])


def class_parts(owner: type, title: str) -> Iterator[str]:
    """Yield the parts of a page that describe a class."""
    yield f"### {title}"
    constructor = vars(owner).get("__init__")
    if constructor is not None:
        yield f"```python\n{constructor_call(owner, constructor)}\n```"
    yield described(owner.__doc__)
    if constructor is not None and SECTION.search(plain(constructor.__doc__) + "\n"):
        yield described(constructor.__doc__)
    for name, value in members(owner):
        call = "" if isinstance(value, property) else signature(getattr(owner, name))
        kind = "async " if inspect.iscoroutinefunction(value) else ""
        yield f"#### `{kind}{name}{call}`"
        yield described(documented(owner, name))


def public(module: ModuleType) -> Iterator[str]:
    """Yield the parts that describe all public names of a module."""
    yield plain(module.__doc__)
    for name in module.__all__:
        value = getattr(module, name)
        if inspect.isclass(value):
            yield f"- `{name}`: {_summary(value.__doc__)}"
        elif callable(value):
            yield f"- `{name}{signature(value)}`: {_summary(value.__doc__)}"
        else:
            yield f"- `{name}`"


def _summary(docstring: str | None) -> str:
    return " ".join(plain(docstring).split("\n\n")[0].split())


CLASSES: Final = {
    "Progress and its steps": ("client.sync", ["Progress", "Step", "SyncOptions", "Options"]),
    "AsyncProgress and its steps": ("client.aio", ["AsyncProgress", "AsyncStep", "AsyncOptions"]),
    "Errors": ("client.errors", ["ReportError", "ReportRefusedError", "ServerAwayError"]),
    "In the process of an embedded server": ("client.embedded", ["StoreTransport", "AsyncStoreTransport"]),
}
MODULES: Final = [
    "client.testing",
    *(f"bridges.{path.stem}" for path in sorted((DOCS.parent / "progress_sse" / "bridges").glob("[!_]*.py"))),
]


def client() -> str:
    """Return the page of the Python client."""
    parts = ["[Report from Python](../how-to/report-from-python.md) shows how to use it."]
    for title, (module_name, names) in CLASSES.items():
        module = import_module(f"progress_sse.{module_name}")
        parts.append(f"## {title}")
        for name in names:
            parts += class_parts(getattr(module, name), f"{name}")
    current = import_module("progress_sse").current
    parts += ["## The progress that code runs in", f"### `current{signature(current)}`", described(current.__doc__)]
    for name in MODULES:
        module = import_module(f"progress_sse.{name}")
        if hasattr(module, "__all__"):
            heading, *names = public(module)
            parts += [f"## `progress_sse.{name}`", heading, "\n".join(names)]
    return page("The Python client", *parts)


# The HTTP API


def http_api() -> str:
    """Return the page of the HTTP API."""
    rows: dict[str, list[list[str]]] = {}
    for route in ROUTES:
        operation = OPERATIONS[route.operation_id]
        statuses = ", ".join(map(str, operation.responses))
        row = [
            code(f"{route.method} {route.path}"),
            operation.summary,
            code(operation.action) if operation.action else "",
            statuses,
        ]
        rows.setdefault(operation.tag, []).append(row)
    parts = [
        "A running server describes this API as OpenAPI 3.2 at `/openapi.json`, with its own limits and the tokens\n"
        "that it requires. [The protocol](../protocol.md) specifies requests, answers and streams.",
        DESCRIPTION,
    ]
    for tag, each in rows.items():
        parts += [
            f"## {tag[0].upper()}{tag[1:]}",
            table("request | purpose | right | answers besides [problems](problems.md)", each),
        ]
    return page("HTTP API", *parts)


# The index for language models

KINDS: Final = {
    "Tutorial": "tutorial",
    "How-to": "how-to",
    "Reference": "reference",
    "Protocol and guarantees": "",
    "Explanation": "explanation",
    "Files for operators": "deploy",
    "Decisions": "adr",
}
"""The headings of `llms.txt`, and the folder of each."""


def first_sentence(text: str) -> str:
    """Return the first sentence of a page, without its links."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^(#|<!--|\|).*$", "", prose, flags=re.MULTILINE)
    paragraph = next((" ".join(each.split()) for each in prose.split("\n\n") if each.strip()), "")
    paragraph = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", paragraph.removeprefix("- ").replace("**", ""))
    return re.split(r"(?<=[.:])\s", paragraph)[0].removesuffix(":")


def llms(pages: Mapping[str, str]) -> str:
    """Return `llms.txt`: each page with its first sentence; `pages` are those that are generated."""
    texts = {path.relative_to(DOCS).as_posix(): path.read_text("utf-8") for path in DOCS.rglob("*.md")}
    texts = {**{name: text for name, text in texts.items() if not name.startswith(("_build/", "index"))}, **pages}
    title, summary = (DOCS.parent / "README.md").read_text("utf-8").split("\n\n")[:2]
    parts = [title, f"> {' '.join(summary.split())}"]
    for kind, folder in KINDS.items():
        lines = (
            f"- [{text.splitlines()[0].removeprefix('# ')}](docs/{name}): {first_sentence(text)}"
            for name, text in sorted(texts.items())
            if name.rpartition("/")[0].partition("/")[0] == folder
        )
        parts += [f"## {kind}", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def generated() -> dict[str, str]:
    """Return the content of each generated file, by its path below `docs`."""
    pages = {
        "reference/cli.md": commands(),
        "reference/http-api.md": http_api(),
        "reference/metrics.md": metrics(),
        "reference/problems.md": problems(),
        "reference/python-client.md": client(),
        "reference/settings.md": settings(),
    }
    return {**pages, "../llms.txt": llms(pages)}


def main() -> int:
    """Write the files, or with `--check` name those that differ."""
    stale = []
    for name, text in generated().items():
        path = DOCS / name
        if "--check" not in sys.argv:
            path.write_text(text, "utf-8")
        elif not path.exists() or path.read_text("utf-8") != text:
            stale.append(name)
    if stale:
        sys.stderr.write(f"Run `make format`: {', '.join(stale)} would change.\n")
    return bool(stale)


if __name__ == "__main__":
    sys.exit(main())
