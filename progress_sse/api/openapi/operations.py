"""The parameters, bodies and responses of each operation, which other modules cannot derive from the routes.

A new route needs an entry here, under its operation id; a test names entries that are missing, and those without a
route.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from pydantic import BaseModel

from progress_sse.api.openapi import response_models as models
from progress_sse.api.openapi.stream_models import StreamEvent
from progress_sse.api.session_models import CreateBody, HookTestBody, PushBody, RequestBody, RetryBody
from progress_sse.api.update_models import BatchBody, UpdateBody
from progress_sse.auth.grants import Action
from progress_sse.core import errors
from progress_sse.streaming.stream_format import EVENTS as EVENT_STREAM
from progress_sse.streaming.stream_format import TEXT

JSON_OR_TEXT: Final = ("application/json", TEXT)
UNCACHED: Final = ("Cache-Control", "Vary")
"""Headers of responses that no cache may give to another client."""


class ResponseSpec(NamedTuple):
    """A response that is not a problem.

    Attributes:
        description: Its meaning, in a sentence.
        model: The model of its JSON; of an event stream, the model of each event.
        media_types: The media types that it may have; none without a body.
        headers: Its headers, by their names in ``components``.
        links: Operations on the session that it names, by the names of their links in ``components``.
    """

    description: str
    model: type[BaseModel] | None = None
    media_types: tuple[str, ...] = ("application/json",)
    headers: tuple[str, ...] = UNCACHED
    links: tuple[str, ...] = ()


class Operation(NamedTuple):
    """The requests that an endpoint takes, and its responses.

    Attributes:
        summary: Its purpose, in a few words.
        responses: Its responses, by status.
        problems: Its problems, beyond those that its other attributes imply.
        action: The action that a request must be authorized for.
        credentials: Those of which it requires one, where it has no `action`, which implies them.
        parameters: Its parameters in query and headers, by their names in ``components``.
        body: The model of its JSON body.
        is_open: Whether some requests need no credentials, though others do.
    """

    summary: str
    responses: Mapping[int, ResponseSpec]
    problems: tuple[type[errors.ProblemError], ...] = ()
    action: Action | None = None
    credentials: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    body: type[BaseModel] | None = None
    is_open: bool = False


WRITING: Final = (errors.OutcomeUnknownError, errors.StoreFullError)
CONDITIONAL_WRITING: Final = (errors.PreconditionFailedError, *WRITING)
PRECONDITIONS: Final = ("IfMatch", "IfNoneMatch")
CACHED: Final = ("ETag", *UNCACHED)
POLLED: Final = ("Preference-Applied", *CACHED)
WAITED: Final = ("Preference-Applied", *UNCACHED)
CREATED: Final = ("Progress-Run", *CACHED)
LINKS: Final = ("getSession", "reportUpdate", "followSession", "createSession", "deleteSession")
STREAMED: Final = (*UNCACHED, "Incremental", "X-Accel-Buffering")
FOLLOWING: Final = ("LastEventId", "LastEventIdInQuery", "Heartbeat", "Log")

STREAM_END: Final = ResponseSpec("Completed; the client with this `Last-Event-ID` has every event.", None, (), STREAMED)
STREAM: Final = ResponseSpec(
    "The stream. If there is no room for it, it has only a long `retry`.", StreamEvent, (EVENT_STREAM,), STREAMED
)
STREAM_OR_TEXT: Final = STREAM._replace(
    description=f"{STREAM.description} Where `Accept` prefers text, a line for each change, until the session is over.",
    media_types=(EVENT_STREAM, TEXT),
)
KEEPING: Final = Operation(
    "Let the browser keep the token in a cookie",
    {204: ResponseSpec("The cookie is set.", None, (), ("Set-Cookie", *UNCACHED))},
    (errors.PathNotFoundError, errors.RateExceededError),
    credentials=("bearer",),
)
PAGE: Final = ResponseSpec("The page.", None, ("text/html",), ("Cache-Control",))

OPERATIONS: Final[Mapping[str, Operation]] = {
    "getSession": Operation(
        "Show a session as it is now",
        {
            200: ResponseSpec(
                "The session; `not_found` where it does not exist. Text where `Accept` prefers it.",
                models.Session,
                JSON_OR_TEXT,
                POLLED,
            ),
            304: ResponseSpec("The session is unchanged since the `ETag` in `If-None-Match`.", None, (), POLLED),
        },
        (errors.PreconditionFailedError,),
        action="read",
        parameters=(*PRECONDITIONS, "Prefer", "Link"),
    ),
    "reportUpdate": Operation(
        "Report on a step, or on the session as a whole",
        {
            200: ResponseSpec(
                "It was applied: now, or earlier under the same key.", models.Applied, links=(*LINKS, "completeStep")
            )
        },
        (
            errors.SessionNotFoundError,
            errors.StepNotStartedError,
            errors.StepNotRunningError,
            errors.StepHasPartsError,
            errors.StepStartedError,
            errors.StepRunningError,
            errors.StepsFixedError,
            errors.AttemptSupersededError,
            errors.SessionCancelledError,
            errors.RequestNotFoundError,
            errors.RequestSettledError,
            errors.OtherRunError,
            errors.StepOutOfRangeError,
            errors.UnknownStepNameError,
            errors.TooManyStepsError,
            errors.TooManyPartsError,
            errors.TooMuchError,
            *CONDITIONAL_WRITING,
        ),
        action="publish",
        parameters=("IdempotencyKey", "ProgressRun", *PRECONDITIONS),
        body=UpdateBody,
    ),
    "reportUpdates": Operation(
        "Report several updates, of one session or of several",
        {200: ResponseSpec("The results; updates of one session are applied in their order.", models.UpdateResults)},
        action="publish",
        body=BatchBody,
    ),
    "askWorker": Operation(
        "Ask something of the worker of a session",
        {
            202: ResponseSpec("The request: it was taken now, or earlier under the same key.", models.SessionRequest),
            200: ResponseSpec("A request of the kind that was not settled yet.", models.SessionRequest),
        },
        (
            errors.SessionNotFoundError,
            errors.RequestNotFoundError,
            errors.RequestNotAcceptedError,
            errors.RequestOutOfTimeError,
            errors.OtherRunError,
            errors.StepOutOfRangeError,
            *CONDITIONAL_WRITING,
        ),
        action="control",
        parameters=("IdempotencyKey", "ProgressRun", *PRECONDITIONS, "Link"),
        body=RequestBody,
    ),
    "listRequests": Operation(
        "List what readers ask of the worker of a session",
        {200: ResponseSpec("The requests that are not settled yet.", models.OpenRequests, headers=("Allow", *WAITED))},
        (errors.SessionNotFoundError,),
        action="read",
        parameters=("Prefer", "Link"),
    ),
    "listRequestsOfSessions": Operation(
        "List what readers ask of the workers of several sessions",
        {200: ResponseSpec("The requests that are not settled yet.", models.RequestsOfSessions, headers=WAITED)},
        (errors.InvalidRequestError, errors.InvalidSessionIdError),
        action="read",
        parameters=("SessionIds", "Prefer"),
    ),
    "followSession": Operation(
        "Follow a session live",
        {200: STREAM_OR_TEXT, 204: STREAM_END},
        (errors.InvalidRequestError, errors.OverloadedError),
        action="read",
        parameters=(*FOLLOWING, "Link"),
    ),
    "followSessions": Operation(
        "Follow several sessions, or a list of them, on one stream",
        {200: STREAM, 204: STREAM_END},
        (errors.InvalidRequestError, errors.InvalidSessionIdError),
        action="read",
        parameters=("SessionIdsUnlessList", "Prefix", "Labels", "Status", *FOLLOWING),
    ),
    "createSession": Operation(
        "Create a session",
        {
            201: ResponseSpec(
                "The session as it was created: now, or earlier under the same key.",
                models.Session,
                headers=CREATED,
                links=LINKS,
            ),
            200: ResponseSpec("The same, and it replaced an earlier session.", models.Session, headers=CREATED),
        },
        (errors.SessionExistsError, errors.UnknownWorkflowError, errors.TooMuchError, *CONDITIONAL_WRITING),
        action="publish",
        parameters=("Replace", "IdempotencyKey", *PRECONDITIONS),
        body=CreateBody,
    ),
    "createUnnamedSession": Operation(
        "Create a session under an id that cannot be guessed",
        {
            201: ResponseSpec(
                "The session that was created. A repeated request creates another; a client that retries uses PUT.",
                models.Session,
                headers=("Location", *CREATED),
                links=LINKS,
            )
        },
        (errors.UnknownWorkflowError, errors.TooMuchError, *WRITING),
        action="publish",
        body=CreateBody,
    ),
    "deleteSession": Operation(
        "Delete a session",
        {204: ResponseSpec("The session was deleted.", None, ())},
        (errors.SessionNotFoundError, *CONDITIONAL_WRITING),
        action="publish",
        parameters=PRECONDITIONS,
    ),
    "listSessions": Operation(
        "List sessions, newest first",
        {200: ResponseSpec("A page of sessions.", models.SessionList)},
        (errors.InvalidRequestError, errors.InvalidSessionIdError),
        action="list",
        parameters=("Prefix", "Labels", "Status", "Limit", "After"),
    ),
    "listParts": Operation(
        "List all parts of a step",
        {200: ResponseSpec("Its parts, in the order of their first report.", models.PartList)},
        (errors.InvalidRequestError, errors.SessionNotFoundError, errors.StepOutOfRangeError),
        action="read",
        parameters=("Step", "Link"),
    ),
    "listLogLines": Operation(
        "List lines of the log of a session",
        {200: ResponseSpec("Its lines, in order. Text where `Accept` prefers it.", models.LogLines, JSON_OR_TEXT)},
        (errors.InvalidRequestError, errors.SessionNotFoundError, errors.StepOutOfRangeError),
        action="read",
        parameters=("AfterLine", "StepOfLines", "MostLines", "Link"),
    ),
    "listSteps": Operation(
        "List the steps of a workflow; or those learned of a profile, with the right `read` to it",
        {200: ResponseSpec("Its steps; those of a profile as far as enough runs have taught them.", models.Steps)},
        (errors.InvalidRequestError, errors.InvalidSessionIdError, errors.UnknownWorkflowError),
        action="read",
        parameters=("Workflow", "ProfileInQuery"),
        is_open=True,
    ),
    "listStepsOfSession": Operation(
        "List the steps of a session",
        {200: ResponseSpec("Its steps, with what enough runs of its profile have taught.", models.StepDefinitions)},
        action="read",
        parameters=("Link",),
    ),
    "forgetLearned": Operation(
        "Forget what was learned of a profile, with the right to all sessions",
        {204: ResponseSpec("It is forgotten.", None, ())},
        (errors.InvalidSessionIdError, *WRITING),
        action="publish",
    ),
    "keepToken": KEEPING,
    "dropToken": Operation(
        "Let the browser forget the cookie",
        {204: ResponseSpec("The cookie is removed.", None, (), ("Set-Cookie", *UNCACHED))},
    ),
    "openLink": KEEPING._replace(summary="Let the browser keep the token of a link, for the paths of its session"),
    "issueTicket": Operation(
        "Exchange a token for a ticket that opens one stream",
        {201: ResponseSpec("The ticket.", models.Ticket)},
        (errors.PathNotFoundError, errors.RateExceededError),
        credentials=("bearer", "cookie"),
    ),
    "getVersion": Operation("Return the version of the server", {200: ResponseSpec("The version.", models.About)}),
    "getLiveness": Operation(
        "Return whether the process works",
        {200: ResponseSpec("It works.", models.Health), 503: ResponseSpec("It must be replaced.", models.Health)},
    ),
    "getPush": Operation(
        "Return the key that browsers subscribe to",
        {200: ResponseSpec("The key; 404 where push is off.", models.PushOffer)},
        (errors.PathNotFoundError,),
    ),
    "subscribe": Operation(
        "Notify a browser of the end of a session",
        {200: ResponseSpec("The subscription.", models.PushSubscribed)},
        (
            errors.PathNotFoundError,
            errors.SessionNotFoundError,
            errors.RequestOutOfTimeError,
            errors.TooManySubscriptionsError,
            *WRITING,
        ),
        action="read",
        parameters=("Link",),
        body=PushBody,
    ),
    "findSubscription": Operation(
        "Return whether a browser is notified",
        {204: ResponseSpec("It is.", None)},
        (errors.PathNotFoundError, errors.SessionNotFoundError),
        action="read",
        parameters=("Link",),
    ),
    "endSubscription": Operation(
        "Notify a browser no more",
        {204: ResponseSpec("It is notified no more.", None)},
        (errors.PathNotFoundError, errors.SessionNotFoundError, *WRITING),
        action="read",
        parameters=("Link",),
    ),
    "listHooks": Operation(
        "List the hooks, and the newest tries of this server to notify them",
        {200: ResponseSpec("The hooks, in the order of their file.", models.Hooks)},
        action="admin",
    ),
    "testHook": Operation(
        "Send a request of the type `session.test` to a hook",
        {200: ResponseSpec("What the receiver answered, or why it did not.", models.HookTest)},
        (errors.HookNotFoundError, errors.InvalidSessionIdError),
        action="admin",
        body=HookTestBody,
    ),
    "retryNotices": Operation(
        "Send dead notices of a hook again",
        {200: ResponseSpec("How many are sent again.", models.Retried)},
        (errors.HookNotFoundError, errors.InvalidSessionIdError, *WRITING),
        action="admin",
        body=RetryBody,
    ),
    "getReadiness": Operation(
        "Return whether the server is ready for requests",
        {200: ResponseSpec("It is ready.", models.Health), 503: ResponseSpec("It is not ready.", models.Health)},
    ),
    "getMetrics": Operation(
        "Return the metrics, for Prometheus",
        {200: ResponseSpec("All metrics.", None, ("text/plain", "application/openmetrics-text"))},
        (errors.PathNotFoundError,),
        action="list",
    ),
    "getDescription": Operation(
        "Describe the API",
        {200: ResponseSpec("An OpenAPI document.", models.Description, headers=("Cache-Control",))},
        (errors.InvalidRequestError,),
        parameters=("Version",),
    ),
    "getPage": Operation("Show the page that lists sessions", {200: PAGE}, (errors.RateExceededError,)),
    "getSessionPage": Operation("Show the page of a session", {200: PAGE}),
    "getPushWorker": Operation(
        "Load the service worker of push",
        {200: ResponseSpec("The script.", None, ("text/javascript",), ("Cache-Control",))},
        (errors.PathNotFoundError,),
    ),
    "getManifest": Operation(
        "Load the manifest of the pages",
        {200: ResponseSpec("The manifest.", None, ("application/manifest+json",), ("Cache-Control",))},
        (errors.PathNotFoundError,),
    ),
    "getBadge": Operation(
        "Show the badge of a session",
        {
            200: ResponseSpec("The picture.", None, ("image/svg+xml",), CACHED),
            304: ResponseSpec("The session is unchanged since the `ETag` in `If-None-Match`.", None, (), CACHED),
        },
        action="read",
        parameters=("IfNoneMatch",),
    ),
    "getBrowserFile": Operation(
        "Load a browser file",
        {
            200: ResponseSpec("The file.", None, ("text/*",), ("Cache-Control",)),
            304: ResponseSpec("The browser's copy is current.", None, (), ("Cache-Control",)),
        },
        (errors.PathNotFoundError,),
    ),
}

_TAGGED: Final = {
    "requests": ("askWorker", "listRequests", "listRequestsOfSessions"),
    "streams": ("followSession", "followSessions"),
    "access": ("keepToken", "dropToken", "openLink", "issueTicket"),
    "operation": ("getVersion", "getLiveness", "getReadiness", "getMetrics", "getDescription"),
    "push": ("getPush", "subscribe", "findSubscription", "endSubscription"),
    "hooks": ("listHooks", "testHook", "retryNotices"),
    "pages": ("getPage", "getSessionPage", "getPushWorker", "getManifest", "getBadge", "getBrowserFile"),
}

TAGS: Final = {name: tag for tag, names in _TAGGED.items() for name in names}
"""The tag of each operation; of all others it is `sessions`."""
