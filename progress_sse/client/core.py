"""What to send next, what an answer means, and when to try again: pure, with the time handed in.

An `Outbox` holds what is still to be told of one session. One request of it is under way at a time, so that the server
hears things in the order in which they happened; but that one may take along what else waits.

* **Commands** (create, start, complete) wait in line, and are sent in order; none is merged into another.
* **Advances** wait one per step: a newer one takes the place of an older one, or what waits is only read when it is
  sent. They go when no command waits, and at most ten times a second. So an advance never overtakes its start; and one
  whose step has meanwhile ended or begun anew is not sent at all, since nobody could see it.
* **Commands go together** where several wait and the way to the server takes that. Each has its answer. A refusal of
  all of them says nothing of each, so fewer are tried, and at last each by itself.
* **Each report has its key**, made when it is first sent, and sent again with it: the server applies it once.
* **What passes is waited for.** No answer, 5xx, 429, and a key still under way (409) are tried again after a pause: as
  long as `Retry-After` says, and then a random part of a span that doubles up to `LONGEST_PAUSE_S`. Any other
  answer but success is a refusal, and that report is given up.
* **The queue has a bound.** Past `MAX_WAITING` reports the oldest advance goes, and where there is none the oldest
  start or completion. A server that is away for `PATIENCE_S` costs the advances that wait; starts and completions go on
  waiting, since without them the session would never be right again.

What happens along the way comes out as events, for the shells to log or raise. What must not go in here: I/O, a clock,
locks, logging.
"""

import email.utils
import json
import math
import random
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeAlias
from urllib.parse import quote

from progress_sse.client.errors import ReportError, ReportRefusedError, ServerAwayError
from progress_sse.client.reports import Advance, Complete, Create, Latest, News, Report, Start

MAX_WAITING: Final = 1000
"""Reports of one session that may wait."""

ADVANCE_INTERVAL_S: Final = 0.1
"""Seconds, at least, between two advances of a step."""

PATIENCE_S: Final = 60.0
"""Seconds of a server's absence after which the advances that wait are dropped, and an answer of 500 is final."""

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 10.0
"""Seconds, at most, before the first retry, and before any."""

MAX_TOGETHER: Final = 50
"""Reports that go together, at most; where their texts make that too large for the server, fewer do."""

LONGEST_RETRY_AFTER_S: Final = 300.0
"""Seconds beyond which no `Retry-After` is believed."""

MAX_DETAIL_CHARS: Final = 500
"""Characters that are shown of what the server says."""

_NO_SUCH_PATH: Final = frozenset({404, 405})
"""What a server answers that takes one report at a time."""

_TOO_MANY: Final = 429
_PASSING: Final = frozenset({0, _TOO_MANY, 502, 503, 504})
_KEY_IN_USE: Final = "idempotency-key-in-use"


class Request(NamedTuple):
    """A report on its way, and the key that makes sending it twice harmless."""

    session_id: str
    report: Report
    key: str


class Answer(NamedTuple):
    """What came back.

    Attributes:
        status: The HTTP status; 0 where no answer came, or none that the server can have given.
        problem: Last segment of the problem type.
        detail: What is wrong, in one sentence.
        retry_after_s: Seconds to wait at least, where the server said so.
    """

    status: int
    problem: str = ""
    detail: str = ""
    retry_after_s: float | None = None

    @property
    def is_success(self) -> bool:
        """Whether the report was applied."""
        return 200 <= self.status < 300

    @property
    def is_passing(self) -> bool:
        """Whether the same request may fare better later."""
        return self.status in _PASSING or self.problem == _KEY_IN_USE

    @property
    def may_pass(self) -> bool:
        """Whether it is worth trying for some time, but not for ever."""
        return self.is_passing or self.status >= 500

    def __str__(self) -> str:
        """Return what to tell people."""
        return f"{self.status or ''} {self.detail or self.problem or 'no answer'}".strip()


@dataclass(frozen=True, slots=True)
class Away:
    """The server does not answer as it should; what is reported waits."""

    reason: str


@dataclass(frozen=True, slots=True)
class Back:
    """The server answers again, after so many seconds, in which so many reports were given up."""

    away_s: float
    lost: int


