"""The models of updates, and the commands that they become."""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from progress_sse.api.creation_model import canonical
from progress_sse.api.field_types import (
    Accepts,
    AgoMs,
    AttemptId,
    Count,
    LabelKey,
    LabelValue,
    LeaseMs,
    Lines,
    Links,
    LostAfterMs,
    PartName,
    PartsTotal,
    PlannedSteps,
    RequestId,
    StepNumber,
    Title,
)
from progress_sse.api.idempotency_keys import KEY_SCHEMA, UPDATE, make_key
from progress_sse.core.details import MAX_LABELS
from progress_sse.core.idempotency import IdempotencyKey
from progress_sse.core.parts import MAX_PART_TEXT_CHARS, PartStatus
from progress_sse.core.requests import MAX_REQUEST_TEXT_CHARS, Acknowledgement
from progress_sse.wire.step_specs import Milliseconds
from progress_sse.wire.text import Text

MAX_UPDATES: Final = 100
"""Updates that one request may have."""

_FIRST: Final = frozenset({"action", "step", "timeout_ms", "success", "message", "error", "current", "total"})
"""The fields that a request's text always has; see `creation_model.canonical`."""


def _case(
    *actions: str, on_a_step: bool = False, none: tuple[str, ...] = (), short: tuple[str, ...] = (), **values: Any
) -> dict[str, Any]:
    """Return the schema of an update with one of these actions and these values.

    It has none of the keys in `none`; those in `short` have texts as short as those of parts.
    """
    needed = {"action": {"enum": list(actions)}, **values}
    null, bound = {"type": "null"}, {"maxLength": MAX_PART_TEXT_CHARS}
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
_ANSWER["properties"]["message"] = {"maxLength": MAX_REQUEST_TEXT_CHARS}

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


class UpdateBody(BaseModel):
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

    action: Literal[
        "start", "complete", "progress", "skip", "beat", "part", "finish", "plan", "describe", "acknowledge", "log"
    ]
    step: StepNumber | None = Field(None, description="One of the session's steps, the first of which is 1.")
    timeout_ms: Milliseconds | None = Field(None, description="For `start`; `null` and 0 stand for the definition's.")
    success: StrictBool = Field(True, description="For `complete` and `finish`.")
    message: Text = Field("", description="For `complete`, `progress`, `skip`, `part` and `acknowledge`.")
    error: Text = Field("", description="For `complete`, `finish` and `part`.")
    current: Count | None = Field(
        None, description="Required for `progress`, and for `part` with a `total`: at most that."
    )
    total: Count | None = Field(None, description="For `progress` and `part`; `null` where it is unknown.")
    name: Text | None = Field(None, min_length=1, description="The step's name, in place of its number.")
    append: StrictBool = Field(False, description="For `start` by name: append a step, even if one has that name.")
    estimated_ms: Milliseconds | None = Field(None, description="For `start` by name: of the step that it appends.")
    attempt_id: AttemptId | None = Field(None, description="The worker's attempt, a new text for each one.")
    lease_ms: LeaseMs | None = Field(
        None, description="For `start` with an `attempt_id`: without a report for so long, the step counts as stalled."
    )
    lost_after_ms: LostAfterMs | None = Field(
        None, description="For `start` with a `lease_ms`: without a report for so long, the step counts as lost."
    )
    parts_total: PartsTotal | None = Field(
        None, description="For `start`: how many parts the step has, with the last of which it ends by itself."
    )
    part: PartName | None = Field(None, description="For `part`: its name.")
    status: PartStatus | None = Field(None, description="For `part`: whether it runs, or how it ended.")
    ago_ms: AgoMs = Field(0, description="How long before this request it happened.")
    conclusion: Literal["cancelled"] | None = Field(None, description="For `complete` and `finish` without success.")
    links: Links | None = Field(None, description="For `complete`, `finish` and `describe`: those of the session.")
    steps: PlannedSteps | None = Field(None, description="For `plan`: the steps to append.")
    title: Title | None = Field(None, description="For `describe`; `null` removes it.")
    labels: dict[LabelKey, LabelValue | None] | None = Field(
        None, max_length=MAX_LABELS, description="For `describe`: labels to add; `null` removes one, or all."
    )
    accepts: Accepts | None = Field(None, description="For `describe`: what readers may ask; `null` removes it.")
    request: RequestId | None = Field(None, description="For `acknowledge`: the `id` of the request.")
    state: Acknowledgement | None = Field(None, description="For `acknowledge`: what becomes of the request.")
    lines: Lines | None = Field(None, description="For `log`: lines, or their texts, which each reader may read.")

    @property
    def takes_key(self) -> bool:
        """Whether it counts once under an idempotency key; of a sign of life the newest one counts."""
        return self.action != "beat"

    def canonical(self) -> str:
        """Return the request as text, by which it is the same again under the same idempotency key."""
        return canonical(self, _FIRST)


class AddressedUpdate(UpdateBody):
    """One of several updates, with the values that a single update has in its path and headers."""

    model_config = ConfigDict(
        json_schema_extra={
            **_RULES,
            "examples": [{"session_id": "nightly", "idempotency_key": "5f0c", "action": "complete", "step": 1}],
        }
    )

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

    def canonical(self) -> str:
        """Return the text of the update by itself."""
        return canonical(self, _FIRST, without=_ADDRESS)


_ADDRESS: Final = frozenset({"session_id", "idempotency_key", "run"})


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
