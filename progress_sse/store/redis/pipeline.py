"""Many calls over one connection: whatever is asked for while the last answers are on their way goes out together.

A call that got no answer is sent again, until its time is up: every script is such that running it again changes
nothing more. What is told to whoever waits at the end of that time is the truth: that nothing was done, if the call was
never sent, and else that nobody knows.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple, Protocol

from redis.exceptions import AskError, ClusterDownError, NoScriptError, RedisError, TryAgainError

from progress_sse._internal.backoff import Backoff
from progress_sse._internal.cancel_tasks import cancel
from progress_sse.core.errors import OutcomeUnknownError, StoreUnavailableError
from progress_sse.store.health import HealthLog
from progress_sse.store.redis.codec import Argument
from progress_sse.store.redis.connection import Command, InterruptedCallError, NotConnectedError, RedisLink
from progress_sse.store.redis.errors import may_have_written, translated
from progress_sse.store.redis.scripts import Script

logger = logging.getLogger(__name__)

READ_TIMEOUT_S: Final = 2.0
WRITE_TIMEOUT_S: Final = 3.5
"""Seconds until a call is given up. An update is at most one of each: it is answered within six seconds."""

MAX_BATCH: Final = 500
"""Calls that go out together."""

PAUSES_S: Final = (0.05, 0.5)
"""Seconds, at most, between two attempts to connect while calls wait: after the first failure, and after any."""


class Answer(NamedTuple):
    """What a script returned, and whether it may have run before without our hearing of it."""

    value: Any
    was_in_doubt: bool


_ELSEWHERE: Final = (AskError, TryAgainError, ClusterDownError)
"""Answers of a cluster's node that does not serve the key, or not now; to be moved (MOVED) is one kind of the first."""

_ASKING: Final = ("ASKING",)


