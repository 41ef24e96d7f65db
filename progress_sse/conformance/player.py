"""Has a conversation with a server, and says where its answers differ."""

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple

import anyio

from progress_sse._internal.http_library import httpx
from progress_sse.client.http import Content
from progress_sse.client.reports import fit_text
from progress_sse.conformance import stream_rules
from progress_sse.conformance.open_stream import DEADLINE_S, QUIET_S, OpenStream
from progress_sse.conformance.patterns import Known, LateError, MismatchError
from progress_sse.conformance.vectors import Conversation, Exchange, value_now
from progress_sse.story.plain_text import one_line
from progress_sse.story.session_state import parsed

_SESSION: Final = re.compile("/api/progress/[^/?]+")

_OWN: Final = "publisher"
"""The name of a token with all rights, where a server needs one."""


MAX_REASON_CHARS: Final = 2000
"""Characters that are shown of what came in place of what was expected."""

_WRONG: Final = (
    *(MismatchError, ValueError, LookupError, AttributeError, RecursionError, TimeoutError),
    *(httpx.HTTPError, httpx.InvalidURL),
)
"""What comes of an answer of any form; a URL may have been made of a value in it."""


class Fault(NamedTuple):
    """A requirement that an answer does not meet.

    Attributes:
        rule: Its number.
        reason: What came, and what was expected.
        exchange: The exchange; `None` for a rule that all bytes of a stream show.
    """

    rule: str
    reason: str
    exchange: Exchange | None = None


class Played(NamedTuple):
    """How a conversation went: this many exchanges were played, the last one of which may have faults.

    Where it `is_late`, the answer to that one did not end in time.
    """

    conversation: Conversation
    exchanges: int
    faults: list[Fault]
    is_late: bool = False


async def play(client: httpx.AsyncClient, conversation: Conversation, run: str) -> Played:
    """Have a conversation, up to the first answer that differs. The ids of its sessions have `run` in them."""
    async with anyio.create_task_group() as tasks:
        values = {name: value_now(given) for name, given in conversation.values.items()}
        player = _Player(client, tasks, Known(run=run, long=40_000 * "x", **values), values.get(_OWN))
        faults: list[Fault] = []
        count = 0
        is_late = False
        for exchange in conversation.exchanges:
            count += 1
            try:
                await player.replay(exchange)
            except _WRONG as error:
                faults += [Fault(rule, _shown(error), exchange) for rule in exchange.shows]
                is_late = isinstance(error, LateError)
                break
        await player.remove_sessions()
        tasks.cancel_scope.cancel()
    return Played(conversation, count, faults + player.stream_faults(), is_late)


