"""The responses of the server as models, for the description in ``document`` and for tests that check a response.

No response is made from these: ``wire`` encodes each from the data itself, once for all clients; tests show that both
agree. The server imports this module only to make the description.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, RootModel
from pydantic.json_schema import SkipJsonSchema

from progress_sse.core import details, model, updates
from progress_sse.core.commands import Command, Create
from progress_sse.core.log_lines import MAX_READ_LINES, LogLevel
from progress_sse.core.model import MAX_SESSION_ID_CHARS, SessionStatus
from progress_sse.core.parts import MAX_LISTED_PARTS, MAX_PART_CHARS, MAX_PARTS, PartStatus
from progress_sse.core.state_machine import apply
from progress_sse.wire.session_json import encode_absent, encode_session

Natural = Annotated[int, Field(strict=True, ge=0)]
StepNumber = Annotated[int, Field(strict=True, ge=1)]
SessionId = Annotated[str, Field(min_length=1, max_length=MAX_SESSION_ID_CHARS)]


class ResponseModel(BaseModel):
    """Has exactly the declared keys."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Advance(ResponseModel):
    """How far a running step is."""

    current: Natural
    total: Natural | None
    """`null` where it is unknown."""


class Part(ResponseModel):
    """A part of a step that many workers do at once."""

    part: Annotated[str, Field(min_length=1, max_length=MAX_PART_CHARS)]
    """The name that its worker gave it."""
    status: PartStatus
    progress: Advance | SkipJsonSchema[None] = None
    """Present where its last report says how far it is."""
    message: Annotated[str, Field(min_length=1)] | SkipJsonSchema[None] = None
    error: Annotated[str, Field(min_length=1)] | SkipJsonSchema[None] = None
    elapsed_ms: Natural
    """Milliseconds from its first report to its end; 0 while it runs."""


class Parts(ResponseModel):
    """The parts of a step that many workers do at once."""

    total: Annotated[int, Field(ge=1, le=MAX_PARTS)] | None
    """How many there will be; `null` where that is unknown."""
    running: Natural
    success: Natural
    error: Natural
    listed: Annotated[list[Part], Field(max_length=MAX_LISTED_PARTS)]
    """The failed ones first, then the running ones, then those that ended last."""


class Liveness(ResponseModel):
    """Whether the worker of a running step gives the signs of life that it promised."""

    state: Literal["live", "stalled"]
    since: AwareDatetime
    """The first sign of those without a gap; where it is stalled, the last sign."""


class Link(ResponseModel):
    """A link for readers: http, https, or a path of this host."""

    label: str
    url: str


class FinishAt(ResponseModel):
    """When a session will end, by the clock of the server."""

    p50: AwareDatetime
    """In half of all cases before this."""
    p90: AwareDatetime
    """In nine of ten cases before this; the same as `p50` where only declarations are known."""


class SessionTime(ResponseModel):
    """How far a session is by time, and when it will end."""

    percentage: Annotated[int, Field(ge=0, le=100)]
    """Of the time that it takes as a whole; 100 once it is completed, and not before."""
    finish_at: FinishAt | None
    """`null` before it is started, once it has ended, and where its end is not known."""
    basis: Literal["declared", "rate", "history"]
    """What is known of the time that is left, at best."""
    runs: Natural
    """How many earlier runs of its profile were learned from."""


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
    attempt: StepNumber | SkipJsonSchema[None] = None
    """Which attempt it is, counted from the first start with an `attempt_id`; present from then on."""
    estimated_ms: Natural | SkipJsonSchema[None] = None
    """Milliseconds that it takes, as its definition says; present where the time of the session is worked out."""
    liveness: Liveness | SkipJsonSchema[None] = None
    """Present only while the step runs, if its worker promised signs of life."""
    conclusion: Literal["skipped", "cancelled", "lost"] | SkipJsonSchema[None] = None
    """What ended it, beyond its status: present if it was skipped, cancelled, or given up for lack of reports."""
    parts: Parts | SkipJsonSchema[None] = None
    """Present if workers do it in parts."""


