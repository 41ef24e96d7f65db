"""Which sessions belong to a list: pure decisions on id, status and labels."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from progress_sse.core.details import MAX_LABEL_CHARS, MAX_LABEL_VALUE_CHARS, MAX_LABELS
from progress_sse.core.errors import InvalidRequestError
from progress_sse.core.model import SessionStatus, check_session_id, is_text

Label = tuple[str, str]
"""The key and the value of a label."""

_LAST_CODE_POINT: Final = 0x10FFFF
_SURROGATES: Final = range(0xD800, 0xE000)


class SessionFilter(NamedTuple):
    """What the sessions of a list have in common: the beginning of their ids, labels that each has, and the status."""

    prefix: str = ""
    labels: frozenset[Label] = frozenset()
    status: SessionStatus | None = None

    def matches(self, session_id: str, status: SessionStatus, labels: Mapping[str, str]) -> bool:
        """Return whether a session belongs to the list."""
        return (
            session_id.startswith(self.prefix)
            and self.status in (None, status)
            and all(labels.get(key) == value for key, value in self.labels)
        )


ALL_SESSIONS: Final = SessionFilter()


def check_prefix(prefix: str) -> str:
    """Return the text if the id of a session may begin with it, as each does with the empty one."""
    return prefix if prefix in {"", ".", ".."} else check_session_id(prefix)


def parse_labels(texts: list[str]) -> frozenset[Label]:
    """Return labels from texts of the form `key:value`, if a session may have them."""
    if len(texts) > MAX_LABELS:
        raise InvalidRequestError(f"label may be given {MAX_LABELS} times: a session has no more.")
    return frozenset(_parse_label(text) for text in texts)


def _parse_label(text: str) -> Label:
    key, colon, value = text.partition(":")
    is_fit = 0 < len(key) <= MAX_LABEL_CHARS and len(value) <= MAX_LABEL_VALUE_CHARS and is_text(text)
    if not (colon and is_fit):
        raise InvalidRequestError(
            f"label must be key:value, of at most {MAX_LABEL_CHARS} and {MAX_LABEL_VALUE_CHARS} characters."
        )
    return key, value


def end_of_prefix(prefix: str) -> str | None:
    """Return the least text that is greater than all with the prefix, by code points; `None` if there is none."""
    shortest = prefix.rstrip(chr(_LAST_CODE_POINT))
    if not shortest:
        return None
    following = ord(shortest[-1]) + 1
    return shortest[:-1] + chr(_SURROGATES.stop if following in _SURROGATES else following)