class _Player:
    def __init__(
        self, client: httpx.AsyncClient, tasks: anyio.abc.TaskGroup, known: Known, own_token: str | None
    ) -> None:
        self._client = client
        self._tasks = tasks
        self._known = known
        self._own = {} if own_token is None else {"Authorization": f"Bearer {own_token}"}
        self._kept: dict[str, OpenStream] = {}
        self._streams: list[OpenStream] = []
        self._faults: dict[str, str] = {}
        self._sessions: set[str] = set()  # Their paths.

    async def replay(self, exchange: Exchange) -> None:
        """Send the request and compare the answer, or raise a `MismatchError`."""
        answer = exchange.answer
        if exchange.request is None:
            await self._read(self._kept[exchange.stream], answer)
        elif "events" in answer:
            await self._open(exchange.request, answer)
        else:
            until = anyio.current_time() + answer.get("within_s", 0)
            while anyio.current_time() < until:
                with suppress(MismatchError):
                    await self._ask(exchange.request, answer)
                    return
                await anyio.sleep(QUIET_S)
            await self._ask(exchange.request, answer)

    def stream_faults(self) -> list[Fault]:
        """Return what the bytes of all streams so far break, each rule once."""
        sent: dict[tuple[str, str], str] = {}
        faults = {rule: reason for each in self._streams for rule, reason in stream_rules.faults(each.text, sent)}
        return [Fault(rule, _shown(reason)) for rule, reason in (self._faults | faults).items()]

    async def remove_sessions(self) -> None:
        """Remove the sessions that the conversation has named, each though the removal of another one fails."""
        for path in self._sessions:
            with suppress(*_WRONG):
                await self._answer_to(self._client.build_request("DELETE", path, headers=self._own))

    async def _answer_to(self, request: httpx.Request) -> tuple[httpx.Response, bytes]:
        """Return the answer and its body, as it was sent: what it is compressed to has no bound."""
        content = Content()
        try:
            with anyio.fail_after(DEADLINE_S):
                response = await self._client.send(request, stream=True)
                try:
                    async for chunk in response.aiter_raw():
                        content.add(chunk)
                finally:
                    await response.aclose()
        except TimeoutError:
            raise LateError(f"the answer does not end within {DEADLINE_S:.0f} s") from None
        return response, bytes(content)

    async def _ask(self, request: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        sending = [self._answer_to(self._built(request)) for _ in range(request.get("at_once", 1))]
        for response, content in await asyncio.gather(*sending):
            self._check(response, content, answer)

    def _check(self, response: httpx.Response, content: bytes, answer: Mapping[str, Any]) -> None:
        self._sessions |= set(_SESSION.findall(response.headers.get("Location", "")))
        self._check_head(response, answer)
        body: Any = parsed(content) if {"problem", "json"} & answer.keys() else None
        if "problem" in answer:
            self._known.match("application/problem+json${_:rest}", response.headers.get("Content-Type"), "Content-Type")
            expected = {"type": answer["problem"], "status": answer["status"], "success": False}
            self._known.match(expected, {key: body.get(key) for key in expected}, "the problem")
        for key, value in (("json", body), ("text", content.decode(errors="replace"))):
            if key in answer:
                self._known.match(answer[key], value, "the body")

    async def _open(self, request: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        stream = OpenStream()
        self._streams.append(stream)
        try:
            with anyio.fail_after(DEADLINE_S):
                response = await self._tasks.start(stream.read, self._client, self._built(request))
        except TimeoutError:
            raise LateError(f"the stream does not begin within {DEADLINE_S:.0f} s") from None
        self._check_head(response, answer)
        self._kept[answer.get("keep", "")] = stream
        await self._read(stream, answer)
        path, _, rest = request["path"].rpartition("/events")
        if not rest and answer["events"] and answer["events"][0]["event"] == "snapshot":
            poll = self._client.build_request("GET", self._known.fill(path), headers=self._own)
            polled = (await self._answer_to(poll))[1].decode(errors="replace")
            if polled != stream.events[0].data:
                self._faults["P-5.5"] = f"a snapshot {stream.events[0].data!r}, and a poll {polled!r}"

    async def _read(self, stream: OpenStream, answer: Mapping[str, Any]) -> None:
        expected = answer["events"]
        events = await stream.next_events(len(expected))
        if answer.get("in_any_order"):
            expected = sorted(expected, key=_subject)
            events = sorted(events, key=_subject)
        self._known.match(expected, events, "the events")
        await {"end": stream.ends, "heartbeat": stream.beats, "open": stream.stays_open}[answer["then"]]()

    def _built(self, request: Mapping[str, Any]) -> httpx.Request:
        path = self._known.fill(request["path"])
        text = request.get("text")
        self._client.cookies.clear()  # A request has those that its headers give it.
        self._sessions |= set(_SESSION.findall(path))
        return self._client.build_request(
            request["method"],
            path,
            headers={name: self._known.fill(value) for name, value in request.get("headers", {}).items()},
            content=text and text * request.get("times", 1),
            json=self._known.filled(request.get("json")),
            timeout=httpx.Timeout(DEADLINE_S, read=None),
        )

    def _check_head(self, response: httpx.Response, answer: Mapping[str, Any]) -> None:
        self._known.match(answer["status"], response.status_code, "the status")
        for name, pattern in answer.get("headers", {}).items():
            self._known.match(pattern, response.headers.get(name), name)


def _shown(reason: object) -> str:
    """Return a reason without what could control a terminal, or never ends."""
    return one_line(fit_text(reason, MAX_REASON_CHARS)) or type(reason).__name__


def _subject(event: dict[str, Any]) -> str:
    return f"{event['event']} {event['data'].get('session_id')}"