@dataclass(frozen=True, slots=True)
class Lost:
    """Something was given up for good."""

    error: ReportError


Event: TypeAlias = Away | Back | Lost


@dataclass(slots=True)
class _Operation:
    report: Report
    key: str = field(default_factory=lambda: str(uuid.uuid4()))
    failing_since: float | None = None
    is_pointless: bool = False


class Outbox:
    """What is still to be told of one session; see the module."""

    def __init__(self, session_id: str, *, chance: Callable[[], float] = random.random) -> None:
        """Begin with nothing; `chance` gives numbers from 0 to 1."""
        self.session_id = session_id
        self.lost = 0
        self._chance = chance
        self._commands: deque[_Operation] = deque()
        self._advances: dict[int, Advance | Latest | _Operation] = {}
        self._paced: dict[int, float] = {}
        self._sending: list[_Operation] = []
        self._together = MAX_TOGETHER
        self._events: list[Event] = []
        self._not_before = -math.inf
        self._asked_until = -math.inf
        self._failures = 0
        self._away_since: float | None = None
        self._lost_before = 0
        self._has_warned_of_loss = False

    @property
    def is_empty(self) -> bool:
        """Whether all has been told, or given up."""
        return not (self._sending or self._commands or self._advances)

    def put(self, report: News) -> bool:
        """Take in a report; tell whether `wake_at` may have changed by it."""
        if isinstance(report, Advance | Latest):
            before = self._advances.get(report.step)
            is_news = before is None
            if isinstance(before, Latest):
                before.is_waiting = False
            if isinstance(report, Latest):
                report.is_waiting = True
            self._advances[report.step] = report
        else:
            is_news = True
            if not isinstance(report, Create):
                self._forget_advances(report.step)
            self._commands.append(_Operation(report))
        if is_news and len(self._commands) + len(self._advances) > MAX_WAITING:
            self._drop_oldest()
        return is_news

    def next(self, now: float, *, alone: bool = True) -> list[Request]:
        """Return what to send now; `take` or `refuse` must follow before the next.

        Args:
            now: The time.
            alone: Whether it can be one report at most.
        """
        if self._sending or now < self._not_before:
            return []
        if self._commands:
            self._sending = self._next_commands(1 if alone else self._together)
        else:
            self._sending = self._due_advance(now)
        return [Request(self.session_id, each.report, each.key) for each in self._sending]

    def wake_at(self) -> float:
        """Return when `next` will have something; infinity, if that takes another report or an answer."""
        if self._sending or self.is_empty:
            return math.inf
        if self._commands:
            return self._not_before
        return max(self._not_before, min(self._paced.get(step, -math.inf) for step in self._advances))

    def take(self, requests: Sequence[Request], answers: Sequence[Answer], now: float) -> None:
        """Take in what came back for each; if they were retracted meanwhile, somebody else will have the answers."""
        if not self._is_sending(requests):
            return
        sent, self._sending = self._sending, []
        failed: list[tuple[_Operation, Answer]] = []
        for operation, answer in zip(sent, answers, strict=True):
            if answer.is_success:
                self._come_back(now)
            elif answer.may_pass and not self._is_hopeless(operation, answer, now):
                failed.append((operation, answer))
            else:
                self._come_back(now)
                self._lose(_refusal(operation.report, answer))
        for operation, _ in reversed(failed):
            self._put_back(operation)
        if failed:
            self._pause(failed[0][1], now)
        elif all(answer.is_success for answer in answers):
            self._together = min(2 * self._together, MAX_TOGETHER)

    def refuse(self, requests: Sequence[Request], answer: Answer, now: float) -> None:
        """Take in what came back for all of several together, of which none was looked at."""
        if not self._is_sending(requests):
            return
        self.retract()
        if answer.status in _NO_SUCH_PATH:
            self._together = 0
        elif answer.status == _TOO_MANY or not answer.is_passing:
            self._together = len(requests) // 2
        if answer.is_passing:
            self._pause(answer, now)

    def _is_sending(self, requests: Sequence[Request]) -> bool:
        return [each.key for each in self._sending] == [each.key for each in requests] != []

    def retract(self) -> None:
        """Let what is under way wait again, under its key: whoever sent it will never know what came back."""
        sent, self._sending = self._sending, []
        for operation in reversed(sent):
            self._put_back(operation)

    def hurry(self, now: float) -> None:
        """Let a pause end that nobody but we asked for: this may be the last chance."""
        self._not_before = max(min(self._not_before, now), self._asked_until)

    def forget(self) -> None:
        """Drop everything: another process tells it."""
        self._commands.clear()
        self._take_out_all()
        self._sending = []

    def events(self) -> list[Event]:
        """Return what happened since the last call."""
        events, self._events = self._events, []
        return events

    def _take_out(self, step: int) -> Advance | Latest | _Operation:
        waiting = self._advances.pop(step)
        if isinstance(waiting, Latest):
            waiting.is_waiting = False
        return waiting

    def _take_out_all(self) -> int:
        steps = list(self._advances)
        for step in steps:
            self._take_out(step)
        return len(steps)

    def _forget_advances(self, step: int) -> None:
        if step in self._advances:
            self._take_out(step)
        self._paced.pop(step, None)
        for sending in self._sending:
            if isinstance(sending.report, Advance) and sending.report.step == step:
                sending.is_pointless = True

    def _next_commands(self, most: int) -> list[_Operation]:
        """Take the commands out that may go together: a creation, which is a request of another kind, goes alone."""
        taken = [self._commands.popleft()]
        while self._commands and len(taken) < most and not isinstance(taken[0].report, Create):
            if isinstance(self._commands[0].report, Create):
                break
            taken.append(self._commands.popleft())
        return taken

    def _due_advance(self, now: float) -> list[_Operation]:
        for step in self._advances:
            if self._paced.get(step, now) <= now:
                self._paced[step] = now + ADVANCE_INTERVAL_S
                waiting = self._take_out(step)
                if isinstance(waiting, Latest):
                    waiting = waiting.read()
                return [waiting if isinstance(waiting, _Operation) else _Operation(waiting)]
        return []

    def _put_back(self, sent: _Operation) -> None:
        if not isinstance(sent.report, Advance):
            self._commands.appendleft(sent)
        elif not sent.is_pointless:
            # Where a newer advance waits, this one has lost its point.
            self._advances.setdefault(sent.report.step, sent)

    def _is_hopeless(self, sent: _Operation, answer: Answer, now: float) -> bool:
        if answer.is_passing:
            return False
        if sent.failing_since is None:
            sent.failing_since = now
        return now - sent.failing_since >= PATIENCE_S

    def _pause(self, answer: Answer, now: float) -> None:
        longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(self._failures, 10))
        self._asked_until = now + min(answer.retry_after_s or 0, LONGEST_RETRY_AFTER_S)
        self._not_before = self._asked_until + longest * self._chance()
        self._failures += 1
        if self._away_since is None:
            self._away_since = now
            self._lost_before = self.lost
            self._events.append(Away(str(answer)))
        elif now - self._away_since >= PATIENCE_S and not self._has_warned_of_loss:
            self._give_up_advances(answer)

    def _give_up_advances(self, answer: Answer) -> None:
        dropped = self._take_out_all()
        waiting = len(self._commands)
        self._lose(
            ServerAwayError(
                f"no success for {PATIENCE_S:g} s ({answer}): {dropped} reports of progress were dropped, "
                f"{waiting} starts and completions wait on"
            ),
            dropped,
        )
        self._has_warned_of_loss = True

    def _drop_oldest(self) -> None:
        if self._advances:
            self._take_out(next(iter(self._advances)))
        else:
            # The creation stays: without it a start would create a session of other steps.
            del self._commands[isinstance(self._commands[0].report, Create)]
        if self._has_warned_of_loss:
            self.lost += 1
            return
        self._has_warned_of_loss = True
        self._lose(ServerAwayError(f"more than {MAX_WAITING} reports wait: the oldest are being dropped"))

    def _lose(self, error: ReportError, count: int = 1) -> None:
        self.lost += count
        self._events.append(Lost(error))

    def _come_back(self, now: float) -> None:
        if self._away_since is not None:
            self._events.append(Back(now - self._away_since, self.lost - self._lost_before))
        self._away_since = None
        self._has_warned_of_loss = False
        self._failures = 0
        self._not_before = self._asked_until = -math.inf