class PendingStep(ResponseModel):
    """A step that was not started yet."""

    step: StepNumber
    name: str
    status: Literal["pending"]
    elapsed_ms: Literal[0]
    timeout_ms: Natural | None
    estimated_ms: Natural | SkipJsonSchema[None] = None
    """Milliseconds that it takes, as its definition says; present where the time of the session is worked out."""


class Step(RootModel[Any]):
    """A step of a session."""

    root: Annotated[StartedStep | PendingStep, Field(discriminator="status")]


class SessionRequest(ResponseModel):
    """What a reader asked of the worker of a session; each reader of the session sees it."""

    id: Annotated[str, Field(min_length=1)]
    kind: Literal["cancel", "retry"]
    step: StepNumber | None
    """The step that it is about; `null`: the session."""
    state: Literal["asked", "seen", "honoured", "declined", "too_late"]
    """Only ever moves on, from `asked`, maybe over `seen`, to one of the others."""
    asked_at: AwareDatetime
    reason: str | SkipJsonSchema[None] = None
    """Why it was asked, if a reason was given."""
    message: str | SkipJsonSchema[None] = None
    """What the worker answered, if it gave a text."""


class Details(ResponseModel):
    """What is known of a session besides its steps; each key is present only where a worker used it.

    Each reader of the session sees it.
    """

    title: str | SkipJsonSchema[None] = None
    """Its name for people."""
    labels: dict[str, str] | SkipJsonSchema[None] = None
    """Texts by which it is found."""
    links: list[Link] | SkipJsonSchema[None] = None
    """Its results, and pages about it."""
    open_ended: Literal[True] | SkipJsonSchema[None] = None
    """Steps are added while it runs, and only `finish` completes it."""
    error: str | SkipJsonSchema[None] = None
    """Why it failed, where it was finished as a whole."""
    conclusion: Literal["cancelled", "lost"] | SkipJsonSchema[None] = None
    """What ended it, beyond its status."""
    time: SessionTime | SkipJsonSchema[None] = None
    """How far it is by time, and when it will end: present only while that is known of each step that is left."""
    accepts: list[Literal["cancel", "retry"]] | SkipJsonSchema[None] = None
    """What readers may ask of its worker."""
    requests: list[SessionRequest] | SkipJsonSchema[None] = None
    """What they asked, the newest first; the newest ten are kept."""
    log: Literal[True] | SkipJsonSchema[None] = None
    """Its worker has written lines into its log."""
    gone: Literal[True] | SkipJsonSchema[None] = None
    """It does not exist, and existed within the last day."""


class SessionSummary(Details):
    """A session without its steps."""

    session_id: SessionId
    current_step: Natural
    """The step that was started last; 0 before the first."""
    total_steps: Natural
    status: SessionStatus
    percentage: Annotated[int, Field(ge=0, le=100)]
    estimated_remaining_ms: Natural
    """Milliseconds that the steps after the current one are expected to take."""


class ListedSession(SessionSummary):
    """A session in a list, which does not show what readers asked."""

    steps_done: Annotated[float, Field(ge=0)] | SkipJsonSchema[None] = None
    """How many steps are done, those that run as far as reported; present only where a step failed."""
    created_at: AwareDatetime
    updated_at: AwareDatetime
    liveness: Liveness | SkipJsonSchema[None] = None
    """Of a stalled step, else of a running one that has it."""
    idle_since: AwareDatetime | SkipJsonSchema[None] = None
    """When its last step ended; present only while it is running and none of its steps is."""


def _example(session_id: str, *commands: tuple[float, Command]) -> Any:
    """Return a session as polling shows it, after commands, each so many seconds after the first."""
    began = datetime(2026, 1, 31, 9, 30, 0, 123456, UTC)
    session = None
    for after_s, command in commands:
        session = apply(session_id, session, command, began + timedelta(seconds=after_s)).session
    return json.loads(encode_absent(session_id) if session is None else encode_session(session))


