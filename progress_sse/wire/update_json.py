"""Updates as JSON objects, both ways [docs/protocol.md]: as clients send them, and as servers read them.

Both follow from the fields of the classes in ``core.updates``. An update of a numbered step, without an attempt, has
the keys that every server knows, in their order. Further keys follow only where a job uses them.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import MISSING, fields
from functools import cache
from typing import Any, Final, NamedTuple

from progress_sse.core.bounds import UNCHANGED, Words, bound_fields
from progress_sse.core.details import Link
from progress_sse.core.errors import InvalidRequestError
from progress_sse.core.log_lines import NewLine
from progress_sse.core.model import StepDefinition
from progress_sse.core.updates import (
    UPDATES,
    Advance,
    AppendLines,
    Complete,
    Envelope,
    Finish,
    ReportPart,
    Skip,
    Start,
    Update,
)

_ALWAYS: Final[Mapping[type[Update], Collection[str]]] = {
    Start: ("timeout_ms",),
    Advance: ("total", "message"),
    Complete: ("success", "message", "error"),
    Skip: ("message",),
    ReportPart: ("status",),
    Finish: ("success", "error"),
}
"""The keys that are written even if they have their default."""

_NEEDED: Final = frozenset({"status"})
"""The keys that a request must have though their fields have a default."""

_LEASE: Final = {"lease_ms", "lost_after_ms"}

_COMPOUND: Final = frozenset({"links", "accepts", "lines", "steps"})
"""The keys whose values have another form in requests than in fields."""

_ORDERS: Final[Mapping[type[Update], tuple[str, ...]]] = {
    Finish: ("success", "error", "conclusion", "links"),
    AppendLines: ("step", "lines"),
}
"""The order in which keys are written, where it is not that of the fields."""


def show_steps(steps: Iterable[StepDefinition]) -> list[dict[str, object]]:
    """Return definitions of steps as JSON."""
    shown = []
    for each in steps:
        step: dict[str, object] = {"name": each.name}
        if each.timeout_ms is not None:
            step["timeout_ms"] = each.timeout_ms
        if each.estimated_ms is not None:
            step["estimated_ms"] = each.estimated_ms
        shown.append(step)
    return shown


def show_links(links: Iterable[Link] | None) -> list[dict[str, str]] | None:
    """Return links as JSON."""
    return None if links is None else [{"label": each.label, "url": each.url} for each in links]


def _show_lines(lines: Iterable[NewLine]) -> list[dict[str, object]]:
    return [
        {"text": text, "level": level, "ago_ms": ago_ms} if ago_ms else {"text": text, "level": level}
        for text, level, ago_ms in lines
    ]


_SHOW: Final[Mapping[str, Callable[[Any], object]]] = {
    "steps": show_steps,
    "links": show_links,
    "labels": lambda labels: None if labels is None else dict(labels),
    "accepts": lambda accepts: None if accepts is None else list(accepts),
    "lines": _show_lines,
}


def _defaults(kind: type[Update]) -> dict[str, object]:
    return {each.name: each.default for each in fields(kind) if not each.kw_only}


def _written(kind: type[Update]) -> tuple[tuple[str, Callable[[Any], object] | None, object], ...]:
    """Return the fields in the order in which they are written, their converters, and the values that are not."""
    defaults = _defaults(kind)
    left_out = {name: MISSING if name in _ALWAYS.get(kind, ()) else each for name, each in defaults.items()}
    return tuple((name, _SHOW.get(name), left_out[name]) for name in _ORDERS.get(kind, tuple(defaults)))


_WRITTEN: Final = {kind: _written(kind) for kind in UPDATES}


def encode(update: Update, ago_ms: int = 0) -> dict[str, object]:
    """Return the JSON object of an update that happened so many milliseconds ago."""
    body: dict[str, object] = {"action": update.action}
    for name, show, left_out in _WRITTEN[type(update)]:
        value = getattr(update, name)
        if value is left_out or value == left_out:
            continue
        if name == "step":
            body["name" if isinstance(value, str) else "step"] = value
        else:
            body[name] = value if show is None else show(value)
    lease = update.envelope.lease
    if lease is not None:
        body["attempt_id"] = lease.attempt_id
        if isinstance(update, Start):
            if lease.lease_ms is not None:
                body["lease_ms"] = lease.lease_ms
            if lease.lost_after_ms is not None:
                body["lost_after_ms"] = lease.lost_after_ms
    if ago_ms:
        body["ago_ms"] = ago_ms
    return body


def decode(
    values: Mapping[str, Any], given: Collection[str], envelope: Envelope, read: Mapping[str, Callable[[Any], object]]
) -> Update:
    """Return the update of a request's body.

    Args:
        values: All keys of updates, each with a value that fits it, or its default.
        given: The keys that the body has.
        envelope: What goes with the update.
        read: Functions that make fields of the values of `_COMPOUND` keys.

    Raises:
        InvalidRequestError: A key is missing, contradicts another one, or has a text that is too long for its action.
    """
    form = _form(values["action"])
    decoded = [values[name] for name in form.fields]
    if values["name"] is not None and form.step_at is not None:
        if values["step"] is not None:
            raise InvalidRequestError("name: must not come with a step.")
        decoded[form.step_at] = values["name"]
    for place, name in form.required:
        if decoded[place] is None:
            raise InvalidRequestError(f"{name}: is missing.")
    for place, name in form.compound:
        if decoded[place] is not None:
            decoded[place] = read[name](decoded[place])
    for name, most in form.short_texts:
        if len(values[name]) > most:
            raise InvalidRequestError(f"{name}: has more than {most} characters.")
    if form.is_partial:
        decoded = [value if name in given else UNCHANGED for name, value in zip(form.fields, decoded, strict=True)]
    update = form.kind(*decoded, envelope=envelope)
    update.check_consistency()
    return update


def keys_of(action: str) -> frozenset[str]:
    """Return the keys that an update of this kind has."""
    return _form(action).keys


class _Form(NamedTuple):
    """How a kind of update is read.

    Attributes:
        kind: The kind.
        keys: Those that it has in JSON, with what goes with it.
        fields: Its fields.
        step_at: The place of the step among the fields, if it has one.
        required: The fields that a request must have, with their places.
        compound: Those whose values have another form in requests, with their places.
        is_partial: Whether it leaves what it does not name.
        short_texts: Its texts that are shorter than those of other kinds, and their most characters.
    """

    kind: type[Update]
    keys: frozenset[str]
    fields: tuple[str, ...]
    step_at: int | None
    required: tuple[tuple[int, str], ...]
    compound: tuple[tuple[int, str], ...]
    is_partial: bool
    short_texts: tuple[tuple[str, int], ...]


@cache
def _form(action: str) -> _Form:
    [kind] = [each for each in UPDATES if each.action == action]
    defaults = _defaults(kind)
    names = tuple(defaults)
    required = {name for name, default in defaults.items() if default is MISSING} | (_NEEDED & defaults.keys())
    short_texts = [
        (name, bound.most)
        for name, bound, *_ in bound_fields(kind)
        if name in ("message", "error") and isinstance(bound, Words) and bound.most is not None
    ]
    with_it = {"action", "attempt_id", "ago_ms"} | (_LEASE if kind is Start else set())
    return _Form(
        kind,
        frozenset({*names, *with_it, *(["name"] if "step" in names else ())}),
        names,
        names.index("step") if "step" in names else None,
        tuple((place, name) for place, name in enumerate(names) if name in required),
        tuple((place, name) for place, name in enumerate(names) if name in _COMPOUND),
        UNCHANGED in defaults.values(),
        tuple(short_texts),
    )
