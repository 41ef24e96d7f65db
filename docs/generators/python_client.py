"""The page of the Python client."""

import inspect
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from docs.generators.docstrings import brief, plain, sections, summary
from docs.generators.markdown import code, page
from docs.generators.signatures import constructor_call, signature
from progress_sse import bridges, current
from progress_sse.client import embedded
from progress_sse.client.sync import Progress, Step

CLASSES: Final = {
    "Progress and its steps": ("client.sync", ["Progress", "Step", "SyncOptions", "Options"]),
    "AsyncProgress and its steps": ("client.aio", ["AsyncProgress", "AsyncStep", "AsyncOptions"]),
    "Requests of readers": ("client.inbox", ["Request"]),
    "Errors": ("client.errors", ["Cancelled", "ReportError", "ReportRefusedError", "ServerAwayError"]),
}
"""The heading of each group of classes, their module and their names."""

MODULES: Final = [
    "client.testing",
    *(f"bridges.{path.stem}" for folder in bridges.__path__ for path in sorted(Path(folder).glob("[!_]*.py"))),
]
"""The modules that are described by their own docstring, or its first sentence, and a line for each public name."""

INTERNAL: Final = {
    *("begin_step", "begin_work", "hand_on", "pending_cancel", "put", "say_accepts", "take_error", "take_over"),
    *("announced_to", "cancellation", "concerns", "is_being_announced"),
}
"""Public names of classes that only this package uses."""


COUNTERPARTS: Final = {"AsyncProgress": Progress, "AsyncStep": Step}
"""Of these classes the page has what differs from another one."""


def python_client_page() -> str:
    """Return the page."""
    parts = [
        "[Report from Python](../how-to/report-from-python.md) shows its use, and `help()` has the whole docstrings."
    ]
    for title, (module_name, names) in CLASSES.items():
        module = import_module(f"progress_sse.{module_name}")
        parts.append(f"## {title}")
        for name in names:
            parts += _class_parts(getattr(module, name))
    parts += ["## The progress that code runs in", f"### `current{signature(current)}`", brief(current.__doc__)]
    parts += [
        "## In the process of an embedded server",
        "\n".join(_names(embedded, ["StoreTransport", "AsyncStoreTransport"])),
    ]
    parts += ["## Modules", "[Report from queues](../how-to/report-from-queues.md) shows the use of the bridges."]
    for name in MODULES:
        module = import_module(f"progress_sse.{name}")
        if hasattr(module, "__all__"):
            text = summary(module.__doc__) if name.startswith("bridges") else plain(module.__doc__)
            parts += [f"### `progress_sse.{name}`", text, "\n".join(_names(module, module.__all__))]
    return page("The Python client", *parts)


def _class_parts(owner: type) -> Iterator[str]:
    yield f"### {owner.__name__}"
    counterpart = COUNTERPARTS.get(owner.__name__)
    constructor = vars(owner).get("__init__")
    if constructor is not None and counterpart is None:
        yield f"```python\n{constructor_call(owner, constructor)}\n```"
    yield brief(owner.__doc__)
    if counterpart is not None:
        yield f"Its members are those of `{counterpart.__name__}`, but for these."
    elif constructor is not None:
        yield from sections(constructor.__doc__)
    known = {} if counterpart is None else dict(_member_parts(counterpart))
    for heading, text in _member_parts(owner):
        if known.get(heading) != text:
            yield heading
            yield from [] if text in known.values() else [text]


def _member_parts(owner: type) -> Iterator[tuple[str, str]]:
    """Yield the heading and the text of each member."""
    for name, value in _members(owner):
        call = "" if isinstance(value, property) else signature(getattr(owner, name))
        kind = "async " if inspect.iscoroutinefunction(value) else ""
        yield f"#### `{kind}{name}{call}`", brief(_docstring(owner, name))


def _members(owner: type) -> Iterator[tuple[str, Any]]:
    """Yield the public methods and properties of a class, those of its own bases included."""
    seen: set[str] = set()
    for each in owner.__mro__:
        for name, value in vars(each).items():
            if each.__module__.startswith("progress_sse") and not name.startswith("_") and name not in seen | INTERNAL:
                seen.add(name)
                if inspect.isfunction(value) or isinstance(value, (classmethod, property)):
                    yield name, value


def _docstring(owner: type, name: str) -> str:
    """Return the docstring of a method; one that only points to a base's is replaced by that."""
    texts = [getattr(vars(each).get(name), "__doc__", None) or "" for each in owner.__mro__ if name in vars(each)]
    return next((text for text in texts if "; see `" not in text), texts[0])


def _names(module: ModuleType, names: Sequence[str]) -> Iterator[str]:
    foreign = [name for name in names if getattr(getattr(module, name), "__module__", "") != module.__name__]
    if foreign:
        yield f"- {', '.join(map(code, foreign))}: the reports, as in [the protocol](../protocol.md#9-updates)."
    for name in names:
        if name in foreign:
            continue
        value = getattr(module, name)
        if inspect.isclass(value):
            yield f"- `{name}`: {summary(value.__doc__)}"
        elif callable(value):
            yield f"- `{name}{signature(value)}`: {summary(value.__doc__)}"
        else:
            yield f"- `{name}`"
