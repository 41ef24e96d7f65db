"""The models of request bodies, and the commands that they become."""

from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    ValidationInfo,
)

from progress_sse.api.idempotency_keys import KEY_SCHEMA, UPDATE, make_key
from progress_sse.core.commands import Advance, Complete, Condition, Start, StepCommand, anywhere
from progress_sse.core.errors import InvalidRequestError
from progress_sse.core.idempotency import IdempotencyKey
from progress_sse.core.model import MAX_SAFE_INTEGER, StepDefinition
from progress_sse.core.workflows import Workflows
from progress_sse.wire.step_specs import Milliseconds, StepSpec, define_steps
from progress_sse.wire.text import Text

DEFAULT_PAGE_SIZE: Final = 100
MAX_PAGE_SIZE: Final = 1000
"""Sessions on a page of the list: by default, and at most."""

MAX_UPDATES: Final = 100
"""Updates that one request may have."""


def _check_total(total: int, info: ValidationInfo) -> int:
    assert info.context is not None
    limit: int = info.context["max_total_steps"]
    if total > limit:
        raise ValueError(f"is more than {limit}")
    return total


def _check_length(steps: Any, info: ValidationInfo) -> Any:
    """Check the length before the elements, so that a list that is too long is refused at once."""
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
    """Exclude `null` from the schema of an optional field: here `None` only stands for a missing field."""
    described, _null = schema.pop("anyOf")
    schema |= described


_NEEDING_CURRENT: Final[dict[str, Any]] = {
    "if": {"properties": {"action": {"const": "progress"}}},
    "then": {"properties": {"current": {"type": "integer"}}, "required": ["current"]},
}


class UpdateBody(BaseModel):
    """The report of a worker. Other keys are ignored; numbers must be integers (`1.0` is not one)."""

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
    current: Count | None = Field(None, description="Required for `progress`: at most `total`.")
    total: Count | None = Field(None, description="For `progress`; `null` where it is unknown.")

    def command(self, workflows: Workflows, run: str | None = None, only_if: Condition = anywhere) -> StepCommand:
        """Return the command that this asks for, for one run of the session, or (`None`) for the current one.

        A `start` of a session that does not exist yet creates one of the workflow `default`.

        Raises:
            InvalidRequestError: `progress` without `current`, or past its `total`.
        """
        if self.action == "start":
            return Start(self.step, workflows.named(), self.timeout_ms, run, only_if=only_if)
        if self.action == "complete":
            return Complete(self.step, self.success, self.message, self.error, run, only_if=only_if)
        if self.current is None:
            raise InvalidRequestError("current: Field required.")
        if self.total is not None and self.current > self.total:
            raise InvalidRequestError("current: must not be more than total.")
        return Advance(self.step, self.current, self.total, self.message, run, only_if=only_if)


class AddressedUpdate(UpdateBody):
    """One of several updates, with the values that a single update has in its path and headers."""

    model_config = ConfigDict(
        json_schema_extra={
            **_NEEDING_CURRENT,
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
        """The update's idempotency key, the same when it is sent again by itself; `None` if it has none.

        Raises:
            InvalidKeyError: It is empty, over 255 characters, or not printable ASCII.
        """
        if self.idempotency_key is None:
            return None
        return make_key(self.idempotency_key, UPDATE, self.model_dump_json(include=set(UpdateBody.model_fields)))


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


class CreateBody(BaseModel):
    """The steps of a new session: their number, their definitions, or a workflow; else the workflow `default`."""

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
        """Return the step definitions of the new session.

        Raises:
            InvalidRequestError: It has more than one of the fields, or a step that is not valid.
            UnknownWorkflowError: No workflow has that name.
        """
        if len(self.model_fields_set) > 1:
            raise InvalidRequestError("A session is created by one of total_steps, steps and workflow.")
        if self.steps is not None:
            return define_steps(self.steps)
        if self.total_steps is not None:
            return workflows.resized(self.total_steps)
        if self.workflow is not None:
            return workflows.named(self.workflow)
        if self.model_fields_set:
            raise InvalidRequestError(f"{self.model_fields_set.pop()}: must not be null.")
        return workflows.named()
