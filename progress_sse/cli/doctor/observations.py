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


class Network(NamedTuple):
    """The way to the server's address; empty where requests go through a proxy of the environment.

    Attributes:
        connect_s: The time to connect to one of the addresses; `None` if none accepts.
        tls_version: As `TLSv1.3`; empty without TLS.
        alpn: The protocol that the server chose from HTTP/2 and HTTP/1.1; empty if it did not choose.
        error: Why the way ended early; empty if it did not.
    """

    environment_proxy: str = ""
    addresses: tuple[str, ...] = ()
    connect_s: float | None = None
    tls_version: str = ""
    alpn: str = ""
    certificate_days: float | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer: `status` is 0 if none came, and `error` is empty if it is whole."""

    status: int = 0
    headers: Headers = ()
    body: bytes = b""
    error: str = ""
    began: float = 0
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


@dataclass(slots=True)
class Stream:
    """A stream, or the answer instead of one; without `ended_at` the doctor closed it, with `error` it ended early."""

    began: float = 0
    status: int = 0
    headers: Headers = ()
    head_at: float | None = None
    last_byte_at: float | None = None
    arrivals: list[Arrival] = field(default_factory=list)
    retry_ms: int | None = None
    ended_at: float | None = None
    error: str = ""

    @property
    def is_event_stream(self) -> bool:
        """Whether it is a stream at all."""
        return self.status == 200 and media_type_of(self.headers) == "text/event-stream"

    def of(self, name: str) -> list[Arrival]:
        """Return the events of that name."""
        return [each for each in self.arrivals if each.event.event == name]

    @property
    def interval_s(self) -> float | None:
        """The interval between heartbeats, as the first of them has it; `None` if it has none."""
        for _, event in self.of("heartbeat"):
            try:
                interval_s = float(parsed(event.data)["interval_ms"]) / 1000
            except (ValueError, TypeError, LookupError):
                continue
            return interval_s if interval_s > 0 else None
        return None


@dataclass(slots=True)
class Observations:
    """All that was seen, as far as the examination came.

    Attributes:
        is_moving: Whether the session is the doctor's own, and no report on it was refused.
        wall_offset_s: What to add to a monotonic time for the seconds since 1970.
        creation: Of the doctor's own session; `None` if a session was given.
        reports: When each report was accepted. Each makes a `step` event; the last one completes the session.
        repoll: A poll with the `ETag` of the one before.
        last_poll: After the last report.
        resumed: A stream with `Last-Event-ID`; `resumed_by_query` has the same id in its query.
        returned: A stream with the id of the `end`.
    """

    url: str
    session_id: str
    origin: str | None = None
    has_token: bool = False
    is_moving: bool = False
    wall_offset_s: float = 0
    network: Network = field(default_factory=Network)
    poll: Exchange = field(default_factory=Exchange)
    creation: Exchange | None = None
    stream: Stream | None = None
    reports: list[float] = field(default_factory=list)
    refused_report: Exchange | None = None
    tagged_poll: Exchange | None = None
    repoll: Exchange | None = None
    last_poll: Exchange | None = None
    resumed: Stream | None = None
    resumed_by_query: Stream | None = None
    returned: Stream | None = None
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
    def has_tls(self) -> bool:
        """Whether the URL asks for TLS."""
        return urlsplit(self.url).scheme == "https"

    @property
    def headers(self) -> Headers:
        """The headers of the first poll and of the stream."""
        return self.poll.headers + (self.stream.headers if self.stream else ())

    @property
    def polled(self) -> SessionState | None:
        """The session that the first poll brought."""
        return self.poll.session(self.session_id)
