"""The models of updates in requests, made from ``core.updates``, and the updates that they become."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, create_model

from progress_sse.api.field_types import (
    Accepts,
    AttemptId,
    LabelKey,
    LabelValue,
    Lines,
    Links,
    PlannedSteps,
    StepNumber,
    Within,
    to_lines,
    to_links,
)
from progress_sse.api.request_parts import KEY_SCHEMA, UPDATE, make_key
from progress_sse.api.session_models import KeyedBody
from progress_sse.core.asks import MAX_ASK_TEXT_CHARS
from progress_sse.core.bounds import AGO, LEASE, LOST_AFTER, TEXT, Rule, Whole, bound_fields
from progress_sse.core.commands import IdempotencyKey
from progress_sse.core.details import MAX_LABELS, Claim
from progress_sse.core.errors import InvalidRequestError
from progress_sse.core.parts import MAX_PART_TEXT_CHARS
from progress_sse.core.updates import UPDATES, Condition, Envelope, Update, anywhere
from progress_sse.core.workflows import Workflows
from progress_sse.settings import BodyLimits
from progress_sse.wire.step_specs import define_steps
from progress_sse.wire.text import Text
from progress_sse.wire.update_json import decode, keys_of

MAX_UPDATES: Final = 100
"""Updates that one request may have."""

MAX_IGNORED: Final = 10
"""Ignored keys that an answer names, each cut to `MAX_IGNORED_CHARS`."""

MAX_IGNORED_CHARS: Final = 64


def _case(
    *actions: str, on_a_step: bool = False, none: tuple[str, ...] = (), short: tuple[str, ...] = (), **values: Any
) -> dict[str, Any]:
    """Return the schema of an update with one of the actions and these values, without the keys in `none`.

    Those in `short` have texts as short as those of parts.
    """
    needed = {"action": {"enum": list(actions)}, **values}
    null = {"type": "null"}
    bound = {"maxLength": MAX_PART_TEXT_CHARS}
    properties = {**needed, **dict.fromkeys(none, null), **dict.fromkeys(short, bound)}
    case = {"properties": properties, "required": list(needed)}
    return case | {"oneOf": [_NUMBER, _NAME]} if on_a_step else case


_PART: Final[dict[str, Any]] = {
    "on_a_step": True,
    "short": ("message", "error"),
    "part": {"type": "string"},
    "status": {"type": "string"},
}
_NUMBER: Final = {"properties": {"step": {"type": "integer"}, "name": {"type": "null"}}, "required": ["step"]}
_NAME: Final = {"properties": {"name": {"type": "string"}, "step": {"type": "null"}}, "required": ["name"]}

_ANSWER: Final = _case("acknowledge", request={"type": "string"}, state={"type": "string"})
_ANSWER["properties"]["message"] = {"maxLength": MAX_ASK_TEXT_CHARS}

_RULES: Final[dict[str, Any]] = {
    "anyOf": [
        _case("start", on_a_step=True, none=("lease_ms", "lost_after_ms")),
        _case("start", on_a_step=True, attempt_id={"type": "string"}, lease_ms={"type": "integer"}),
        _case("progress", on_a_step=True, current={"type": "integer"}),
        _case("complete", on_a_step=True, none=("conclusion",)),
        _case("complete", on_a_step=True, success={"const": False}),
        _case("skip", "beat", on_a_step=True),
        _case("part", none=("total",), **_PART),
        _case("part", current={"type": "integer"}, **_PART),
        _case("finish", none=("conclusion",)),
        _case("finish", success={"const": False}),
        _case("plan", steps={"type": "array"}),
        _case("describe"),
        _ANSWER,
        _case("log", none=("step", "name"), lines={"type": "array"}),
        _case("log", on_a_step=True, lines={"type": "array"}),
    ]
}
"""What an update needs besides its action; all other keys may come along, and are ignored."""


_DESCRIPTIONS: Final[Mapping[str, str]] = {
    "step": "One of the session's steps, the first of which is 1.",
    "timeout_ms": "For `start`; `null` and 0 stand for the definition's.",
    "success": "For `complete` and `finish`.",
    "message": "For `complete`, `progress`, `skip`, `part` and `acknowledge`.",
    "error": "For `complete`, `finish` and `part`.",
    "current": "Required for `progress`, and for `part` with a `total`: at most that.",
    "total": "For `progress` and `part`; `null` where it is unknown.",
    "name": "The step's name, in place of its number.",
    "append": "For `start` by name: append a step, even if one has that name.",
    "estimated_ms": "For `start` by name: of the step that it appends.",
    "attempt_id": "The worker's attempt, a new text for each one.",
    "lease_ms": "For `start` with an `attempt_id`: without a report for so long, the step counts as stalled.",
    "lost_after_ms": "For `start` with a `lease_ms`: without a report for so long, the step counts as lost.",
    "parts_total": "For `start`: how many parts the step has, with the last of which it ends by itself.",
    "part": "For `part`: its name.",
    "status": "For `part`: whether it runs, or how it ended.",
    "ago_ms": "How long before this request it happened.",
    "conclusion": "For `complete` and `finish` without success.",
    "links": "For `complete`, `finish` and `describe`: those of the session.",
    "steps": "For `plan`: the steps to append.",
    "title": "For `describe`; `null` removes it.",
    "labels": "For `describe`: labels to add; `null` removes one, or all.",
    "accepts": "For `describe`: what readers may ask; `null` removes it.",
    "request": "For `acknowledge`: the `id` of the request.",
    "state": "For `acknowledge`: what becomes of the request.",
    "lines": "For `log`: lines, or their texts, which each reader may read.",
}
"""What the keys of updates mean, in the order in which they are described."""

_TYPES: Final[dict[str, Any]] = {
    "step": StepNumber,
    "name": Annotated[Text, Field(min_length=1)],
    "steps": PlannedSteps,
    "links": Links,
    "lines": Lines,
    "labels": Annotated[dict[LabelKey, LabelValue | None], Field(max_length=MAX_LABELS)],
    "accepts": Accepts,
    "attempt_id": AttemptId,
    "lease_ms": Annotated[int, Within(LEASE)],
    "lost_after_ms": Annotated[int, Within(LOST_AFTER)],
    "ago_ms": Annotated[int, Within(AGO)],
}
"""The types of keys that have a form of their own in requests, or go with updates of all kinds."""

_DEFAULTS: Final = {"success": True, "message": "", "error": "", "append": False, "ago_ms": 0}
"""The values of keys that are missing; of all others it is `None`."""


def _type_of(key: str) -> Any:
    """Return the type of a key: the bound of the field of that name, the widest one where those of kinds differ."""
    bounds = [each for kind in UPDATES for each in bound_fields(kind) if each.name == key]
    if key in _TYPES or not bounds:
        return _TYPES.get(key, StrictBool)
    if bounds[0].options:
        return Literal[bounds[0].options]
    widest = next((each.bound for each in bounds if each.bound == TEXT), bounds[0].bound)
    assert not isinstance(widest, Rule)
    return Annotated[int if isinstance(widest, Whole) else str, Within(widest)]


def _field(key: str) -> tuple[Any, Any]:
    default = _DEFAULTS.get(key)
    return (_type_of(key) | None if default is None else _type_of(key)), Field(default, description=_DESCRIPTIONS[key])


if TYPE_CHECKING:

    class _Keys(KeyedBody):
        action: str

else:
    _ACTION = Literal[tuple(kind.action for kind in UPDATES)]
    _Keys = create_model(
        "_Keys", __base__=KeyedBody, action=(_ACTION, ...), **{key: _field(key) for key in _DESCRIPTIONS}
    )


class UpdateBody(_Keys):
    """The report of a worker. Other keys are ignored; numbers must be integers (`1.0` is not one)."""

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={
            **_RULES,
            "examples": [
                {"action": "start", "step": 1},
                {"action": "progress", "step": 1, "current": 3120, "total": 8000, "message": "reading"},
                {"action": "complete", "step": 1, "message": "8,000 rows"},
                {"action": "complete", "step": 1, "success": False, "error": "disk full"},
                {"action": "start", "name": "Upload", "attempt_id": "f3b1", "lease_ms": 30000},
                {"action": "skip", "step": 2, "message": "nothing to do"},
                {"action": "acknowledge", "request": "9f1c", "state": "seen", "message": "after this file"},
                {"action": "part", "step": 3, "part": "shard-7", "status": "running", "current": 20, "total": 100},
                {"action": "log", "step": 1, "lines": ["opened", {"text": "row 7 is empty", "level": "warning"}]},
                {"action": "finish", "success": False, "error": "cancelled by hand", "conclusion": "cancelled"},
            ],
        },
    )

    always = frozenset({"action", "step", "timeout_ms", "success", "message", "error", "current", "total"})

    @property
    def takes_key(self) -> bool:
        """Whether it counts once under an idempotency key; of a sign of life the newest one counts."""
        return self.action != "beat"


class AddressedUpdate(UpdateBody):
    """One of several updates, with the values that a single update has in its path and headers."""

    model_config = ConfigDict(
        json_schema_extra={
            **_RULES,
            "examples": [{"session_id": "nightly", "idempotency_key": "5f0c", "action": "complete", "step": 1}],
        }
    )

    never = KeyedBody.never | {"session_id", "idempotency_key", "run"}

    session_id: Annotated[str, Field(strict=True)]
    idempotency_key: Annotated[str, Field(strict=True, json_schema_extra=KEY_SCHEMA)] | None = None
    run: Annotated[str, Field(strict=True)] | None = Field(
        None, description="`Progress-Run` from the response to the session's creation."
    )

    @property
    def key(self) -> IdempotencyKey | None:
        """The update's idempotency key, the same when it is sent again by itself; `None` if it has or takes none.

        Raises:
            InvalidKeyError: It is empty, over 255 characters, or not printable ASCII.
        """
        if self.idempotency_key is None:
            return None
        key = make_key(self.idempotency_key, UPDATE, self.canonical())
        return key if self.takes_key else None


class BatchBody(BaseModel):
    """Updates, of one session or of several."""

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={
            "examples": [
                {
                    "updates": [
                        {"session_id": "nightly", "idempotency_key": "5f0c", "action": "complete", "step": 1},
                        {"session_id": "nightly", "idempotency_key": "5f0d", "action": "start", "step": 2},
                    ]
                }
            ]
        },
    )

    updates: list[Any] = Field(
        min_length=1,
        max_length=MAX_UPDATES,
        description="Each is the body of an update, with its `session_id` and an optional `idempotency_key`. Each is "
        "applied or refused by itself: an invalid one does not affect the others.",
        json_schema_extra={"items": {"anyOf": [{"$ref": "#/components/schemas/AddressedUpdate"}, {}]}},
    )


TAKEN_KEYS: Final[Mapping[str, frozenset[str]]] = {
    kind.action: UpdateBody.always | UpdateBody.never | keys_of(kind.action) for kind in UPDATES
}
"""The keys of which none is ignored in a single update, by its action."""


def ignored_keys(body: UpdateBody, keys: Collection[str]) -> Sequence[str]:
    """Return those of the body's `keys` that neither every update has nor its action, as answers name them."""
    unknown = set(keys) - body.always - body.never - keys_of(body.action)
    if not unknown:
        return ()
    named = sorted(key for key in unknown if getattr(body, key, "") is not None)
    return [key[:MAX_IGNORED_CHARS].encode(errors="replace").decode() for key in named[:MAX_IGNORED]]


