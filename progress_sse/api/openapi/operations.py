"""What each operation takes and responds with: all that ``document`` cannot derive from the routes.

A new route needs an entry here, under its operation id; a test names entries that are missing, and those without a
route.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from pydantic import BaseModel

from progress_sse.api.openapi import response_models
from progress_sse.api.request_models import BatchBody, CreateBody, UpdateBody
from progress_sse.auth.grants import Action
from progress_sse.core.errors import (
    InvalidRequestError,
    InvalidSessionIdError,
    OtherRunError,
    OutcomeUnknownError,
    PathNotFoundError,
    PreconditionFailedError,
    ProblemError,
    RateExceededError,
    SessionExistsError,
    SessionNotFoundError,
    StepNotRunningError,
    StepNotStartedError,
    StepOutOfRangeError,
    StoreFullError,
    UnknownWorkflowError,
)
from progress_sse.streaming.event_stream import MEDIA_TYPE as EVENT_STREAM

UNCACHED: Final = ("Cache-Control", "Vary")
"""Headers of what no cache gives to anybody else."""


class Answer(NamedTuple):
    """A way to answer that is no problem.

    Attributes:
        description: When, or what, in a sentence.
        model: What is in it, for JSON; of an event stream each event.
        media_types: What it may be written as; nothing if there is no body.
        headers: Its headers, by their names in ``document``.
        links: What may be done next with the session that it names, by the names in ``document``.
    """

    description: str
    model: type[BaseModel] | None = None
    media_types: tuple[str, ...] = ("application/json",)
    headers: tuple[str, ...] = UNCACHED
    links: tuple[str, ...] = ()


class Operation(NamedTuple):
    """What an endpoint takes and answers.

    Attributes:
        summary: What it does, in a few words.
        tag: What it belongs to.
        answers: What it answers, by status.
        problems: How it may refuse, beyond what follows from its other properties.
        action: What a request needs the right to.
        credentials: What may bring that right, or is needed in itself where there is no action.
        parameters: What it takes in query and headers, by their names in ``document``.
        body: What it takes as JSON.
    """

    summary: str
    tag: str
    answers: Mapping[int, Answer]
    problems: tuple[type[ProblemError], ...] = ()
    action: Action | None = None
    credentials: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    body: type[BaseModel] | None = None


TOKEN: Final = ("bearer", "cookie")
TOKEN_OR_TICKET: Final = ("bearer", "ticket", "cookie")
WRITING: Final = (OutcomeUnknownError, StoreFullError)
CONDITIONAL_WRITING: Final = (PreconditionFailedError, *WRITING)
PRECONDITIONS: Final = ("IfMatch", "IfNoneMatch")
CACHED: Final = ("ETag", *UNCACHED)
CREATED: Final = ("Progress-Run", *CACHED)
LINKS: Final = ("getSession", "reportUpdate", "followSession", "createSession", "deleteSession")
STREAMED: Final = (*UNCACHED, "X-Accel-Buffering")

NOTHING_MORE: Final = Answer("Completed, and all delivered to who brings this `Last-Event-ID`.", None, (), STREAMED)
STREAM: Final = Answer(
    "The stream. Where there is no room it holds a long `retry` and nothing else.",
    response_models.StreamEvent,
    (EVENT_STREAM,),
    STREAMED,
)
PAGE: Final = Answer("The page.", None, ("text/html",), ("Cache-Control",))

OPERATIONS: Final[Mapping[str, Operation]] = {
    "getSession": Operation(
        "Show a session as it is now",
        "sessions",
        {
            200: Answer("The session, or that there is none.", response_models.Session, headers=CACHED),
            304: Answer("It still is as `If-None-Match` says.", None, (), CACHED),
        },
        (PreconditionFailedError,),
        action="read",
        credentials=TOKEN,
        parameters=PRECONDITIONS,
    ),
    "reportUpdate": Operation(
        "Report that a step starts, advances or completes",
        "sessions",
        {
            200: Answer(
                "It was applied: now, or before under the same key.",
                response_models.Applied,
                links=(*LINKS, "completeStep"),
            )
        },
        (
            SessionNotFoundError,
            StepNotStartedError,
            StepNotRunningError,
            OtherRunError,
            StepOutOfRangeError,
            *CONDITIONAL_WRITING,
        ),
        action="publish",
        credentials=TOKEN,
        parameters=("IdempotencyKey", "ProgressRun", *PRECONDITIONS),
        body=UpdateBody,
    ),
    "reportUpdates": Operation(
        "Report several updates, of one session or of several",
        "sessions",
        {200: Answer("What became of each; those of one session in their order.", response_models.UpdateResults)},
        action="publish",
        credentials=TOKEN,
        body=BatchBody,
    ),
    "followSession": Operation(
        "Follow a session live",
        "streams",
        {200: STREAM, 204: NOTHING_MORE},
        (InvalidRequestError,),
        action="read",
        credentials=TOKEN_OR_TICKET,
        parameters=("LastEventId", "LastEventIdInQuery", "Heartbeat"),
    ),
    "followSessions": Operation(
        "Follow several sessions on one stream",
        "streams",
        {200: STREAM, 204: NOTHING_MORE},
        (InvalidRequestError, InvalidSessionIdError),
        action="read",
        credentials=TOKEN_OR_TICKET,
        parameters=("SessionIds", "LastEventId", "LastEventIdInQuery", "Heartbeat"),
    ),
    "createSession": Operation(
        "Create a session",
        "sessions",
        {
            201: Answer(
                "The session as it was created: now, or before under the same key.",
                response_models.Session,
                headers=CREATED,
                links=LINKS,
            ),
            200: Answer("The same, and it took an earlier one's place.", response_models.Session, headers=CREATED),
        },
        (SessionExistsError, UnknownWorkflowError, *CONDITIONAL_WRITING),
        action="publish",
        credentials=TOKEN,
        parameters=("Replace", "IdempotencyKey", *PRECONDITIONS),
        body=CreateBody,
    ),
    "createUnnamedSession": Operation(
        "Create a session under an id that cannot be guessed",
        "sessions",
        {
            201: Answer(
                "The session that was created. Asked again, it is another: who may have to retry creates by PUT.",
                response_models.Session,
                headers=("Location", *CREATED),
                links=LINKS,
            )
        },
        (UnknownWorkflowError, *WRITING),
        action="publish",
        credentials=TOKEN,
        body=CreateBody,
    ),
    "deleteSession": Operation(
        "Delete a session",
        "sessions",
        {204: Answer("It is gone.", None, ())},
        (SessionNotFoundError, *CONDITIONAL_WRITING),
        action="publish",
        credentials=TOKEN,
        parameters=PRECONDITIONS,
    ),
    "listSessions": Operation(
        "List all sessions, newest first",
        "sessions",
        {200: Answer("A page of them.", response_models.SessionList)},
        (InvalidRequestError,),
        action="list",
        credentials=TOKEN,
        parameters=("Status", "Limit", "After"),
    ),
    "listSteps": Operation(
        "List the steps of a workflow",
        "sessions",
        {200: Answer("Its steps.", response_models.StepDefinitions)},
        (InvalidRequestError, UnknownWorkflowError),
        parameters=("Workflow",),
    ),
    "keepToken": Operation(
        "Let the browser keep the token in a cookie",
        "access",
        {204: Answer("The cookie is set.", None, (), ("Set-Cookie", *UNCACHED))},
        (PathNotFoundError, RateExceededError),
        credentials=("bearer",),
    ),
    "dropToken": Operation(
        "Let the browser forget the cookie",
        "access",
        {204: Answer("The cookie is taken back.", None, (), ("Set-Cookie", *UNCACHED))},
    ),
    "issueTicket": Operation(
        "Exchange a token for a ticket that opens one stream",
        "access",
        {201: Answer("The ticket.", response_models.Ticket)},
        (PathNotFoundError, RateExceededError),
        credentials=TOKEN,
    ),
    "getLiveness": Operation(
        "Tell whether the process works",
        "operation",
        {
            200: Answer("It does.", response_models.Health),
            503: Answer("Only another one would.", response_models.Health),
        },
    ),
    "getReadiness": Operation(
        "Tell whether the server may be sent work",
        "operation",
        {200: Answer("It may.", response_models.Health), 503: Answer("Not now.", response_models.Health)},
    ),
    "getMetrics": Operation(
        "Tell what the server does, for Prometheus",
        "operation",
        {200: Answer("All metrics.", None, ("text/plain", "application/openmetrics-text"))},
        (PathNotFoundError,),
        action="list",
        credentials=TOKEN,
    ),
    "getDescription": Operation(
        "Describe all this",
        "operation",
        {200: Answer("An OpenAPI document.", response_models.Description, headers=("Cache-Control",))},
    ),
    "getPage": Operation("Show the page", "pages", {200: PAGE}),
    "getSessionPage": Operation("Show the page of a session", "pages", {200: PAGE}),
    "getBrowserFile": Operation(
        "Load a browser file",
        "pages",
        {
            200: Answer("The file.", None, ("text/*",), ("Cache-Control",)),
            304: Answer("The browser has it.", None, (), ("Cache-Control",)),
        },
        (PathNotFoundError,),
    ),
}
