"""What readers ask of the worker of a session, and how it answers.

Frozen values, and what follows from them alone. When a request is taken and when it is settled: ``request_rules``.
"""

from collections.abc import Collection, Iterable
from typing import Final, Literal, NamedTuple, TypeAlias

RequestKind: TypeAlias = Literal["cancel", "retry"]
RequestState: TypeAlias = Literal["asked", "seen", "honoured", "declined", "too_late"]
Acknowledgement: TypeAlias = Literal["seen", "honoured", "declined"]
"""The states that a worker may give to a request."""

MAX_REQUESTS: Final = 10
"""How many requests a session remembers."""

MAX_REQUEST_ID_CHARS: Final = 64
MAX_REQUEST_TEXT_CHARS: Final = 500
"""Characters that the reason of a request, and the message of its answer, may have."""


class Request(NamedTuple):
    """A request of a reader [docs/protocol.md].

    Attributes:
        id: Names it within its session.
        kind: What is asked for.
        step: The number of the step that it is about; `None`: the session.
        state: Only ever moves on: from `asked`, maybe over `seen`, to one of the others, which settle it.
        asked_at: Its time stamp.
        reason: Why it was asked, in the reader's words.
        message: The worker's words on it.
    """

    id: str
    kind: RequestKind
    step: int | None
    state: RequestState
    asked_at: str
    reason: str | None = None
    message: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether it is not settled yet."""
        return self.state in {"asked", "seen"}


Requests: TypeAlias = tuple[Request, ...]
"""Those of a session, the newest first."""


def find_request(requests: Requests, request_id: str) -> Request | None:
    """Return the request of that id, or `None`."""
    return next((each for each in requests if each.id == request_id), None)


def open_request(requests: Requests, kind: RequestKind) -> Request | None:
    """Return the request of a kind that is not settled yet, or `None`; there is at most one."""
    return next((each for each in requests if each.kind == kind and each.is_open), None)


def taken_request(requests: Requests, request_id: str, kind: RequestKind) -> Request | None:
    """Return the request of that id; if an open one of the kind was there already, that one, the newest of its kind."""
    of_kind = (each for each in requests if each.kind == kind)
    return find_request(requests, request_id) or next(of_kind, None)


def has_news(requests: Iterable[Request], known: Collection[str] | None) -> bool:
    """Return whether a wait of the worker ends: a request is asked, or one is open that was not known.

    Args:
        requests: Those of one or several sessions.
        known: The ids of those that existed when the wait began; `None` at its beginning.
    """
    return any(
        each.state == "asked" or (known is not None and each.is_open and each.id not in known) for each in requests
    )


def with_request(requests: Requests, request: Request) -> Requests:
    """Return the requests with a new one; the oldest is forgotten where there are too many."""
    return (request, *requests)[:MAX_REQUESTS]


def with_changed(requests: Requests, changed: Request) -> Requests:
    """Return the requests with another state of one of them."""
    return tuple(changed if each.id == changed.id else each for each in requests)


def with_settled(requests: Requests, kind: RequestKind, state: RequestState) -> Requests:
    """Return the requests with the open one of a kind settled; the same ones if none is open."""
    found = open_request(requests, kind)
    return requests if found is None else with_changed(requests, found._replace(state=state))
