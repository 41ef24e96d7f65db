"""The frames that subscribers are sent, each encoded and joined once for all subscribers."""

from collections.abc import Sequence
from typing import NamedTuple, Self

from progress_sse.core.model import Position
from progress_sse.wire import sse


class Frame(NamedTuple):
    """An event of one session, with its id.

    Attributes:
        position: The position of a subscriber that has received this frame.
        data: The bytes for a subscriber of this one session.
        id_bytes: How many of the bytes, at their beginning, are the `id` field.
    """

    position: Position
    data: bytes
    id_bytes: int

    @classmethod
    def of(cls, position: Position, event: bytes) -> Self:
        """Return an event with its position as id."""
        id_field = sse.encode_id_field(str(position))
        return cls(position, id_field + event, len(id_field))

    @property
    def without_id(self) -> bytes:
        """The bytes without the `id` field, for a stream with ids of its own."""
        return self.data[self.id_bytes :]


class FrameBatch:
    """The bytes of one write: frames of one session that were published within one turn of the event loop.

    Attributes:
        frames: The frames; none in a batch without id (a heartbeat, the first bytes) or for one subscriber alone.
        data: Their bytes for a subscriber of this one session.
    """

    __slots__ = ("_chunk", "_without_id", "data", "frames")

    def __init__(self, frames: Sequence[Frame], data: bytes | None = None) -> None:
        """Join `frames`, or take `data` for a batch that has none."""
        self.frames = frames
        self.data = data if data is not None else b"".join([frame.data for frame in frames])
        self._chunk: bytes | None = None
        self._without_id: FrameBatch | None = None

    @property
    def without_id(self) -> "FrameBatch":
        """The data of a single frame without its `id` field: one copy for all streams with ids of their own."""
        if self._without_id is None:
            [frame] = self.frames
            self._without_id = FrameBatch((), frame.without_id)
        return self._without_id

    @property
    def chunk(self) -> bytes:
        """The data as a chunk [RFC 9112 §7.1], for a connection that is written to directly."""
        if self._chunk is None:
            self._chunk = b"%x\r\n%b\r\n" % (len(self.data), self.data)
        return self._chunk
