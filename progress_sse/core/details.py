"""The details of a session, besides its steps: title, labels and links, its end, and the attempts of its steps.

They are frozen values, with the rules for those that clients send. A session of which no worker reported any shares
`NO_DETAILS`.
"""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, TypeAlias

from progress_sse.core.asks import AskKind, Asks
from progress_sse.core.errors import TooMuchError
from progress_sse.core.subscriptions import Subscriptions

SessionConclusion: TypeAlias = Literal["cancelled", "lost"]
TimeBasis: TypeAlias = Literal["declared", "rate", "history"]

MAX_TITLE_CHARS: Final = 200
MAX_LABELS: Final = 16
MAX_LABEL_CHARS: Final = 64
MAX_LABEL_VALUE_CHARS: Final = 256
MAX_LINKS: Final = 20
MAX_LINK_CHARS: Final = 100
MAX_URL_CHARS: Final = 2048
MAX_ATTEMPT_ID_CHARS: Final = 64

MAX_DETAILS_BYTES: Final = 4096
"""Bytes of JSON that title, labels, links and accepted requests of a session may have together."""

MAX_REPLACED_ATTEMPTS: Final = 10
"""How many attempts that were replaced by a later one a session remembers."""


class Link(NamedTuple):
    """A link for the readers of a session; the server never opens it."""

    label: str
    url: str


class Claim(NamedTuple):
    """Whose attempt a step is, and how long it may be silent; readers do not see it.

    Attributes:
        attempt_id: The id that its worker made up; `None` if its last start brought none.
        lease_ms: Milliseconds without a sign after which the step counts as stalled; `None`: never.
        lost_after_ms: Milliseconds without a sign after which it counts as lost; `None`: never.
        has_stalled: Whether the step was stalled in this attempt.
    """

    attempt_id: str | None
    lease_ms: int | None = None
    lost_after_ms: int | None = None
    has_stalled: bool = False


class FinishAt(NamedTuple):
    """When a session will end: as time stamps, in half of all cases before `p50`, in nine of ten before `p90`."""

    p50: str
    p90: str


class Time(NamedTuple):
    """How far a session is by time, and when it will end [docs/protocol.md].

    Attributes:
        percentage: Of the time that it takes as a whole.
        finish_at: When it will end; `None` where that is not known, or it has ended.
        basis: What is known of the time that is left, at best.
        runs: How many earlier runs of its profile were learned from.
    """

    percentage: int
    finish_at: FinishAt | None
    basis: TimeBasis
    runs: int


class Timing(NamedTuple):
    """What the time of a session is worked out from; readers do not see it.

    Attributes:
        profile: The name under which its runs are learned from; `None`: they are not.
        floor: The percentage that its time must not fall below.
        untaught: The numbers of the steps that teach nothing: started twice, or before their recorded start.
        has_taught: Whether it was completed once, and so taught what it took.
    """

    profile: str | None = None
    floor: int = 0
    untaught: frozenset[int] = frozenset()
    has_taught: bool = False


class Details(NamedTuple):
    """What workers reported of a session besides its steps [docs/protocol.md].

    Attributes:
        title: Its name for people.
        labels: Texts by which it is found.
        links: Its results, and pages about it.
        open_ended: Whether steps are added while it runs, and only `finish` completes it.
        error: Why it ended, where it ended as a whole.
        conclusion: What ended it, beyond its status.
        time: How far it is by time, and when it will end.
        accepts: What readers may ask of its worker.
        requests: What they asked, the newest first.
        log: Whether a worker has written lines into its log.
        is_finished: Whether it was ended as a whole, so that its status stays; readers do not see it, nor the rest.
        creator: The attempt that created it.
        claims: Of each step that was started with an attempt id, whose it is.
        replaced: The newest attempts whose step was started by another one.
        is_cancelled: Whether the server cancelled it before a step was started, so that none may be.
        timing: What its time is worked out from; `None` of a session that has none.
        subscriptions: The browsers that are notified of its end.
    """

    title: str | None = None
    labels: Mapping[str, str] = MappingProxyType({})
    links: tuple[Link, ...] = ()
    open_ended: bool = False
    error: str | None = None
    conclusion: SessionConclusion | None = None
    time: Time | None = None
    accepts: tuple[AskKind, ...] = ()
    requests: Asks = ()
    log: bool = False
    is_finished: bool = False
    creator: str | None = None
    claims: Mapping[int, Claim] = MappingProxyType({})
    replaced: tuple[str, ...] = ()
    is_cancelled: bool = False
    timing: Timing | None = None
    subscriptions: Subscriptions = ()


NO_DETAILS: Final = Details()


def check_size(details: Details) -> None:
    """Refuse details that are too large for each reader to get with each event.

    Raises:
        TooMuchError: There are more than `MAX_LABELS` labels; or title, labels, links and accepted requests are more
            than `MAX_DETAILS_BYTES` of JSON together.
    """
    if len(details.labels) > MAX_LABELS:
        raise TooMuchError(f"A session has at most {MAX_LABELS} labels.")
    links = [link._asdict() for link in details.links]
    shown = {"title": details.title, "labels": dict(details.labels), "links": links, "accepts": details.accepts}
    if _json_bytes({name: value for name, value in shown.items() if value}) > MAX_DETAILS_BYTES:
        raise TooMuchError


def _json_bytes(value: object) -> int:
    """Return the length in bytes of texts, arrays and objects as compact JSON in UTF-8."""
    if isinstance(value, str):
        escaped = [1 if char in '"\\\b\f\n\r\t' else 5 for char in value if char < " " or char in '"\\']
        return len('""') + len(value.encode()) + sum(escaped)
    assert isinstance(value, Mapping | Sequence)
    if isinstance(value, Mapping):
        parts = [_json_bytes(key) + len(":") + _json_bytes(each) for key, each in value.items()]
    else:
        parts = [_json_bytes(each) for each in value]
    return len("[]") + sum(parts) + max(0, len(parts) - 1)


_UNFIT_IN_URL: Final = "\\u0000-\\u0020\\u007f-\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000"
"""Control and white-space characters, some of which browsers drop, which makes another URL."""

URL_PATTERN: Final = (
    rf"^(?:[Hh][Tt][Tt][Pp][Ss]?://[^:/?#@\\{_UNFIT_IN_URL}][^/?#@\\{_UNFIT_IN_URL}]*(?:[/?#][^{_UNFIT_IN_URL}]*)?"
    rf"|/(?![/\\])[^{_UNFIT_IN_URL}]*)$"
)
"""The URLs that pages may open: http and https without user information, and paths of the page's own host.

A path that begins with two slashes, or with a backslash after the first, would name another host.
"""

_URL: Final = re.compile(URL_PATTERN)


def is_fit_url(url: str) -> bool:
    """Return whether pages may open the URL; see `URL_PATTERN`."""
    return _URL.fullmatch(url) is not None


def with_labels(before: Mapping[str, str], changes: Mapping[str, str | None] | None) -> Mapping[str, str]:
    """Return the labels after changes: each is set, or removed by `None`; changes of `None` remove all."""
    if changes is None:
        return {}
    merged: dict[str, str | None] = {**before, **changes}
    return {key: value for key, value in merged.items() if value is not None}


def with_replaced(before: Sequence[str], attempt_id: str) -> tuple[str, ...]:
    """Return the attempts that were replaced, the newest last."""
    return (*(each for each in before if each != attempt_id), attempt_id)[-MAX_REPLACED_ATTEMPTS:]
