"""Commands as the version before knows them, for the time in which servers of both versions use one store."""

from typing import Final

from progress_sse.core.commands import Advance, Command, Complete, Create, Delete, Lose, Stall, Start
from progress_sse.core.errors import InvalidRequestError

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
            return Start(command.step, command.definitions, command.timeout_ms, command.run, command.only_if)
        case Complete(step=int(step), success=success, message=message, error=error):
            return Complete(step, success, message, error, command.run, command.only_if)
        case Advance(step=int()):
            return command._replace(attempt_id=None, ago_ms=0)
        case Delete() | Stall() | Lose():
            return command
    raise InvalidRequestError("The store is used in the format of a version that does not have this operation.")
