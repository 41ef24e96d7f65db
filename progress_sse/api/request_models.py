"""Request bodies: bytes → validated value, in one step, strictly.

JSON is read as RFC 8259 has it and no further: UTF-8 without a byte order mark, no `NaN`, no key twice. What is wrong
with the JSON is a 400, what is wrong with what it says a 422; neither repeats what was sent.
"""

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any, Final, Literal, NoReturn, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    ValidationError,
    ValidationInfo,
)
from starlette.requests import Request

from progress_sse.core.commands import Advance, Complete, Start, StepCommand
from progress_sse.core.errors import (
    BodyTooLargeError,
    InvalidKeyError,
    InvalidRequestError,
    MalformedBodyError,
    UnsupportedMediaError,
)
from progress_sse.core.idempotency import IdempotencyKey
from progress_sse.core.limits import BodyLimits
from progress_sse.core.model import MAX_SAFE_INTEGER, StepDefinition, check_session_id
from progress_sse.core.workflows import Workflows
from progress_sse.wire.headers import header_values
from progress_sse.wire.step_specs import Milliseconds, StepSpec, define_steps
from progress_sse.wire.text import Text, first_fault

MAX_KEY_CHARS: Final = 255
_KEY_RULE: Final = f"An Idempotency-Key has 1 to {MAX_KEY_CHARS} printable ASCII characters."

_KEY_SCHEMA: Final[dict[str, Any]] = {"pattern": "^ *[!-~][ -~]*$", "maxLength": MAX_KEY_CHARS}

DEFAULT_PAGE_SIZE: Final = 100
MAX_PAGE_SIZE: Final = 1000
"""Sessions on a page of the list: by default, and at most."""

MAX_UPDATES: Final = 100
"""Updates that one request may bring."""


def _check_total(total: int, info: ValidationInfo) -> int:
    assert info.context is not None
    limit: int = info.context["max_total_steps"]
    if total > limit:
        raise ValueError(f"is more than {limit}")
    return total


def _check_length(steps: Any, info: ValidationInfo) -> Any:
    """Count before looking at each: a list that is too long is refused without being read."""
    if isinstance(steps, list):
        _check_total(len(steps), info)
    return steps


StepNumber = Annotated[int, Field(strict=True, ge=1)]
Count = Annotated[int, Field(strict=True, ge=0, le=MAX_SAFE_INTEGER)]
TotalSteps = Annotated[
    int, Field(strict=True, ge=1, json_schema_extra={"maximum": "max_total_steps"}), AfterValidator(_check_total)
]
Steps = Annotated[
    list[StepSpec],
    Field(min_length=1, json_schema_extra={"maxItems": "max_total_steps"}),
    BeforeValidator(_check_length),
]


def _without_null(schema: dict[str, Any]) -> None:
    """Say that a field which may be left out may not be `null`: here `None` stands for its being left out."""
    described, _null = schema.pop("anyOf")
    schema |= described


_NEEDING_CURRENT: Final[dict[str, Any]] = {
    "if": {"properties": {"action": {"const": "progress"}}},
    "then": {"properties": {"current": {"type": "integer"}}, "required": ["current"]},
}


