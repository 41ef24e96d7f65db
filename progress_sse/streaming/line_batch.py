"""Lines of the log on their way to the readers of a session."""

from progress_sse.wire import sse
from progress_sse.wire.frames import FrameBatch
from progress_sse.wire.log_lines_json import LinesShown, encode_log_event


class LineBatch(FrameBatch):
    """A `log` event. It has no id, so that a client comes back to the transitions alone.

    Attributes:
        shown: The lines.
    """

    __slots__ = ("shown",)

    def __init__(self, session_id: str, shown: LinesShown) -> None:
        """Encode the event, once for all readers."""
        super().__init__((), sse.encode_event("log", encode_log_event(session_id, shown)))
        self.shown = shown
