"""Which sessions belong to a list: pure decisions on id, state and labels."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

from progress_sse.core.details import MAX_LABEL_CHARS, MAX_LABEL_VALUE_CHARS, MAX_LABELS
from progress_sse.core.errors import InvalidRequestError
from progress_sse.core.model import SessionProgress, SessionStatus, check_session_id, is_text

Label = tuple[str, str]
"""The key and the value of a label."""

ListStatus: TypeAlias = Literal["pending", "running", "completed", "error", "failed", "cancelled", "lost", "stalled"]
"""What a list may ask for."""

_ENDS: Final[tuple[ListStatus, ...]] = ("failed", "cancelled", "lost")

STATES: Final[Mapping[str, tuple[SessionStatus, frozenset[ListStatus]]]] = {
    "pending": ("pending", frozenset({"pending"})),
    "running": ("running", frozenset({"running"})),
    "stalled": ("running", frozenset({"running", "stalled"})),
    "completed": ("completed", frozenset({"completed"})),
    **{end: ("error", frozenset({"error", end})) for end in _ENDS},
    **{f"stalled {end}": ("error", frozenset({"error", end, "stalled"})) for end in _ENDS},
}
"""The states of sessions: of each the status, and what a list may ask for that has it."""


def state_of(progress: SessionProgress) -> str:
    """Return which of the `STATES` a session is in."""
    details = progress.details
    is_stalled = bool(details.claims) and any(
        step.liveness is not None and step.liveness.state == "stalled" for step in progress.steps.values()
    )
    if progress.status != "error":
        return "stalled" if is_stalled else progress.status
    end = details.conclusion or "failed"
    return f"stalled {end}" if is_stalled else end


def parse_statuses(texts: Sequence[str]) -> frozenset[str]:
    """Return the states in which any of these holds; none stand for all.

    Raises:
        InvalidRequestError: One of them is no `ListStatus`.
    """
    if not set(get_args(ListStatus)).issuperset(texts):
        raise InvalidRequestError(f"status must be one of {', '.join(get_args(ListStatus))}.")
    return frozenset(state for state, (_, held) in STATES.items() if not held.isdisjoint(texts))


_LAST_CODE_POINT: Final = 0x10FFFF
_SURROGATES: Final = range(0xD800, 0xE000)


class SessionFilter(NamedTuple):
    """What the sessions of a list have in common.

    Attributes:
        prefix: The beginning of their ids.
        labels: Labels that each of them has.
        states: Those of the `STATES` that they may be in; without any, they may be in all.
    """

    prefix: str = ""
    labels: frozenset[Label] = frozenset()
    states: frozenset[str] = frozenset()

    @property
    def statuses(self) -> Collection[SessionStatus | None]:
        """The statuses that its sessions may have; `None` stands for all."""
        return {STATES[state][0] for state in self.states} or {None}

    def matches(self, session_id: str, state: str, labels: Mapping[str, str]) -> bool:
        """Return whether a session belongs to the list."""
        return (
            session_id.startswith(self.prefix)
            and (not self.states or state in self.states)
            and all(labels.get(key) == value for key, value in self.labels)
        )


ALL_SESSIONS: Final = SessionFilter()


def check_prefix(prefix: str) -> str:
    """Return the text if the id of a session may begin with it; the empty one is the beginning of each.

    Raises:
        InvalidSessionIdError: None may.
    """
    return prefix if prefix in {"", ".", ".."} else check_session_id(prefix)


def parse_labels(texts: list[str]) -> frozenset[Label]:
    """Return labels from texts of the form `key:value`.

    Raises:
        InvalidRequestError: One has another form, or is no label that a session may have; or they are too many.
    """
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
