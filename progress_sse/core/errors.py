"""The errors: who is at fault, and how each is answered.

::

    ProgressError
    ├── ConfigurationError      the operator's: the server does not start
    │   └── StoreRefusedError   … because its store cannot be used as it is
    ├── ConflictError           no one's: the session moved on, decide again
    ├── SignSeenError           no one's: the worker is not silent after all
    ├── ReportError             a worker's: its reports did not arrive; see ``client.errors``
    ├── NotAllowedError         a reader's: the server refuses to show the session; see ``cli.responses``
    └── ProblemError            a request's: a class for each problem type, with its HTTP status [RFC 9457]

The text of a `ProblemError` goes to the client as ``detail``: it names fields and rules, and never repeats what was
sent.
"""

from collections.abc import Mapping
from typing import ClassVar, Final

CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="progress"'}
"""The header that each 401 needs [RFC 9110 §11.6.1]."""

RETRY: Final = {"Retry-After": "2"}
"""Seconds after which a request that failed for a passing reason is worth repeating."""

RETRY_SOON: Final = {"Retry-After": "1"}
"""The same, where the reason is another request that is still under way."""

CLOSE: Final = {"Connection": "close"}
"""Sent where the rest of a request may still arrive; the server does not wait for it."""


class ProgressError(Exception):
    """Base of every error that this package raises on purpose."""


class ConfigurationError(ProgressError):
    """Raised when the settings cannot work; its text is one sentence for the operator."""


class StoreRefusedError(ConfigurationError):
    """Raised on opening a store that is damaged, of another application or version, or in use by another process."""


class ConflictError(ProgressError):
    """Raised by a backend's commit when the session is no longer where the change expects it."""


class SignSeenError(ProgressError):
    """Raised by a backend's commit when a worker that counts as silent has given a sign meanwhile."""


class ProblemError(ProgressError):
    """Base of the errors that a client gets as ``application/problem+json``.

    Attributes:
        status: The HTTP status to answer with.
        problem: Last segment of the problem type ``/problems/<problem>``.
        title: The problem in a few words, the same each time.
        fixed_headers: Headers of every response of the kind.
        headers: Headers of this response.
    """

    status: ClassVar[int]
    problem: ClassVar[str]
    title: ClassVar[str]
    fixed_headers: ClassVar[Mapping[str, str]] = {}

    def __init__(self, detail: str = "", *, headers: Mapping[str, str] | None = None) -> None:
        """Take one sentence on what is wrong; `headers` are added to the response."""
        super().__init__(detail or self.title)
        self.headers = {**self.fixed_headers, **(headers or {})}


class MalformedBodyError(ProblemError):
    """Raised when a body is not JSON by RFC 8259 in UTF-8, or has a key twice."""

    status, problem, title = 400, "malformed-body", "The body is not valid JSON."


class InvalidKeyError(ProblemError):
    """Raised for an `Idempotency-Key` that is empty, over 255 characters or not printable ASCII."""

    status, problem, title = 400, "invalid-idempotency-key", "The Idempotency-Key cannot be used."


class UnauthorizedError(ProblemError):
    """Raised when a request that needs a token has none, or one that is not valid for any reason."""

    status, problem, title = 401, "unauthorized", "A bearer token is needed."
    fixed_headers = CHALLENGE


class ForbiddenError(ProblemError):
    """Raised when the caller may not do that, or not to that session, whether the session exists or not."""

    status, problem, title = 403, "forbidden", "The token does not allow this."


class PathNotFoundError(ProblemError):
    """Raised when no route has the requested path."""

    status, problem, title = 404, "not-found", "There is nothing at this path."


class SessionNotFoundError(ProblemError):
    """Raised when a command needs a session that does not exist."""

    status, problem, title = 404, "session-not-found", "There is no such session."


class RequestNotFoundError(ProblemError):
    """Raised when the session does not remember a reader's request of that id."""

    status, problem, title = 404, "request-not-found", "The session has no request of that id."


