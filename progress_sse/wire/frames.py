"""What readers are sent: events encoded once, joined once, whoever reads them."""

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple, Self

from progress_sse.core.model import Position
from progress_sse.wire import sse


class Message(NamedTuple):
    """An event of one session, with its id.

    Attributes:
        position: Where a reader is once it has this.
        frame: The bytes for a reader of this one session.
        id_bytes: How many bytes of the frame, at its beginning, are its `id` field.
    """

    position: Position
    frame: bytes
    id_bytes: int

    @classmethod
    def of(cls, position: Position, event: bytes) -> Self:
        """Return an event with its position as id."""
        id_field = sse.encode_id_field(str(position))
        return cls(position, id_field + event, len(id_field))

    @property
    def unnumbered(self) -> bytes:
        """The frame without its `id` field, for a stream with ids of its own."""
        return self.frame[self.id_bytes :]


class Burst:
    """What goes out in one write: events of one session that were published within one turn of the event loop.

    Attributes:
        messages: The events; none in what moves nobody (a heartbeat, a greeting) or is made for one reader alone.
        data: Their bytes for a reader of this one session.
    """

    def __init__(self, messages: Sequence[Message], data: bytes | None = None) -> None:
        """Join `messages`, or take `data` for what has none."""
        self.messages = messages
        self.data = data if data is not None else b"".join([message.frame for message in messages])

    @cached_property
    def unnumbered(self) -> "Burst":
        """The data of a single event without its `id` field: one copy for all streams with ids of their own."""
        [message] = self.messages
        return Burst((), message.unnumbered)

    @cached_property
    def chunk(self) -> bytes:
        """The data as a chunk [RFC 9112 §7.1], for a connection that is written to directly."""
        return b"%x\r\n%b\r\n" % (len(self.data), self.data)
