"""What readers ask of the worker of a session, and how it answers: *requests* on the wire; the rules: ``ask_rules``."""

from collections.abc import Collection, Iterable
from typing import Final, Literal, NamedTuple, TypeAlias

AskKind: TypeAlias = Literal["cancel", "retry"]
AskState: TypeAlias = Literal["asked", "seen", "honoured", "declined", "too_late"]
Acknowledgement: TypeAlias = Literal["seen", "honoured", "declined"]
"""The states that a worker may give to an ask."""

MAX_ASKS: Final = 10
"""How many asks a session remembers."""

MAX_ASK_ID_CHARS: Final = 64
MAX_ASK_TEXT_CHARS: Final = 500
"""Characters that the reason of an ask, and the message of its answer, may have."""


class ReaderAsk(NamedTuple):
    """An ask of a reader [docs/protocol.md]; `step` of `None`: about the session.

    Its state moves from `asked`, maybe over `seen`, to one of the others, which settle it.
    """

    id: str
    kind: AskKind
    step: int | None
    state: AskState
    asked_at: str
    reason: str | None = None
    message: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether it is not settled yet."""
        return self.state in {"asked", "seen"}


Asks: TypeAlias = tuple[ReaderAsk, ...]
"""Those of a session, the newest first."""


def find_ask(asks: Asks, ask_id: str) -> ReaderAsk | None:
    """Return the ask of that id, or `None`."""
    return next((each for each in asks if each.id == ask_id), None)


def open_ask(asks: Asks, kind: AskKind) -> ReaderAsk | None:
    """Return the ask of a kind that is not settled yet, or `None`; there is at most one."""
    return next((each for each in asks if each.kind == kind and each.is_open), None)


def taken_ask(asks: Asks, ask_id: str, kind: AskKind) -> ReaderAsk | None:
    """Return the ask of that id; if an open one of the kind was there already, that one, the newest of its kind."""
    of_kind = (each for each in asks if each.kind == kind)
    return find_ask(asks, ask_id) or next(of_kind, None)


def ends_wait(asks: Iterable[ReaderAsk], known: Collection[str] | None) -> bool:
    """Return whether an ask is new, or open and unknown when the wait of the worker began (`known` is then `None`)."""
    return any(each.state == "asked" or (known is not None and each.is_open and each.id not in known) for each in asks)


def with_ask(asks: Asks, added: ReaderAsk) -> Asks:
    """Return the asks with a new one; the oldest is forgotten where there are too many."""
    return (added, *asks)[:MAX_ASKS]


def with_changed(asks: Asks, changed: ReaderAsk) -> Asks:
    """Return the asks with another state of one of them."""
    return tuple(changed if each.id == changed.id else each for each in asks)


def with_settled(asks: Asks, kind: AskKind, state: AskState) -> Asks:
    """Return the asks with the open one of a kind settled; the same ones if none is open."""
    found = open_ask(asks, kind)
    return asks if found is None else with_changed(asks, found._replace(state=state))
