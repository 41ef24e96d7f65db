"""A command on its way to Redis, until its reply is there or its time is up."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from redis.exceptions import RedisError

from progress_sse.core.errors import OutcomeUnknownError, StoreUnavailableError
from progress_sse.store.redis.codec import Argument
from progress_sse.store.redis.connection import Command
from progress_sse.store.redis.errors import may_have_written, to_problem
from progress_sse.store.redis.scripts import Script

READ_TIMEOUT_S: Final = 2.0
WRITE_TIMEOUT_S: Final = 3.5
"""Seconds until a command is given up. An update is at most one of each: it is answered within six seconds."""


class CommandReply(NamedTuple):
    """The reply to a command, and whether the command may have run before without a reply."""

    value: Any
    was_in_doubt: bool


class PendingCommand:
    """A command until its reply.

    Attributes:
        reply: Its reply.
        is_asking: Whether `ASKING` precedes it, since the node is only about to get the slot.
    """

    __slots__ = (
        *("arguments", "expiry", "is_asking", "is_write", "keys", "reply", "script"),
        *("was_in_doubt", "was_sent", "with_source"),
    )

    def __init__(self, script: Script | None, keys: Sequence[str], arguments: Command, *, is_write: bool) -> None:
        self.script = script
        self.keys = keys
        self.arguments = arguments
        self.is_write = is_write
        self.with_source = False
        self.is_asking = False
        self.was_sent = False
        self.was_in_doubt = False
        loop = asyncio.get_running_loop()
        self.reply: asyncio.Future[CommandReply] = loop.create_future()
        self.expiry = loop.call_later(WRITE_TIMEOUT_S if is_write else READ_TIMEOUT_S, self.give_up)

    @property
    def key(self) -> Argument:
        """The key that decides on the slot."""
        return self.arguments[1] if self.script is None else self.keys[0]

    def command(self) -> Command:
        """Return the command as it is sent."""
        if self.script is None:
            return self.arguments
        run = ("EVAL", self.script.source) if self.with_source else ("EVALSHA", self.script.sha)
        return (*run, len(self.keys), *self.keys, *self.arguments)

    def mark_not_run(self) -> None:
        """Record that a node refused it without running it, so that it can be sent elsewhere."""
        self.was_sent, self.is_asking = self.was_in_doubt, False

    def give_up(self) -> None:
        """Fail: nothing was done, if the command was never sent or is a read; otherwise the outcome is unknown."""
        self.expiry.cancel()
        if not self.reply.done():
            self.reply.set_exception(
                OutcomeUnknownError() if self.is_write and self.was_sent else StoreUnavailableError()
            )

    def resolve(self, value: Any) -> None:
        """End with the value, or the error, with which Redis replied."""
        self.expiry.cancel()
        if self.reply.done():
            return
        if not isinstance(value, RedisError):
            self.reply.set_result(CommandReply(value, self.was_in_doubt))
        elif self.is_write and (self.was_in_doubt or may_have_written(value)):
            self.give_up()
        else:
            self.reply.set_exception(to_problem(value))
