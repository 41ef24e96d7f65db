"""A report on its way to the server, and the answer that comes back. Pure."""

from typing import Final, NamedTuple

from progress_sse.client.reports import Report

TOO_MANY: Final = 429
_AWAY: Final = frozenset({0, 502, 503, 504})
_PASSING: Final = _AWAY | {TOO_MANY}
_KEY_IN_USE: Final = "idempotency-key-in-use"


class Request(NamedTuple):
    """A report on its way.

    Attributes:
        session_id: The session.
        report: The report.
        key: Its idempotency key, which makes it harmless to send it twice.
        run: The only run that it is for; empty if that is not known.
    """

    session_id: str
    report: Report
    key: str
    run: str = ""


class Answer(NamedTuple):
    """The answer to a request.

    Attributes:
        status: The HTTP status; 0 if there was no answer, or none of a progress server.
        problem: Last segment of the problem type.
        detail: What is wrong, in one sentence.
        retry_after_s: Seconds to wait at least; `None` if the server has not said that.
        run: The name of the run that was created; empty if the server does not tell it.
    """

    status: int
    problem: str = ""
    detail: str = ""
    retry_after_s: float | None = None
    run: str = ""

    @property
    def is_success(self) -> bool:
        """Whether the report was applied."""
        return 200 <= self.status < 300

    @property
    def is_passing(self) -> bool:
        """Whether the same request may succeed later."""
        return self.status in _PASSING or self.problem == _KEY_IN_USE

    @property
    def is_absence(self) -> bool:
        """Whether other sessions would get the same answer from the server."""
        return self.status in _AWAY

    @property
    def may_pass(self) -> bool:
        """Whether to try again for some time, but not for ever."""
        return self.is_passing or self.status >= 500

    def __str__(self) -> str:
        """Return it as a text for people."""
        return f"{self.status or ''} {self.detail or self.problem or 'no answer'}".strip()