class UpdateBody(BaseModel):
    """What a worker reports. Other keys are ignored; numbers are written as integers (`1.0` is none)."""

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={
            **_NEEDING_CURRENT,
            "examples": [
                {"action": "start", "step": 1},
                {"action": "progress", "step": 1, "current": 3120, "total": 8000, "message": "reading"},
                {"action": "complete", "step": 1, "message": "8,000 rows"},
                {"action": "complete", "step": 1, "success": False, "error": "disk full"},
            ],
        },
    )

    action: Literal["start", "complete", "progress"]
    step: StepNumber = Field(description="One of the session's steps, the first of which is 1.")
    timeout_ms: Milliseconds | None = Field(None, description="For `start`; `null` and 0 stand for the definition's.")
    success: StrictBool = Field(True, description="For `complete`.")
    message: Text = Field("", description="For `complete` and `progress`.")
    error: Text = Field("", description="For `complete`.")
    current: Count | None = Field(None, description="For `progress`, which needs it: at most `total`.")
    total: Count | None = Field(None, description="For `progress`; `null` where nobody knows.")

    def command(self, workflows: Workflows, run: str | None = None) -> StepCommand:
        """Return the command that this asks for, about one run or (`None`) about whichever there is.

        A `start` of a session that does not exist yet creates one of the workflow `default`.

        Raises:
            InvalidRequestError: `progress` without `current`, or past its `total`.
        """
        if self.action == "start":
            return Start(self.step, workflows.named(), self.timeout_ms, run)
        if self.action == "complete":
            return Complete(self.step, self.success, self.message, self.error, run)
        if self.current is None:
            raise InvalidRequestError("current: Field required.")
        if self.total is not None and self.current > self.total:
            raise InvalidRequestError("current: must not be more than total.")
        return Advance(self.step, self.current, self.total, self.message, run)


class AddressedUpdate(UpdateBody):
    """An update among others, with what stands in path and headers where it comes alone."""

    model_config = ConfigDict(
        json_schema_extra={
            **_NEEDING_CURRENT,
            "examples": [{"session_id": "nightly", "idempotency_key": "5f0c", "action": "complete", "step": 1}],
        }
    )

    session_id: Annotated[str, Field(strict=True)]
    idempotency_key: Annotated[str, Field(strict=True, json_schema_extra=_KEY_SCHEMA)] | None = None
    run: Annotated[str, Field(strict=True)] | None = Field(
        None, description="`Progress-Run` of the answer to the session's creation."
    )

    @property
    def key(self) -> IdempotencyKey | None:
        """What the update is known by, be it sent again alone or among others; `None` if it has no key.

        Raises:
            InvalidKeyError: It is empty, over 255 characters, or not printable ASCII.
        """
        if self.idempotency_key is None:
            return None
        return _make_key(self.idempotency_key, UPDATE, self.model_dump_json(include=set(UpdateBody.model_fields)))


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
        description="Each is what one update has as its body, with its `session_id` and perhaps an `idempotency_key`, "
        "and is judged by itself: one that is not valid keeps no other from being applied.",
        json_schema_extra={"items": {"anyOf": [{"$ref": "#/components/schemas/AddressedUpdate"}, {}]}},
    )


class CreateBody(BaseModel):
    """How to create a session: by a number of steps, its own steps, or a workflow; else by the workflow `default`."""

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={
            "dependentSchemas": {
                "total_steps": {"properties": {"steps": False, "workflow": False}},
                "steps": {"properties": {"workflow": False}},
            },
            "examples": [
                {"total_steps": 3},
                {"steps": [{"name": "Download"}, {"name": "Import", "estimated_ms": 60000}]},
                {"workflow": "default"},
                {},
            ],
        },
    )

    total_steps: TotalSteps | None = Field(None, json_schema_extra=_without_null)
    steps: Steps | None = Field(None, json_schema_extra=_without_null)
    workflow: Text | None = Field(None, json_schema_extra=_without_null)

    def definitions(self, workflows: Workflows) -> tuple[StepDefinition, ...]:
        """Return the step definitions of the session to be.

        Raises:
            InvalidRequestError: More than one way of creating, or a step that is not valid.
            UnknownWorkflowError: No workflow has that name.
        """
        if len(self.model_fields_set) > 1:
            raise InvalidRequestError(
                "A session is created by total_steps, by steps, or by a workflow: by one of them."
            )
        if self.steps is not None:
            return define_steps(self.steps)
        if self.total_steps is not None:
            return workflows.resized(self.total_steps)
        if self.workflow is not None:
            return workflows.named(self.workflow)
        if self.model_fields_set:
            raise InvalidRequestError(f"{self.model_fields_set.pop()}: must not be null.")
        return workflows.named()


UPDATE: Final = "update"
"""The kind of an update, which is a part of what its key stands for."""