class HookNotFoundError(ProblemError):
    """Raised when the server has no hook of that name."""

    status, problem, title = 404, "hook-not-found", "There is no such hook."


class MethodNotAllowedError(ProblemError):
    """Raised when a path does not take this method; `Allow` lists those that it takes."""

    status, problem, title = 405, "method-not-allowed", "The path does not take this method."


class SessionExistsError(ProblemError):
    """Raised when a session is to be created and one of that id exists."""

    status, problem, title = 409, "session-exists", "There is a session of that id already."


class StepNotStartedError(ProblemError):
    """Raised when a step that was never started is completed or reported on."""

    status, problem, title = 409, "step-not-started", "The step was not started."


class StepNotRunningError(ProblemError):
    """Raised when progress is reported inside a step that has ended."""

    status, problem, title = 409, "step-not-running", "The step is not running."


class StepStartedError(ProblemError):
    """Raised when a step is to be skipped that runs or has succeeded."""

    status, problem, title = 409, "step-started", "The step runs, or has succeeded."


class StepRunningError(ProblemError):
    """Raised when an attempt is to finish a session in which a step runs under another attempt."""

    status, problem, title = 409, "step-running", "A step runs under another attempt."


class StepHasPartsError(ProblemError):
    """Raised when progress is reported for a step whose progress is that of its parts."""

    status, problem, title = 409, "step-has-parts", "The progress of the step is that of its parts."


class StepsFixedError(ProblemError):
    """Raised when steps are to be added to a session that is not open-ended."""

    status, problem, title = 409, "steps-are-fixed", "The session is not open-ended, so its steps are fixed."


class AttemptSupersededError(ProblemError):
    """Raised when an update bears the id of an attempt that a later one has replaced."""

    status, problem, title = 409, "attempt-superseded", "A later attempt has replaced this one."


class SessionCancelledError(ProblemError):
    """Raised when a session is to go on that was cancelled before a step was started."""

    status, problem, title = 409, "session-cancelled", "The session was cancelled before it was started."


class RequestNotAcceptedError(ProblemError):
    """Raised when a reader asks for what the session does not list in `accepts`."""

    status, problem, title = 409, "request-not-accepted", "The session does not accept requests of this kind."


class RequestOutOfTimeError(ProblemError):
    """Raised when a session is to be cancelled that is over, or to be tried again that has not failed."""

    status, problem, title = 409, "request-out-of-time", "The session is in no state for this request."


class TooManySubscriptionsError(ProblemError):
    """Raised when a browser is to be notified of a session that has too many of them, or of the same reader."""

    status, problem, title = 409, "too-many-subscriptions", "The session has too many subscriptions to push."


class RequestSettledError(ProblemError):
    """Raised when a request is answered that was settled before, and otherwise."""

    status, problem, title = 409, "request-settled", "The request has its final answer already."


class KeyInUseError(ProblemError):
    """Raised when the first request with an `Idempotency-Key` is still under way."""

    status, problem, title = 409, "idempotency-key-in-use", "A request with this Idempotency-Key is under way."
    fixed_headers = RETRY_SOON


class OtherRunError(ProblemError):
    """Raised when an update names a run, and the session of that id is another run."""

    status, problem, title = 412, "other-run", "The session of that id is another run."


class PreconditionFailedError(ProblemError):
    """Raised when a session is not as `If-Match` demands, or is as `If-None-Match` rules out."""

    status, problem, title = 412, "precondition-failed", "The session is not as the request demands."


class MalformedRequestError(ProblemError):
    """Raised when a request is not HTTP/1.1."""

    status, problem, title = 400, "malformed-request", "The request is not valid HTTP."
    fixed_headers = CLOSE


class RequestTimeoutError(ProblemError):
    """Raised when a request is not complete within `head_timeout_s`, or its body within `body_timeout_s`."""

    status, problem, title = 408, "request-timeout", "The request did not come in time."
    fixed_headers = CLOSE


class BodyTooLargeError(ProblemError):
    """Raised when a body is larger than `max_body_bytes`."""

    status, problem, title = 413, "body-too-large", "The body is too large."
    fixed_headers = CLOSE