class Call:
    """A command until it is answered.

    Attributes:
        done: Its answer.
        is_asking: Whether the node is asked for a slot that it is only about to get.
    """

    __slots__ = (
        *("arguments", "done", "expiry", "is_asking", "is_write", "keys", "script"),
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
        self.done: asyncio.Future[Answer] = loop.create_future()
        self.expiry = loop.call_later(WRITE_TIMEOUT_S if is_write else READ_TIMEOUT_S, self.give_up)

    @property
    def key(self) -> Argument:
        """What decides on the slot."""
        return self.arguments[1] if self.script is None else self.keys[0]

    def command(self) -> Command:
        """Return what is sent."""
        if self.script is None:
            return self.arguments
        run = ("EVAL", self.script.source) if self.with_source else ("EVALSHA", self.script.sha)
        return (*run, len(self.keys), *self.keys, *self.arguments)

    def refuse(self) -> None:
        """Take notice that this time it was not carried out, and will have to be sent elsewhere."""
        self.was_sent, self.is_asking = self.was_in_doubt, False

    def give_up(self) -> None:
        """Tell whoever waits that there will be no answer."""
        if not self.done.done():
            self.done.set_exception(
                OutcomeUnknownError() if self.is_write and self.was_sent else StoreUnavailableError()
            )

    def resolve(self, answer: Any) -> None:
        """Hand over the answer."""
        self.expiry.cancel()
        if self.done.done():
            return
        if not isinstance(answer, RedisError):
            self.done.set_result(Answer(answer, self.was_in_doubt))
        elif self.is_write and (self.was_in_doubt or may_have_written(answer)):
            self.give_up()
        else:
            self.done.set_exception(translated(answer))


class Router(Protocol):
    """Knows which node of a cluster a call has to go to."""

    def redirect(self, call: Call, refusal: RedisError) -> None:
        """Send a call elsewhere, or later, that a node has refused."""

    def note_failure(self) -> None:
        """Take notice that a node is not there."""


class Calls(Protocol):
    """What can be asked of a server, or of a cluster."""

    def open(self) -> None:
        """Begin to send what waits."""

    async def aclose(self) -> None:
        """Give up what waits, and all connections."""

    def send(self, call: Call) -> asyncio.Future[Answer]:
        """Send a call, and return what will be its answer."""

    async def ask(self, *arguments: Argument) -> Any:
        """Return the answer to a command that changes nothing; its first argument is its only key.

        Raises:
            StoreUnavailableError: There was none in time.
        """
        return (await self.send(Call(None, (), arguments, is_write=False))).value

    async def run(self, script: Script, keys: Sequence[str], *arguments: Argument, is_write: bool = False) -> Answer:
        """Return what a script returned.

        Args:
            script: The script.
            keys: All that it touches, in one slot.
            arguments: Its arguments.
            is_write: Whether it matters if it was run without our hearing of it.

        Raises:
            StoreUnavailableError: It was not run.
            OutcomeUnknownError: It is a write, and may have been run or not.
            StoreFullError: There is no room for what it would write.
        """
        return await self.send(Call(script, keys, arguments, is_write=is_write))


class RedisCalls(Calls):
    """Sends calls over a link, and answers whoever waits."""

    def __init__(self, link: RedisLink, router: Router | None = None) -> None:
        """Use `link`, which nobody else may use; `router` is asked where the server is one of a cluster."""
        self._link = link
        self._router = router
        self._waiting: deque[Call] = deque()
        self._is_under_way = False
        self._has_waiting = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None
        self._health = HealthLog("Redis")

    def open(self) -> None:
        """Begin to send what waits."""
        self._runner = asyncio.get_running_loop().create_task(self._run())

    async def aclose(self) -> None:
        """Give up what waits, and the connection."""
        if self._runner is not None:
            await cancel(self._runner)
            self._runner = None
        await self._give_up(self._waiting)
        self._waiting.clear()

    @property
    def is_idle(self) -> bool:
        """Whether no call waits, and no answer is under way."""
        return not (self._waiting or self._is_under_way)

    def take_waiting(self) -> list[Call]:
        """Hand over all calls that wait."""
        waiting = list(self._waiting)
        self._waiting.clear()
        return waiting

    def send(self, call: Call) -> asyncio.Future[Answer]:
        """Send a call, and return what will be its answer."""
        if self._runner is None:
            call.give_up()
        else:
            self._waiting.append(call)
            self._has_waiting.set()
        return call.done

    async def _run(self) -> None:
        backoff, pause_s = Backoff(*PAUSES_S), 0.0
        while True:
            await self._has_waiting.wait()
            await asyncio.sleep(pause_s)
            batch = self._next_batch()
            self._is_under_way = True
            try:
                await self._exchange(batch)
                backoff.reset()
                pause_s = 0.0
            except (NotConnectedError, InterruptedCallError) as error:
                self._health.record(error)
                self._waiting.extendleft(reversed(batch))
                if self._router is not None:
                    self._router.note_failure()
                pause_s = backoff.next_s()
            except Exception:
                logger.exception("calls to Redis failed in a way that nobody foresaw")
                await self._give_up(batch)
            except asyncio.CancelledError:
                await self._give_up(batch)
                raise
            self._is_under_way = False
            if not self._waiting:
                self._has_waiting.clear()

    async def _give_up(self, batch: Iterable[Call]) -> None:
        for call in batch:
            call.give_up()
            call.expiry.cancel()
        await self._link.disconnect()  # Answers may still be under way, and would be taken for those to the next calls.

    def _next_batch(self) -> list[Call]:
        batch: list[Call] = []
        while self._waiting and len(batch) < MAX_BATCH:
            call = self._waiting.popleft()
            if not call.done.done():  # Its time may be up, or whoever asked has gone.
                batch.append(call)
        return batch

    async def _exchange(self, batch: Sequence[Call]) -> None:
        if not batch:
            return
        await self._link.connect()
        batch = [call for call in batch if not call.done.done()]  # That took time, and theirs may be up.
        commands: list[Command] = []
        for call in batch:
            call.was_sent = True
            if call.is_asking:
                commands.append(_ASKING)
            commands.append(call.command())
        try:
            answers = await self._link.execute(commands)
        except InterruptedCallError:
            for call in batch:
                call.was_in_doubt = True
            raise
        if len(commands) > len(batch):
            answers = [answer for answer, command in zip(answers, commands, strict=True) if command is not _ASKING]
        for call, answer in zip(batch, answers, strict=True):
            self._settle(call, answer)

    def _settle(self, call: Call, answer: Any) -> None:
        if isinstance(answer, NoScriptError) and not call.with_source:
            call.with_source = True
            self._waiting.appendleft(call)
        elif self._router is not None and isinstance(answer, _ELSEWHERE):
            self._router.redirect(call, answer)
        else:
            call.resolve(answer)
            self._health.record(answer if isinstance(answer, RedisError) else None)