def check_strictly(body: UpdateBody, ignored: Sequence[str]) -> None:
    """Refuse what is otherwise taken as it stands.

    Raises:
        InvalidRequestError: There are keys that are ignored, or a success has an error.
    """
    if ignored:
        raise InvalidRequestError(f"unknown keys: {', '.join(ignored)}.")
    values: Mapping[str, Any] = body.__dict__
    if values["action"] == "complete" and values["success"] and values["error"]:
        raise InvalidRequestError("error: needs success: false.")


_READ: Final[Mapping[str, Callable[[Any], object]]] = {
    "links": to_links,
    "accepts": tuple,
    "lines": to_lines,
    "steps": lambda specs: define_steps(specs, lambda _number: ""),  # Only the session knows their numbers.
}


def command_of(
    body: UpdateBody, workflows: Workflows, limits: BodyLimits, run: str | None = None, only_if: Condition = anywhere
) -> Update:
    """Return the update that a body asks for, of the `run`, and where the session is as `only_if` requires.

    A `start` of a session that does not exist yet creates one of the workflow `default`; by a step's name, an
    open-ended one.

    Raises:
        InvalidRequestError: A field is missing, or contradicts another one.
    """
    values: Mapping[str, Any] = body.__dict__
    attempt_id = values["attempt_id"]
    lease_ms = values["lease_ms"]
    lost_after_ms = values["lost_after_ms"]
    has_lease = attempt_id is not None or lease_ms is not None or lost_after_ms is not None
    envelope = Envelope(
        Claim(attempt_id, lease_ms, lost_after_ms) if has_lease else None,
        run,
        values["ago_ms"],
        only_if,
        workflows.named() if values["action"] == "start" else (),
        limits.max_total_steps,
    )
    return decode(values, body.model_fields_set, envelope, _READ)
