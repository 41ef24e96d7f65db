"""The events of streams as models; see ``response_models``."""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, Json, RootModel
from pydantic.json_schema import SkipJsonSchema

from progress_sse.api.openapi.response_models import (
    ListedSession,
    LogLines,
    Natural,
    ResponseModel,
    Session,
    SessionId,
    SessionSummary,
    StartedStep,
)

EventId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._~-]{1,128}$")]


class Transition(ResponseModel):
    """One change by a worker; applied to the snapshot before it, it gives the snapshot after it."""

    step: StartedStep
    session: SessionSummary


class Change(ResponseModel):
    """One change of a session, of none of its steps and not of its status; all its keys replace those of before."""

    session: SessionSummary


class ListedChange(ResponseModel):
    """A session that has come into a list or has changed there."""

    session: ListedSession


class NewestSessions(ResponseModel):
    """The newest sessions of a list."""

    sessions: list[ListedSession]
    more: bool
    """Whether there are older ones."""


class RemovedSession(ResponseModel):
    """A session that is gone, or no longer belongs to a list."""

    session_id: SessionId


class Ending(ResponseModel):
    """The sessions of a stream that are completed, with every event delivered."""

    session_ids: Annotated[list[SessionId], Field(min_length=1)]


class Beat(ResponseModel):
    """A heartbeat."""

    now: AwareDatetime
    interval_ms: Natural
    """Milliseconds until the next one."""


class LinesOfSession(LogLines):
    """Lines of the log of one of the sessions of a stream."""

    session_id: SessionId


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


class SessionItem(StreamItem):
    """One change of the session without its steps; on a stream of a list, without an `id`, any change of a session."""

    event: Literal["session"]
    id: EventId | SkipJsonSchema[None] = None
    data: Json[ListedChange | Change]


class ListItem(StreamItem):
    """A list: first on its stream, and in place of changes that a slow client missed."""

    event: Literal["list"]
    data: Json[NewestSessions]


class RemovedItem(StreamItem):
    """The end of a session in a list."""

    event: Literal["removed"]
    data: Json[RemovedSession]


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


class LogItem(StreamItem):
    """Lines of the log, sent with `log=1` only; it has no `id` of its own."""

    event: Literal["log"]
    id: EventId | SkipJsonSchema[None] = None
    data: Json[LinesOfSession]


class StreamEvent(RootModel[Any]):
    """Any event of a stream."""

    root: Annotated[
        SnapshotItem | StepItem | SessionItem | ListItem | RemovedItem | EndItem | HeartbeatItem | LogItem,
        Field(discriminator="event"),
    ]
