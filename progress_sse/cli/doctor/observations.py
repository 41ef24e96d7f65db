"""What the doctor has seen: answers, streams, and when their bytes came. Pure.

All times are seconds of one monotonic clock. An observation that was not made is `None`.
"""

from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias
from urllib.parse import urlsplit

from progress_sse.story.session_state import SessionState, checked, parsed
from progress_sse.wire.sse import StreamEvent

Headers: TypeAlias = tuple[tuple[str, str], ...]
"""The headers of an answer in order; names are in lower case."""


def values_of(headers: Headers, name: str) -> list[str]:
    """Return each value of a header."""
    return [value for key, value in headers if key == name]


def media_type_of(headers: Headers) -> str:
    """Return the media type without parameters; empty if there is none."""
    return "".join(values_of(headers, "content-type")).partition(";")[0].strip().lower()


def origin_of(url: str) -> str:
    """Return the origin of a URL as browsers send it, without the default port."""
    parts = urlsplit(url)
    default_port = {"http": ":80", "https": ":443"}.get(parts.scheme, "")
    return f"{parts.scheme}://{parts.netloc}".lower().removesuffix(default_port)


def value_in(json: str | bytes, key: str) -> str:
    """Return a value in an object of JSON; empty if there is none."""
    try:
        return str(parsed(json)[key])
    except (ValueError, LookupError, TypeError):
        return ""


class Network(NamedTuple):
    """The way to the server's address; empty where requests go through a proxy of the environment."""

    environment_proxy: str = ""
    addresses: tuple[str, ...] = ()
    connect_s: float | None = None  # To one of the addresses; `None` if none accepts.
    tls_version: str = ""
    alpn: str = ""  # What the server chose from HTTP/2 and HTTP/1.1; empty if it did not choose.
    certificate_days: float | None = None
    error: str = ""  # Why the way ended early.


@dataclass(slots=True)
class Answer:
    """An answer, of which a stream has its own content: `status` is 0 if none came; with an `error` it ended early."""

    status: int = 0
    headers: Headers = ()
    body: bytes = b""
    error: str = ""
    began: float = 0

    @property
    def outcome(self) -> str:
        """The status, or why there is none, in words."""
        return str(self.status or self.error or "no answer")

    @property
    def is_event_stream(self) -> bool:
        """Whether it is a stream at all."""
        return self.status == 200 and media_type_of(self.headers) == "text/event-stream"


@dataclass(slots=True)
class Exchange(Answer):
    """A request and its whole answer."""

    ended: float = 0

    @property
    def is_problem(self) -> bool:
        """Whether the server itself refuses the request, rather than a proxy."""
        return media_type_of(self.headers) == "application/problem+json"

    def session(self, session_id: str) -> SessionState | None:
        """Return the session in the body, or `None` if it holds none."""
        if self.status != 200 or self.error:
            return None
        try:
            return checked(parsed(self.body), session_id)
        except ValueError:
            return None


class Arrival(NamedTuple):
    """An event, and when it came."""

    at: float
    event: StreamEvent


class Piece(NamedTuple):
    """Bytes that came together: `comments` begin in it, and `is_torn` if it ends within a line."""

    at: float
    size: int
    comments: int = 0
    is_torn: bool = False


@dataclass(slots=True)
class Stream(Answer):
    """A stream, or the answer in its place; the doctor closed it at `closed_at`, or the other side at `ended_at`."""

    head_at: float | None = None
    arrivals: list[Arrival] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)
    retry_ms: int | None = None
    ended_at: float | None = None
    closed_at: float = 0

    @property
    def over_at(self) -> float:
        """When either side ended it."""
        return self.closed_at if self.ended_at is None else self.ended_at

    @property
    def comments(self) -> int:
        """The number of comments."""
        return sum(each.comments for each in self.pieces)

    def of(self, name: str) -> list[Arrival]:
        """Return the events of that name."""
        return [each for each in self.arrivals if each.event.event == name]

    @property
    def ids(self) -> list[str]:
        """The id of each event that has one, or that follows one that has."""
        return [each.event.event_id for each in self.arrivals if each.event.event_id]

    @property
    def interval_s(self) -> float:
        """The interval between heartbeats, as the first of them has it; 0 if it is unknown."""
        text = "".join(value_in(each.event.data, "interval_ms") for each in self.of("heartbeat")[:1])
        return int(text) / 1000 if text.isdecimal() else 0


@dataclass(slots=True)
class Observations:
    """All that was seen, as far as the examination came."""

    url: str
    session_id: str
    origin: str | None = None
    has_token: bool = False
    is_foreign: bool = False  # The URL is a stream of a server that is not of this project.
    is_moving: bool = False  # The session is the doctor's own, and no report on it was refused.
    wall_offset_s: float = 0  # What to add to a monotonic time for the seconds since 1970.
    network: Network = field(default_factory=Network)
    poll: Exchange = field(default_factory=Exchange)
    creation: Exchange | None = None  # Of the doctor's own session; `None` if a session was given.
    stream: Stream | None = None
    reports: list[float] = field(default_factory=list)  # When each was accepted; each makes a `step` event.
    refused_report: Exchange | None = None
    tagged_poll: Exchange | None = None
    repoll: Exchange | None = None  # With the `ETag` of the one before.
    last_poll: Exchange | None = None  # After the last report, which completes the session.
    resumed: Stream | None = None  # With `Last-Event-ID`.
    resumed_by_query: Stream | None = None  # With the same id in the query.
    returned: Stream | None = None  # With the id of the `end`.
    preflight: Exchange | None = None
    anonymous_poll: Exchange | None = None
    ticket: Exchange | None = None
    ticket_stream: Stream | None = None
    cookie: Exchange | None = None
    cookie_poll: Exchange | None = None
    deletion: Exchange | None = None

    @property
    def host(self) -> str:
        """The host name of the URL."""
        return urlsplit(self.url).hostname or ""

    @property
    def has_tls(self) -> bool:
        """Whether the URL asks for TLS."""
        return urlsplit(self.url).scheme == "https"

    @property
    def has_connection(self) -> bool:
        """Whether requests can get to a server at all."""
        return bool(self.network.environment_proxy) or self.network.connect_s is not None

    @property
    def has_created(self) -> bool:
        """Whether the session is the doctor's own."""
        return self.creation is not None and self.creation.status == 201

    @property
    def is_lost(self) -> bool:
        """Whether a server does not know the session that the doctor has created."""
        refused = self.refused_report
        return self.has_created and refused is not None and refused.status == 404 and refused.is_problem

    @property
    def opened(self) -> Stream | None:
        """The stream, if it is one."""
        return self.stream if self.stream is not None and self.stream.is_event_stream else None

    @property
    def awaited(self) -> Stream | None:
        """Likewise, or if not even its head has come; `None` if an error or another answer came in its place."""
        return self.stream if self.stream is not None and not (self.stream.status or self.stream.error) else self.opened

    @property
    def headers(self) -> Headers:
        """The headers of the first poll and of the stream."""
        return self.poll.headers + (self.stream.headers if self.stream else ())

    @property
    def polled(self) -> SessionState | None:
        """The session that the first poll brought."""
        return self.poll.session(self.session_id)
