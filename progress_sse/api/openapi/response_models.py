"""The responses of the server as models, for the description in ``document`` and for tests that check a response.

No response is made from these. ``wire`` encodes each from the data itself, once for all clients; tests show that both
agree. The server imports this module only to make the description.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, Json, RootModel
from pydantic.json_schema import SkipJsonSchema

from progress_sse.core.model import MAX_SESSION_ID_CHARS, SessionStatus

EVENT_ID_PATTERN: Final = r"^[A-Za-z0-9._~-]{1,128}$"

Natural = Annotated[int, Field(strict=True, ge=0)]
StepNumber = Annotated[int, Field(strict=True, ge=1)]
SessionId = Annotated[str, Field(min_length=1, max_length=MAX_SESSION_ID_CHARS)]
EventId = Annotated[str, Field(pattern=EVENT_ID_PATTERN)]


class ResponseModel(BaseModel):
    """Has exactly the declared keys."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Advance(ResponseModel):
    """How far a running step is."""

    current: Natural
    total: Natural | None
    """`null` where it is unknown."""


class StartedStep(ResponseModel):
    """A step that was started."""

    step: StepNumber
    name: str
    status: Literal["running", "success", "error"]
    started_at: AwareDatetime
    completed_at: AwareDatetime | None
    elapsed_ms: Natural
    """Milliseconds from start to completion; 0 while it runs."""
    timeout_ms: Natural | None
    """Milliseconds after which a page may show it as overdue; the server does not stop it."""
    message: str
    error: str
    progress: Advance | SkipJsonSchema[None] = None
    """Present only while the step runs, once its worker has reported progress."""


class PendingStep(ResponseModel):
    """A step that was not started yet."""

    step: StepNumber
    name: str
    status: Literal["pending"]
    elapsed_ms: Literal[0]
    timeout_ms: Natural


class SessionSummary(ResponseModel):
    """A session without its steps."""

    session_id: SessionId
    current_step: Natural
    """The step that was started last; 0 before the first."""
    total_steps: StepNumber
    status: SessionStatus
    percentage: Annotated[int, Field(ge=0, le=100)]
    estimated_remaining_ms: Natural
    """Milliseconds that the steps after the current one are expected to take."""


class ListedSession(SessionSummary):
    """A session in the list of all."""

    created_at: AwareDatetime
    updated_at: AwareDatetime


class Session(ResponseModel):
    """A session as polling shows it; `not_found`, without steps, where it does not exist."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "session_id": "nightly",
                    "current_step": 1,
                    "total_steps": 2,
                    "status": "running",
                    "steps": [
                        {
                            "step": 1,
                            "name": "Download",
                            "status": "running",
                            "started_at": "2026-01-31T09:30:00.123456+00:00",
                            "completed_at": None,
                            "elapsed_ms": 0,
                            "timeout_ms": 120000,
                            "message": "reading",
                            "error": "",
                            "progress": {"current": 3120, "total": 8000},
                        },
                        {"step": 2, "name": "Import", "status": "pending", "elapsed_ms": 0, "timeout_ms": 120000},
                    ],
                    "percentage": 19,
                    "estimated_remaining_ms": 60000,
                },
                {
                    "session_id": "weekly",
                    "current_step": 0,
                    "total_steps": 0,
                    "status": "not_found",
                    "steps": [],
                    "percentage": 0,
                    "estimated_remaining_ms": 0,
                },
            ]
        }
    )

    session_id: SessionId
    current_step: Natural
    total_steps: Natural
    status: Literal["pending", "running", "completed", "error", "not_found"]
    steps: list[Annotated[StartedStep | PendingStep, Field(discriminator="status")]]
    """One for each number from 1 to `total_steps`, in order."""
    percentage: Annotated[int, Field(ge=0, le=100)]
    estimated_remaining_ms: Natural


class SessionList(ResponseModel):
    """A page of the list of all sessions, newest first."""

    sessions: list[ListedSession]
    next: str | None
    """The value of `after` for the next page; `null` on the last page."""


class StepDefinition(ResponseModel):
    """The definition of a step, known before it starts."""

    step: StepNumber
    name: str
    timeout_ms: Natural
    estimated_ms: Natural


class StepDefinitions(ResponseModel):
    """The steps of a workflow."""

    total_steps: StepNumber
    steps: list[StepDefinition]


class Applied(ResponseModel):
    """An update was applied."""

    success: Literal[True]
    session_id: SessionId


class Problem(ResponseModel):
    """Why a request was refused [RFC 9457]."""

    type: str
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    success: Literal[False]


class Accepted(ResponseModel):
    """One of several updates was applied."""

    status: Literal[200]


class UpdateResults(ResponseModel):
    """The result of each of several updates, in their order."""

    results: list[Accepted | Problem]


class Ticket(ResponseModel):
    """A ticket, which opens one stream, once."""

    ticket: str
    expires_in: Natural
    """Seconds within which it must be used."""


class Health(ResponseModel):
    """Whether the server works."""

    status: str


class Description(BaseModel):
    """An OpenAPI document."""

    openapi: str
    info: dict[str, Any]
    paths: dict[str, Any]


class Transition(ResponseModel):
    """One change by a worker; applied to the snapshot before it, it gives the snapshot after it."""

    step: StartedStep
    session: SessionSummary


class Ending(ResponseModel):
    """The sessions of a stream that are completed, with every event delivered."""

    session_ids: Annotated[list[SessionId], Field(min_length=1)]


class Beat(ResponseModel):
    """A heartbeat."""

    now: AwareDatetime
    interval_ms: Natural
    """Milliseconds until the next one."""


class StreamItem(ResponseModel):
    """An event as a client has it after parsing: each has the latest `id`, from the first one on."""

    retry: Natural | SkipJsonSchema[None] = None
    """Milliseconds to wait before reconnecting."""


class SnapshotItem(StreamItem):
    """The whole session: first on every stream, and whenever a `step` is not enough."""

    event: Literal["snapshot"]
    id: EventId
    data: Json[Session]


class StepItem(StreamItem):
    """One transition."""

    event: Literal["step"]
    id: EventId
    data: Json[Transition]


class EndItem(StreamItem):
    """Completed and delivered: the stream ends, and a client that reconnects with this `id` gets 204."""

    event: Literal["end"]
    id: EventId
    data: Json[Ending]


class HeartbeatItem(StreamItem):
    """A heartbeat, sent with `heartbeat=event` only; it has no `id` of its own."""

    event: Literal["heartbeat"]
    id: EventId | SkipJsonSchema[None] = None
    data: Json[Beat]


class StreamEvent(RootModel[Any]):
    """Any event of a stream."""

    root: Annotated[SnapshotItem | StepItem | EndItem | HeartbeatItem, Field(discriminator="event")]