_STEPS = (model.StepDefinition("Download"), model.StepDefinition("Import", estimated_ms=60000))
_LINKS = (details.Link("Report", "/reports/1"),)
_ATTEMPT = updates.Envelope(details.Claim("f3b1", None, None))
_EXAMPLES = [
    _example(
        "nightly",
        (0, Create(_STEPS, is_timed=True)),
        (0, updates.Start(1)),
        (10, updates.Advance(1, 3120, 8000, "reading")),
    ),
    _example(
        "crawl",
        (0, Create((), title="Crawl", labels={"customer": "acme"}, links=_LINKS, open_ended=True)),
        (0, updates.Start("https://example.org", envelope=_ATTEMPT)),
        (2.5, updates.Finish(False, "stopped by hand", conclusion="cancelled")),
    ),
    _example("weekly"),
]


class Session(Details):
    """A session as polling shows it; `not_found`, without steps, where it does not exist."""

    model_config = ConfigDict(json_schema_extra={"examples": _EXAMPLES})

    session_id: SessionId
    current_step: Natural
    total_steps: Natural
    status: Literal["pending", "running", "completed", "error", "not_found"]
    steps: list[Step]
    """One for each number from 1 to `total_steps`, in order."""
    percentage: Annotated[int, Field(ge=0, le=100)]
    estimated_remaining_ms: Natural


class SessionList(ResponseModel):
    """A page of a list of sessions, newest first."""

    sessions: list[ListedSession]
    next: str | None
    """The value of `after` for the next page; `null` on the last page."""


class PartList(ResponseModel):
    """All parts of a step, in the order of their first report."""

    parts: Annotated[list[Part], Field(max_length=MAX_PARTS)]
    next: None
    """Always `null`: a page has room for all of them."""


class LogLine(ResponseModel):
    """A line of the log of a session."""

    n: StepNumber
    """Its number, counted from 1 within the `life`."""
    at: AwareDatetime
    """When it was written."""
    step: StepNumber | None
    """The step that it is about; `null`: the session."""
    level: LogLevel
    text: str
    """Without line ends."""


class LogLines(ResponseModel):
    """Lines of the log of a session, in order."""

    life: Annotated[str, Field(min_length=1)]
    """Lines of another life are forgotten: their numbers were counted anew, or some were lost."""
    lines: Annotated[list[LogLine], Field(max_length=MAX_READ_LINES)]
    first: StepNumber
    """The number of the oldest line that is kept; where none is, that of the next line."""
    next: Natural
    """The value of `after` for the lines that come then."""


class LearnedDuration(ResponseModel):
    """What a step took in earlier runs of a profile."""

    runs: StepNumber
    """How many runs taught it."""
    p50_ms: Natural
    """Milliseconds that half of all runs took at most."""
    p90_ms: Natural
    """Milliseconds that nine of ten runs took at most."""


class StepDefinition(ResponseModel):
    """The definition of a step, known before it starts."""

    step: StepNumber
    name: str
    timeout_ms: Natural | None
    estimated_ms: Natural
    learned: LearnedDuration | SkipJsonSchema[None] = None
    """Present where enough runs of the workflow, or of the session's profile, have taught it."""


class StepDefinitions(ResponseModel):
    """The steps of a workflow or session; none where the session does not exist."""

    total_steps: Natural
    steps: list[StepDefinition]


class LearnedStep(ResponseModel):
    """A step that enough runs of a profile have taught."""

    name: str
    learned: LearnedDuration


class LearnedSteps(ResponseModel):
    """What is known of the steps of a profile, by their names."""

    runs: Natural
    """How many runs were learned from."""
    steps: list[LearnedStep]


class Steps(RootModel[StepDefinitions | LearnedSteps]):
    """The steps of a workflow or session, or of a profile."""


