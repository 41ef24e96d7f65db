"""What the doctor has seen: answers, and when the bytes of streams came. Pure.

All times are seconds of one monotonic clock. Of an answer that never came, or was not asked for, the status is 0.
"""

from dataclasses import dataclass, field
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from progress_sse._internal.http_library import httpx
from progress_sse.story.session_state import SessionState, checked, parsed
from progress_sse.wire.sse import StreamEvent

HELD_S: Final = 3.0
"""Seconds after which an update has been held back, rather than been under way."""


def origin_of(url: str) -> str:
    """Return the origin of a URL as browsers send it, without the default port."""
    parts = urlsplit(url)
    default_port = {"http": ":80", "https": ":443"}.get(parts.scheme, "")
    return f"{parts.scheme}://{parts.netloc}".lower().removesuffix(default_port)


class Network(NamedTuple):
    """The way to the server's address.

    Attributes:
        environment_proxy: The HTTP proxy of the environment, through which requests go; the rest is empty then.
        addresses: The addresses that the host name stands for.
        connect_s: The seconds to connect to one of them; `None` if none accepts.
        tls_version: The version of TLS, such as `TLSv1.3`; empty without TLS.
        alpn: The protocol that the server chose from HTTP/2 and HTTP/1.1; empty if it did not choose.
        certificate_days: Days until the certificate expires; `None` if that is unknown.
        error: Why the way ended early; empty if it did not.
    """

    environment_proxy: str = ""
    addresses: tuple[str, ...] = ()
    connect_s: float | None = None
    tls_version: str = ""
    alpn: str = ""
    certificate_days: float | None = None
    error: str = ""


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
class Answer:
    """An answer, with the body or with what came of a stream. With an `error` it ended early."""

    status: int = 0
    headers: httpx.Headers = field(default_factory=httpx.Headers)
    body: bytes = b""
    error: str = ""
    began: float = 0
    head_at: float = 0
    arrivals: list[Arrival] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)
    retry_ms: int | None = None
    over_at: float = 0
    has_ended: bool = False  # By the other side, rather than by the doctor.

    @property
    def outcome(self) -> str:
        """The status, or why there is none, in words."""
        return str(self.status or self.error or "no answer")

    @property
    def media_type(self) -> str:
        """The media type without parameters; empty if there is none."""
        return str(self.headers.get("content-type", "")).partition(";")[0].strip().lower()

    @property
    def is_event_stream(self) -> bool:
        """Whether it is a stream at all."""
        return self.status == 200 and self.media_type == "text/event-stream"

    @property
    def is_problem(self) -> bool:
        """Whether the progress server itself refuses the request, rather than a proxy."""
        return self.media_type == "application/problem+json"

    @property
    def comments(self) -> int:
        """The number of comments."""
        return sum(each.comments for each in self.pieces)

    @property
    def ids(self) -> list[str]:
        """The ids of the events in order, each once."""
        return [*dict.fromkeys(each.event.event_id for each in self.arrivals if each.event.event_id)]

    def of(self, name: str) -> list[Arrival]:
        """Return the events of that name."""
        return [each for each in self.arrivals if each.event.event == name]

    def value(self, key: str) -> str:
        """Return a value of the object of JSON in the body; empty if there is none."""
        try:
            return str(parsed(self.body)[key])
        except (ValueError, LookupError, TypeError):
            return ""

    def session(self, session_id: str) -> SessionState | None:
        """Return the session in the body, or `None` if it holds none."""
        try:
            return checked(parsed(self.body), session_id) if self.status == 200 and not self.error else None
        except ValueError:
            return None


@dataclass(slots=True)
class Observations:
    """All that was seen, as far as the examination came.

    Attributes:
        url: The URL of the server, or of a foreign stream.
        session_id: The session that is examined.
        is_given: Whether the session is not the doctor's own.
        origin: The origin of pages that another server serves; `None` if none was named.
        is_foreign: Whether the URL is a stream of a server that is not of this project.
        network: The way to the server's address.
        poll: The first poll.
        stream: The stream that the doctor listens to.
        resumed: A stream with the first id of `stream` as `Last-Event-ID`.
        creation: Of the doctor's own session. This and the following are of a progress server alone.
        delays_s: Seconds from each report to its event, or until the doctor gave up.
        refused_report: The first report that was not accepted.
        tagged_poll: A poll after the first reports.
        repoll: A poll with the `ETag` of `tagged_poll`.
        preflight: Whether pages of `origin` may send the headers of polls.
        ticket: A ticket for one stream.
        ticket_stream: A stream with the ticket in place of the token.
        returned: A stream with the id of the `end`.
        deletion: Of the doctor's own session.
    """

    url: str
    session_id: str
    is_given: bool = False
    origin: str | None = None
    is_foreign: bool = False
    network: Network = field(default_factory=Network)
    poll: Answer = field(default_factory=Answer)
    stream: Answer = field(default_factory=Answer)
    resumed: Answer = field(default_factory=Answer)
    creation: Answer = field(default_factory=Answer)
    delays_s: list[float] = field(default_factory=list)
    refused_report: Answer | None = None
    tagged_poll: Answer = field(default_factory=Answer)
    repoll: Answer = field(default_factory=Answer)
    preflight: Answer = field(default_factory=Answer)
    ticket: Answer = field(default_factory=Answer)
    ticket_stream: Answer = field(default_factory=Answer)
    returned: Answer = field(default_factory=Answer)
    deletion: Answer = field(default_factory=Answer)

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
    def polled(self) -> SessionState | None:
        """The session that the first poll brought; `None` if the server is not of this project."""
        return self.poll.session(self.session_id)

    @property
    def is_moving(self) -> bool:
        """Whether the session is the doctor's own, and no report on it was refused."""
        return self.creation.status == 201 and self.refused_report is None

    @property
    def is_late(self) -> bool:
        """Whether an update was held back; if a report was refused, another server may have taken the others."""
        return self.is_moving and max(self.delays_s, default=0) >= HELD_S

    @property
    def headers(self) -> httpx.Headers:
        """The headers of polls and of the stream."""
        answers = (self.poll, self.tagged_poll, self.stream)
        return httpx.Headers([each for answer in answers for each in answer.headers.multi_items()])