def _refusal(report: Report, answer: Answer) -> ReportRefusedError:
    what = type(report).__name__.lower()
    if not isinstance(report, Create):
        what += f" of step {report.step}"
    return ReportRefusedError(f"{what} was refused: {answer}", answer.status, answer.problem)


class Message(NamedTuple):
    """A request as HTTP has it; the path follows the server's URL."""

    method: str
    path: str
    body: bytes


def encode(request: Request) -> Message:
    """Return what to send [docs/protocol.md]."""
    path = f"/api/progress/{quote(request.session_id, safe='')}"
    body = json.dumps(_body(request.report), separators=(",", ":")).encode()
    if isinstance(request.report, Create):
        return Message("PUT", f"{path}?replace=true", body)
    return Message("POST", f"{path}/update", body)


def _body(report: Report) -> dict[str, Any]:
    match report:
        case Create(steps=None, workflow=None):
            return {}
        case Create(steps=None, workflow=workflow):
            return {"workflow": workflow}
        case Create(steps=steps):
            assert steps is not None
            return {
                "steps": [
                    {"name": each.name, "timeout_ms": each.timeout_ms, "estimated_ms": each.estimated_ms}
                    for each in steps
                ]
            }
        case Start(step, timeout_ms):
            return {"action": "start", "step": step, "timeout_ms": timeout_ms}
        case Advance(step, current, total, message):
            return {"action": "progress", "step": step, "current": current, "total": total, "message": message}
        case Complete(step, success, message, error):
            return {"action": "complete", "step": step, "success": success, "message": message, "error": error}