class UrlTooLongError(ProblemError):
    """Raised when a request's target is longer than 32 KiB."""

    status, problem, title = 414, "url-too-long", "The URL is too long."
    fixed_headers = CLOSE


class RateExceededError(ProblemError):
    """Raised when a caller asks more often than `publish_rate` or `read_rate` allow, or than hooks are tested."""

    status, problem, title = 429, "rate-exceeded", "That is more often than is allowed."

    def __init__(self, retry_after_s: int = 1) -> None:
        """Ask the client to wait for `retry_after_s` seconds."""
        super().__init__(headers={"Retry-After": str(retry_after_s)})


class HeadTooLargeError(ProblemError):
    """Raised when a request's head has more than 64 KiB or 100 fields."""

    status, problem, title = 431, "head-too-large", "The head of the request is too large."
    fixed_headers = CLOSE


class OverloadedError(ProblemError):
    """Raised at the limit of connections, if none is idle; and of streams, for a client that takes text."""

    status, problem, title = 503, "overloaded", "The server has no room for a further connection."
    fixed_headers = CLOSE | RETRY


class UnsupportedMediaError(ProblemError):
    """Raised when a body is not declared as plain JSON in UTF-8."""

    status, problem, title = 415, "unsupported-media-type", "The body must be application/json in UTF-8."


class MisdirectedRequestError(ProblemError):
    """Raised for a host name that is not this machine's, where the server needs no token from this machine."""

    status, problem, title = 421, "misdirected-request", "Without tokens the server does not answer to this name."


class InvalidRequestError(ProblemError):
    """Raised when a request is well-formed but the protocol does not allow its content."""

    status, problem, title = 422, "invalid-request", "The request is not valid."


class InvalidSessionIdError(InvalidRequestError):
    """Raised for a session id that is empty or too long, or has a slash or an invisible character."""

    problem, title = "invalid-session-id", "The session id is not valid."


class UnknownWorkflowError(InvalidRequestError):
    """Raised when no workflow has the name that was asked for."""

    problem, title = "unknown-workflow", "There is no such workflow."


class StepOutOfRangeError(InvalidRequestError):
    """Raised when a step number lies outside 1…`total_steps`."""

    problem, title = "step-out-of-range", "The session has no step of that number."


class UnknownStepNameError(InvalidRequestError):
    """Raised when the session has no step of a name."""

    problem, title = "unknown-step-name", "The session has no step of that name."


class TooManyStepsError(InvalidRequestError):
    """Raised when a session would get more than `max_total_steps` steps."""

    problem, title = "too-many-steps", "The session would have more steps than the server allows."


class TooManyPartsError(InvalidRequestError):
    """Raised when a step or a session would get more parts than it can have."""

    problem, title = "too-many-parts", "The step or the session would have too many parts."


class TooMuchError(InvalidRequestError):
    """Raised when a session's title, labels, links and accepted requests together are more than 4096 bytes of JSON."""

    problem, title = "too-much", "Title, labels, links and accepts are more than 4096 bytes of JSON together."


class KeyReusedError(ProblemError):
    """Raised when an `Idempotency-Key` comes back with another request."""

    status, problem, title = 422, "idempotency-key-reused", "This Idempotency-Key was used for another request."


class InternalError(ProblemError):
    """Never raised: an unforeseen exception is reported as this."""

    status, problem, title = 500, "internal-error", "The server failed."


class StoreUnavailableError(ProblemError):
    """Raised when the store did not accept a change or a query, and nothing was changed."""

    status, problem, title = 503, "store-unavailable", "The store does not answer."
    fixed_headers = RETRY


class OutcomeUnknownError(StoreUnavailableError):
    """Raised when the store failed and it is unknown whether the change was applied."""

    problem, title = "outcome-unknown", "The store failed, and whether the change was applied is not known."


class StoreFullError(ProblemError):
    """Raised when the store has no room for another session, or its disk is full."""

    status, problem, title = 507, "store-full", "The store is full."