Body = TypeVar("Body", bound=BaseModel)


async def read_body(request: Request, model: type[Body], limits: BodyLimits) -> Body:
    """Return the request's body as a `model`.

    Raises:
        UnsupportedMediaError: It is not declared as JSON in UTF-8.
        BodyTooLargeError: It is larger than `max_body_bytes`.
        MalformedBodyError: It is not JSON.
        InvalidRequestError: It does not say what it should.
    """
    _check_head(request, limits.max_body_bytes)
    return _validated(model, parse_json(await _read(request, limits.max_body_bytes)), limits)


def read_update(value: object, limits: BodyLimits) -> AddressedUpdate:
    """Return one of the updates of a `BatchBody`.

    Raises:
        InvalidRequestError: It is none.
        InvalidSessionIdError: It is addressed to what no session can be.
    """
    update = _validated(AddressedUpdate, value, limits)
    check_session_id(update.session_id)
    return update


def idempotency_key(request: Request, kind: str, body: BaseModel) -> IdempotencyKey | None:
    """Return the request's `Idempotency-Key` with a digest of its parsed body; `None` if it has none.

    Raises:
        InvalidKeyError: It is empty, over 255 characters, not printable ASCII, or there are several.
    """
    keys = header_values(request, b"idempotency-key")
    if not keys:
        return None
    if len(keys) > 1:
        raise InvalidKeyError(_KEY_RULE)
    return _make_key(keys[0].decode("latin-1"), kind, body.model_dump_json())


def _make_key(key: str, kind: str, body: str) -> IdempotencyKey:
    stripped = key.strip(" ")  # As a header that brings it does.
    if not stripped or len(key) > MAX_KEY_CHARS or not (key.isascii() and key.isprintable()):
        raise InvalidKeyError(_KEY_RULE)
    return IdempotencyKey(stripped, hashlib.sha256(f"{kind} {body}".encode()).hexdigest())


def parse_json(raw: bytes) -> Any:
    """Return what the JSON text says.

    Raises:
        MalformedBodyError: It is not UTF-8, not JSON, has a key twice, or is nested or long past all reason.
    """
    try:
        return _decoder.decode(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        raise MalformedBodyError from None


def _without_repeats(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key comes twice")
    return found


def _refuse_constant(_name: str) -> NoReturn:
    raise ValueError("not a JSON number")


_decoder: Final = json.JSONDecoder(object_pairs_hook=_without_repeats, parse_constant=_refuse_constant)


def _validated(model: type[Body], value: Any, limits: BodyLimits) -> Body:
    try:
        return model.model_validate(value, context=limits.context)
    except ValidationError as error:
        raise InvalidRequestError(first_fault(error)) from None


def _check_head(request: Request, max_body_bytes: int) -> None:
    media_types, codings = header_values(request, b"content-type"), header_values(request, b"content-encoding")
    if not _is_json(b",".join(media_types), b",".join(codings)):
        raise UnsupportedMediaError
    declared = b",".join(header_values(request, b"content-length")) or b"0"
    if not declared.isdigit() or len(declared) >= 20 or int(declared) > max_body_bytes:
        raise BodyTooLargeError


@lru_cache(maxsize=64)
def _is_json(content_type: bytes, content_encoding: bytes) -> bool:
    media_type, *parameters = (each.strip() for each in content_type.lower().split(b";"))
    charsets = {each.removeprefix(b"charset=").strip(b'"') for each in parameters if each.startswith(b"charset=")}
    is_plain = content_encoding.lower() in (b"", b"identity")
    return media_type == b"application/json" and charsets <= {b"utf-8", b"utf8"} and is_plain


async def _read(request: Request, max_body_bytes: int) -> bytes:
    body, is_more = b"", True
    while is_more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise MalformedBodyError
        body += message.get("body", b"")
        is_more = message.get("more_body", False)
        if len(body) > max_body_bytes:
            raise BodyTooLargeError
    return body
