"""The commands that workers, readers and the server itself apply to a session: updates, and those that are none.

For what they do, see ``state_machine``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, NamedTuple, TypeAlias

from progress_sse.core import bounds
from progress_sse.core.asks import AskKind
from progress_sse.core.details import Link
from progress_sse.core.model import StepDefinition
from progress_sse.core.subscriptions import Subscription
from progress_sse.core.updates import PLAIN, UPDATES, Condition, Envelope, Update, anywhere


class StepName(NamedTuple):
    """The name of a step, in place of its number."""

    name: str


Target: TypeAlias = int | StepName


class Create(NamedTuple):
    """Create a fresh pending session; `replace` allows it to replace a session of that id.

    With `is_timed` the session has a time, which is learned from the runs of its `profile`.
    """

    definitions: tuple[StepDefinition, ...]
    replace: bool = True
    only_if: Condition = anywhere
    title: Annotated[str | None, bounds.TITLE] = None
    labels: Annotated[Mapping[str, str], bounds.LABELS] = {}
    links: Annotated[tuple[Link, ...], bounds.LINKS] = ()
    open_ended: bool = False
    accepts: Annotated[tuple[AskKind, ...], bounds.ACCEPTS] = ()
    attempt_id: Annotated[str | None, bounds.ATTEMPT_ID] = None
    is_timed: bool = False
    profile: Annotated[str | None, bounds.PROFILE] = None


class Delete(NamedTuple):
    """Remove the session."""

    only_if: Condition = anywhere


class Ask(NamedTuple):
    """Ask something of the worker, on behalf of a reader, unless one of the kind is open."""

    kind: AskKind
    ask_id: Annotated[str, bounds.ASK_ID]
    step: Annotated[int | None, bounds.STEP_NUMBER] = None
    reason: Annotated[str | None, bounds.ASK_TEXT] = None
    run: str | None = None
    only_if: Condition = anywhere


class Subscribe(NamedTuple):
    """Notify a reader's browser of the session's end."""

    subscription: Subscription
    only_if: Condition = anywhere


class Unsubscribe(NamedTuple):
    """Notify it no more."""

    subscription_id: str
    only_if: Condition = anywhere


class Stall(NamedTuple):
    """Report that the worker of a step was silent for its lease; `since` is the time stamp of its last sign of life."""

    step: int
    since: str
    silent_ms: int
    only_if: Condition = anywhere


class Lose(NamedTuple):
    """End a step whose worker has been silent for so long that it counts as lost."""

    step: int
    silent_ms: int
    only_if: Condition = anywhere


ServerCommand: TypeAlias = Stall | Lose
"""What the server itself reports of a step whose worker is silent."""

Command: TypeAlias = Create | Delete | Update | Ask | Subscribe | Unsubscribe | ServerCommand

ACTIONS: Final = (
    *(kind.action for kind in UPDATES),
    *(kind.__name__.lower() for kind in (Ask, Create, Delete, Subscribe, Unsubscribe, Stall, Lose)),
)
"""The names of all commands."""


def action_of(command: Command) -> str:
    """Return the name of a command."""
    return command.action if isinstance(command, Update) else type(command).__name__.lower()


def check_command(command: Command) -> None:
    """Refuse values that no session can hold, in a command that a caller in the process makes.

    Raises:
        InvalidRequestError: A value is out of its bound, or contradicts another one.
    """
    bounds.check_fields(command)
    if isinstance(command, Update):
        if command.envelope is not PLAIN:
            _check_envelope(command.envelope)
        command.check_consistency()


def _check_envelope(envelope: Envelope) -> None:
    bounds.check_value("ago_ms", bounds.AGO, envelope.ago_ms)
    times = (("lease_ms", bounds.LEASE), ("lost_after_ms", bounds.LOST_AFTER))
    for name, bound in (("attempt_id", bounds.ATTEMPT_ID), *times):
        value = getattr(envelope.lease, name, None)
        if value is not None:
            bounds.check_value(name, bound, value)


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A key that a client chose for one request, and a digest of that request as parsed."""

    key: str
    digest: str