class AskedRequest(ResponseModel):
    """A request that no worker has answered yet."""

    id: Annotated[str, Field(min_length=1)]
    kind: Literal["cancel", "retry"]
    step: StepNumber | None


class Asked(ResponseModel):
    """What readers ask of the worker, and what the server did not understand."""

    requests: Annotated[list[AskedRequest], Field(min_length=1)] | SkipJsonSchema[None] = None
    """Present only while there are such requests."""

    ignored: Annotated[list[str], Field(min_length=1, max_length=10)] | SkipJsonSchema[None] = None
    """Keys that the update should not have, at most ten, each cut to 64 characters."""


class Applied(Asked):
    """An update was applied."""

    success: Literal[True]
    session_id: SessionId


class OpenRequest(SessionRequest):
    """A request that is not settled yet."""

    state: Literal["asked", "seen"]


class OpenRequests(ResponseModel):
    """The requests of a session that are not settled yet, the newest first."""

    requests: list[OpenRequest]


class RequestOfSession(OpenRequest):
    """A request of one of several sessions."""

    session_id: SessionId


class RequestsOfSessions(ResponseModel):
    """The requests of several sessions that are not settled yet."""

    requests: list[RequestOfSession]


class Problem(ResponseModel):
    """Why a request was refused [RFC 9457]."""

    type: str
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    success: Literal[False]


class Accepted(Asked):
    """One of several updates was applied."""

    status: Literal[200]


class UpdateResult(RootModel[Accepted | Problem]):
    """The result of one of several updates."""


class UpdateResults(ResponseModel):
    """The result of each of several updates, in their order."""

    results: list[UpdateResult]


class Ticket(ResponseModel):
    """A ticket, which opens one stream, once."""

    ticket: str
    expires_in: Natural
    """Seconds within which it must be used."""


class About(ResponseModel):
    """Which server this is."""

    name: Literal["progress_sse"]
    version: str
    """The number, and behind a plus sign the state of the sources [PEP 440]."""
    description: Literal["openapi.json"]
    """The address of the API's description, relative to that of this answer."""


class PushOffer(ResponseModel):
    """What a browser subscribes to."""

    key: str
    """The server's public key, as base64url: the `applicationServerKey`."""


class PushSubscribed(ResponseModel):
    """A browser that is notified."""

    id: str
    """What the subscription is found and ended by."""


class HookAnswer(ResponseModel):
    """What a request to a hook came to: either `status` or `error`."""

    status: Natural | SkipJsonSchema[None] = None
    error: str | SkipJsonSchema[None] = None
    """Why there was no answer."""
    duration_ms: Natural


class HookTry(HookAnswer):
    """A try of the answering server to send a notice."""

    at: AwareDatetime
    id: str
    """The `webhook-id` of the notice."""


class HookReport(ResponseModel):
    """A hook; `delivered`, `failed`, `last_success` and `tries` are those of the answering server since its start."""

    name: str
    origin: str
    """Scheme, host and port of its URL."""
    state: Literal["up", "down", "off"]
    """`down`: its last eight tries found it away; `off`: it answered 410."""
    waiting: Natural
    dead: Natural
    """Notices in the store that are no longer tried."""
    delivered: Natural
    failed: Natural
    last_success: AwareDatetime | None
    tries: Annotated[list[HookTry], Field(max_length=50)]
    """The newest first."""


class Hooks(ResponseModel):
    """The addresses that are notified."""

    hooks: list[HookReport]


class HookTest(HookAnswer):
    """The result of a test."""

    body: Annotated[str, Field(max_length=1024)]
    """The beginning of the receiver's answer."""


class Retried(ResponseModel):
    """How many dead notices wait again."""

    retried: Natural


class Health(ResponseModel):
    """Whether the server works."""

    status: str


class Description(BaseModel):
    """An OpenAPI document."""

    openapi: str
    info: dict[str, Any]
    paths: dict[str, Any]
