"""Commands as the version before knows them, for the time in which servers of both versions use one store."""

from typing import Final

from progress_sse.core.commands import Command, Create, Delete, Lose, Stall
from progress_sse.core.errors import InvalidRequestError
from progress_sse.core.updates import Advance, Complete, Envelope, Start, Update, with_envelope

FORMER: Final = 1
"""The `store_format` that the version before reads."""


def former_command(command: Command) -> Command:
    """Return the command without what the version before does not know.

    Raises:
        InvalidRequestError: Nothing would be left of it.
    """
    match command:
        case Create():
            return Create(command.definitions, command.replace, command.only_if)
        case Start(step=int()):
            return Start(command.step, command.timeout_ms, envelope=_former_envelope(command))
        case Complete(step=int(step), success=success, message=message, error=error):
            return Complete(step, success, message, error, envelope=_former_envelope(command))
        case Advance(step=int()):
            return with_envelope(command, _former_envelope(command))
        case Delete() | Stall() | Lose():
            return command
    raise InvalidRequestError("The store is used in the format of a version that does not have this operation.")


def _former_envelope(update: Update) -> Envelope:
    return update.envelope._replace(lease=None, ago_ms=0)