def read_answer(status: int, headers: Mapping[str, str], content: bytes) -> Answer:
    """Return what an HTTP response says; header names are in lower case, or compared without case."""
    fields = _fields(content)
    if not 200 <= status < 300:
        return _problem(status, headers, fields)
    return Answer(status) if "session_id" in fields else _not_ours(status)


def encode_together(requests: Sequence[Request]) -> Message:
    """Return what to send for several; none of them is a creation."""
    updates = [
        {"session_id": session_id, "idempotency_key": key, **_body(report)} for session_id, report, key in requests
    ]
    return Message("POST", "/api/updates", json.dumps({"updates": updates}, separators=(",", ":")).encode())


def read_answers(status: int, headers: Mapping[str, str], content: bytes, count: int) -> list[Answer] | Answer:
    """Return what an HTTP response says of each of so many, or one answer if none of them was looked at."""
    fields = _fields(content)
    if not 200 <= status < 300:
        return _problem(status, headers, fields)
    results = fields.get("results")
    if not isinstance(results, list) or len(results) != count:
        return _not_ours(status)
    return [_result(each) for each in results]


def _result(result: Any) -> Answer:
    status = result.get("status") if isinstance(result, dict) else None
    if not isinstance(status, int):
        return _not_ours(200)
    return Answer(status) if 200 <= status < 300 else _problem(status, {}, result)


def _fields(content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _not_ours(status: int) -> Answer:
    return Answer(0, detail=f"the answer, of status {status}, is not that of a progress server")


def _problem(status: int, headers: Mapping[str, str], fields: Mapping[str, Any]) -> Answer:
    return Answer(
        status,
        _shown(fields.get("type", "")).rpartition("/")[2],
        _shown(fields.get("detail") or (f"see {headers['location']}" if "location" in headers else "")),
        retry_after_s(headers),
    )


def _shown(said: object) -> str:
    """Return what somebody said as it may get into the log of a job: as a part of a line."""
    text = str(said)[:MAX_DETAIL_CHARS]
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that `Retry-After` asks for, which has a number of them or a date [RFC 9110 §10.2.3]."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        # By the server's own clock: ours may be wrong.
        until, now = (email.utils.parsedate_to_datetime(text) for text in (value, headers.get("date", "")))
        return max(0.0, (until - now).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None
