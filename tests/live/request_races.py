"""Races between readers that ask, and workers that report: each has one outcome, at all servers, and to all readers.

Every race is staged with one client at each of two servers (or two at one), and a stream at each. What a reader folds
from its events is then the poll, by the oracle.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, NamedTuple

import httpx

from tests.harness.oracle import fold_all
from tests.harness.rawsse import RawStream
from tests.harness.serving import Server, Worker, events_path, session_path

ROUNDS = 6


class Parties(NamedTuple):
    """A reader and a worker, each at its server, and their session."""

    reader: Worker
    worker: Worker
    session_id: str
    round: int

    async def ask(self, kind: str = "cancel", key: str | None = None, *, at_worker: bool = False) -> httpx.Response:
        """Ask something of the worker."""
        client = (self.worker if at_worker else self.reader).client
        headers = {} if key is None else {"idempotency-key": key}
        return await client.post(session_path(self.session_id, "requests"), json={"kind": kind}, headers=headers)

    async def report(self, **body: Any) -> httpx.Response:
        return await self.worker.update(self.session_id, **body)

    async def requests(self) -> list[dict[str, Any]]:
        shown = await self.reader.poll(self.session_id)
        return list(shown.get("requests", []))

    async def at_once(
        self, one: Coroutine[Any, Any, httpx.Response], other: Coroutine[Any, Any, httpx.Response]
    ) -> tuple[httpx.Response, httpx.Response]:
        """Send two requests at the same time, in turn the one or the other first."""
        if self.round % 2:
            first, second = await asyncio.gather(one, other)
        else:
            second, first = await asyncio.gather(other, one)
        return first, second


async def cancel_against_completion(parties: Parties) -> None:
    """The request comes before the end, and then is too late; or after it, and then is refused."""
    asked, completed = await parties.at_once(parties.ask(), parties.report(action="complete", step=1))
    assert completed.status_code == 200, completed.text
    states = [each["state"] for each in await parties.requests()]
    if asked.status_code == 202:
        assert states == ["too_late"]
    else:
        assert (refusal_of(asked), states) == ("request-out-of-time", [])
    assert (await parties.reader.poll(parties.session_id))["status"] == "completed"


async def two_cancels(parties: Parties) -> None:
    """One is taken, and the other one finds it."""
    answers = await parties.at_once(parties.ask(), parties.ask(at_worker=True))
    assert sorted(each.status_code for each in answers) == [200, 202]
    assert [each.json() for each in answers] == 2 * await parties.requests()


async def cancel_against_first_start(parties: Parties) -> None:
    """The server cancels a session that was not started, or its worker is asked to; never both."""
    asked, started = await parties.at_once(parties.ask(), parties.report(action="start", step=1))
    assert asked.status_code == 202, asked.text
    shown = await parties.reader.poll(parties.session_id)
    if started.status_code == 200:
        assert (shown["status"], asked.json()["state"]) == ("running", "asked")
    else:
        assert refusal_of(started) == "session-cancelled"
        assert (shown["status"], shown["conclusion"], asked.json()["state"]) == ("error", "cancelled", "honoured")
    assert shown["requests"] == [asked.json()]


async def acknowledgement_against_end(parties: Parties) -> None:
    """The worker's answer comes before the end, or is refused; it never comes twice, nor back."""
    request = (await parties.ask()).json()
    answer = {"action": "acknowledge", "request": request["id"], "state": "honoured"}
    finish = parties.reader.update(parties.session_id, action="finish")
    answered, finished = await parties.at_once(parties.report(**answer), finish)
    assert finished.status_code == 200, finished.text
    [settled] = await parties.requests()
    if answered.status_code == 200:
        assert settled["state"] == "honoured"
    else:
        assert (refusal_of(answered), settled["state"]) == ("request-settled", "too_late")
    late = await parties.report(**answer | {"state": "declined"})
    assert refusal_of(late) == "request-settled"
    assert await parties.requests() == [settled]


async def request_sent_twice(parties: Parties) -> None:
    """Under one key it is taken once, also when it comes again after its end."""
    answers = await parties.at_once(parties.ask(key="k"), parties.ask(key="k", at_worker=True))
    taken = [each.json() for each in answers if each.status_code == 202]
    assert taken
    assert {each.status_code for each in answers} <= {202, 409}
    assert all(each == taken[0] for each in taken)
    await parties.report(action="acknowledge", request=taken[0]["id"], state="declined")
    again = await parties.ask(key="k")
    assert (again.status_code, again.json()) == (202, taken[0] | {"state": "declined"})
    assert await parties.requests() == [again.json()]


RACES: dict[str, tuple[bool, Callable[[Parties], Awaitable[None]]]] = {
    race.__name__: (is_started, race)
    for is_started, race in (
        (True, cancel_against_completion),
        (True, two_cancels),
        (False, cancel_against_first_start),
        (True, acknowledgement_against_end),
        (True, request_sent_twice),
    )
}
"""Each race, and whether the session's only step runs before it."""


async def stage(name: str, here: Server, there: Server, prefix: str) -> None:
    """Stage a race some times, the reader at one server and the worker at the other one."""
    is_started, race = RACES[name]
    async with Worker.at(here) as reader, Worker.at(there) as worker:
        for number in range(ROUNDS):
            session_id = f"{prefix}-{number}"
            await reader.create(session_id, total_steps=1, accepts=["cancel", "retry"])
            if is_started:
                await worker.start(session_id, 1)
            async with _followed(here, there, session_id) as streams:
                await race(Parties(reader, worker, session_id, number))
                await _check(streams, reader, worker, session_id)


@asynccontextmanager
async def _followed(here: Server, there: Server, session_id: str) -> AsyncIterator[list[RawStream]]:
    async with AsyncExitStack() as stack:
        streams = [
            await stack.enter_async_context(await RawStream.open(server.port, events_path(session_id)))
            for server in (here, there)
        ]
        for stream in streams:
            await stream.next_event()
        yield streams


async def _check(streams: list[RawStream], reader: Worker, worker: Worker, session_id: str) -> None:
    polled = await reader.poll_raw(session_id)
    assert (await worker.poll_raw(session_id)).content == polled.content
    epoch, _, offset = polled.headers["etag"].strip('"').rpartition("-")

    def is_there(stream: RawStream) -> bool:
        ids = [event.id for event in stream.events if event.event in ("snapshot", "step", "session")]
        return bool(ids) and ids[-1] == f"{epoch}-{offset}"

    for stream in streams:
        await stream.wait_until(is_there)
        assert fold_all(stream.events) == polled.json()


def refusal_of(response: httpx.Response) -> str:
    problem: str = response.json()["type"]
    return problem.rpartition("/")[2]
