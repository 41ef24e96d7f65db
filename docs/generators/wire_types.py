"""The types of the messages in `web/lib/wire.d.ts`, from the models of the responses and events."""

import json
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import AwareDatetime, BaseModel, RootModel
from pydantic.fields import FieldInfo

from progress_sse.api.openapi import response_models as responses
from progress_sse.api.openapi import stream_models as events

INTERFACES: Final[dict[type[BaseModel], str]] = {
    responses.Advance: "StepProgress",
    responses.Part: "Part",
    responses.Parts: "Parts",
    responses.Liveness: "Liveness",
    responses.StartedStep: "StartedStep",
    responses.PendingStep: "PendingStep",
    responses.SessionRequest: "SessionRequest",
    responses.Link: "Link",
    responses.FinishAt: "FinishAt",
    responses.SessionTime: "SessionTime",
    responses.Details: "SessionDetails",
    responses.SessionSummary: "SessionSummary",
    responses.ListedSession: "ListedSession",
    responses.Session: "Progress",
    responses.LogLine: "LogLine",
    responses.LearnedDuration: "LearnedDuration",
    responses.StepDefinition: "StepDefinition",
    events.Transition: "StepEvent",
    events.Change: "SessionEvent",
    events.Beat: "Heartbeat",
}
"""Each model that a page uses, and its name in TypeScript."""

ALIASES: Final = {
    "Step": "StartedStep | PendingStep",
    "StepDetails": 'Pick<PendingStep, "estimated_ms">',
    "StepStatus": 'Step["status"]',
    "SessionStatus": 'Progress["status"]',
    "RequestKind": 'SessionRequest["kind"]',
    "LogLevel": 'LogLine["level"]',
}

PRIMITIVES: Final = {
    **dict.fromkeys((str, AwareDatetime), "string"),
    **dict.fromkeys((int, float), "number"),
    bool: "boolean",
    NoneType: "null",
}


def wire_types() -> str:
    """Return the content of the file."""
    head = (
        "// Written by docs/generate.py from the models of the responses. Times are ISO 8601 with an explicit offset."
    )
    aliases = "\n".join(f"export type {name} = {meaning};" for name, meaning in ALIASES.items())
    interfaces = [_interface(model, name) for model, name in INTERFACES.items()]
    return "\n\n".join([head, 'export type * from "./tracker-types.js";', aliases, *interfaces]) + "\n"


def _interface(model: type[BaseModel], name: str) -> str:
    bases = [INTERFACES[base] for base in model.__bases__ if base in INTERFACES]
    extends = f" extends {bases[0]}" if bases else ""
    inherited = {key for base in model.__bases__ for key in getattr(base, "model_fields", {})}
    own = {
        key: field for key, field in model.model_fields.items() if key in model.__annotations__ or key not in inherited
    }
    lines = [line for key, field in own.items() for line in _property(key, field)]
    comment = " ".join((model.__doc__ or "").split())
    return "\n".join([f"/** {comment} */", f"export interface {name}{extends} {{", *lines, "}"])


def _property(name: str, field: FieldInfo) -> list[str]:
    """Return the lines of a property; a key that may be missing is never `null`."""
    comment = [f"  /** {' '.join(field.description.split())} */"] if field.description else []
    sign = ":" if field.is_required() else "?:"
    return [*comment, f"  {name}{sign} {_type(field.annotation)};"]


def _type(annotation: Any) -> str:
    if annotation in PRIMITIVES:
        return PRIMITIVES[annotation]
    if annotation in INTERFACES:
        return INTERFACES[annotation]
    if isinstance(annotation, type) and issubclass(annotation, RootModel):
        return _type(annotation.model_fields["root"].annotation)
    kind, arguments = get_origin(annotation), get_args(annotation)
    if kind is Annotated:
        return _type(arguments[0])
    if kind is Literal:
        return " | ".join(map(json.dumps, arguments))
    if kind in (Union, UnionType):
        return " | ".join(_type(each) for each in arguments if not _is_missing(each))
    if kind is list:
        item = _type(arguments[0])
        return f"({item})[]" if "|" in item else f"{item}[]"
    if kind is dict:
        return f"Record<{', '.join(map(_type, arguments))}>"
    raise TypeError(f"no type in TypeScript for {annotation}")


def _is_missing(annotation: Any) -> bool:
    """Whether it stands for a key that is not there: `SkipJsonSchema[None]`."""
    return get_origin(annotation) is Annotated and get_args(annotation)[0] in (None, NoneType)
