"""Changes with their rows encoded."""

from dataclasses import dataclass

from progress_sse.core.details import NO_DETAILS
from progress_sse.core.session_filter import state_of
from progress_sse.store.encoded_steps import encode_steps
from progress_sse.store.log_lines import StoredLines
from progress_sse.store.seals import header, sealed
from progress_sse.store.sqlite.schema import DETAILS, label_text
from progress_sse.store.types import Change
from progress_sse.wire import details_json, session_json


@dataclass(slots=True)
class EncodedChange:
    """A change with its rows encoded in advance, so that the writer's thread only runs SQL.

    Attributes:
        change: The change.
        header: Columns of the session's row: offset, state, current step, time of the update, list entry; `None` where
            they are as before, or the session is gone.
        definitions: The step definitions, of a new epoch or where they changed; else empty.
        steps: The rows of the steps that changed, by number, and that of the details, if they changed.
        labels: The labels as their table has them; `None` where they are as before.
        appended: The lines of the change with their numbers, once they are written.
    """

    change: Change
    header: tuple[int, str, int, str, bytes] | None = None
    definitions: bytes = b""
    steps: tuple[tuple[int, bytes], ...] = ()
    labels: frozenset[str] | None = None
    appended: StoredLines | None = None

    @classmethod
    def of(cls, change: Change) -> "EncodedChange":
        """Encode the session of a change, and the steps that differ from the stored ones."""
        record = change.record
        if record is None or (change.lines and change.has_lines_alone):
            return cls(change)
        session = record.session
        progress = session.progress
        is_new = change.is_fresh or change.expected is None
        session_id = change.session_id
        offset = record.position.offset
        steps, summary = encode_steps(change, record)
        labels = None
        if change.has_new_details or (is_new and session.details is not NO_DETAILS):
            steps[DETAILS] = details_json.encode_details(session.details)
            labels = frozenset(map(label_text, session.details.labels.items()))
        state = state_of(progress)
        place = header(offset, state, progress.current_step, progress.created_at, progress.updated_at)
        listed = sealed(session_json.encode_listed(session, summary), session_id, place)
        definitions = b""
        if is_new or change.has_new_definitions:
            definitions = sealed(session_json.encode_definitions(session.definitions), session_id, "definitions")
        return cls(
            change,
            (offset, state, progress.current_step, progress.updated_at, listed),
            definitions,
            tuple((number, sealed(data, session_id, number)) for number, data in steps.items()),
            labels,
        )
