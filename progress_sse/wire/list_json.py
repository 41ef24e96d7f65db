"""The JSON of lists of sessions. An entry comes encoded, as `session_json.encode_listed` writes and stores keep it."""

import json
from collections.abc import Mapping, Sequence
from typing import Final

from progress_sse.wire.json_text import encode_json

_LABELS: Final = b'"labels":{'


def encode_page(entries: Sequence[bytes], after: str | None) -> bytes:
    """Return a page of the list, with the cursor of the next one, if there is one."""
    return b'{"sessions":[%b],"next":%b}' % (b",".join(entries), encode_json(after))


def encode_list(entries: Sequence[bytes], *, has_more: bool) -> bytes:
    """Return the data of a `list` event: the newest sessions, and whether there are older ones."""
    return b'{"sessions":[%b],"more":%b}' % (b",".join(entries), encode_json(has_more))


def encode_listed_session(entry: bytes) -> bytes:
    """Return the data of a `session` event on a stream of a list."""
    return b'{"session":%b}' % entry


def encode_removed(session_id: str) -> bytes:
    """Return the data of a `removed` event."""
    return encode_json({"session_id": session_id})


def labels_of(entry: bytes) -> Mapping[str, str]:
    """Return the labels of a session from its entry."""
    if _LABELS not in entry:  # Quotation marks inside strings are escaped, so no text looks like this.
        return {}
    labels: dict[str, str] = json.loads(entry).get("labels", {})
    return labels
