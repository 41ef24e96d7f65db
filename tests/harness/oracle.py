"""Compares the POSTs of workers with the events that subscribers saw.

Workers log each POST when it is sent, and then as `ok`, `fail`, or `indeterminate` (no response, or one that leaves the
outcome open). Subscribers log each event. `Oracle.check` then reports what was *lost* (ok, but neither seen nor inside
a snapshot), *phantom* (seen, but never sent), *duplicate*, *reordered*, and where a view *diverged* (fold of snapshot
and steps ≠ final poll). An indeterminate POST may show once or not at all.

Each transition carries a tag of its own: a start in its `timeout_ms`, a description in its `title`, the end of a
session in its `error`, a report on a step in its `message`. A transition that only a snapshot tells carries none.
`fold` is written from docs/protocol.md alone, and shares nothing with the package.
"""

import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.harness.event_stream import Block, Position
from tests.harness.serving import Worker

Body = dict[str, Any]

POLL_KEYS = ("session_id", "current_step", "total_steps", "status", "steps", "percentage", "estimated_remaining_ms")
SESSION_KEYS = (
    *("title", "labels", "links", "open_ended", "error", "conclusion", "time", "accepts", "requests", "log"),
)
STEP_KEYS = ("step", "name", "status", "started_at", "completed_at", "elapsed_ms", "timeout_ms", "message", "error")
PENDING_KEYS = ("step", "name", "status", "elapsed_ms", "timeout_ms")


def fold(snapshot: Body, event: Body) -> Body:
    """The polling body after a `step` or `session` event: its step and session replace those of the snapshot.

    Raises:
        ValueError: The event is of another session, or of a session of another length: a snapshot is missing between.
    """
    session, optional = event["session"], [key for key in SESSION_KEYS if key in event["session"]]
    if set(event) - {"step"} != {"session"} or list(session) != [*POLL_KEYS[:4], *POLL_KEYS[5:], *optional]:
        raise ValueError(f"no step or session event: {event}")
    steps = {entry["step"]: entry for entry in snapshot["steps"]}
    if "step" in event:
        steps[event["step"]["step"]] = event["step"]
    for key, expected in (("session_id", snapshot["session_id"]), ("total_steps", len(steps))):
        if expected != session[key]:
            raise ValueError(f"{key} is {session[key]!r} in the event, {expected!r} after folding")
    own = {key: list(steps.values()) if key == "steps" else session[key] for key in POLL_KEYS}
    return own | {key: session[key] for key in optional}


def fold_all(blocks: Iterable[Block]) -> Body:
    """The polling body after a run of `snapshot`, `step` and `session` events, which begins with a snapshot."""
    state: Body | None = None
    for block in blocks:
        if block.event == "snapshot":
            state = block.json()
        elif block.event in ("step", "session"):
            assert state is not None, "a change before any snapshot"
            state = fold(state, block.json())
    assert state is not None, "no snapshot"
    return state


def tag_of(event: Body) -> str:
    """The tag of the transition in a `step` or `session` event."""
    if "step" not in event:
        return str(event["session"]["title"])
    step = event["step"]
    if step.get("error", "").startswith("finish-"):
        return str(step["error"])
    return step["message"] or f"start-{step['timeout_ms']}"


@dataclass(slots=True)
class Post:
    """One POST and its outcome: `ok`, `fail` or `indeterminate`; `status` is that of the last response."""

    session_id: str
    tag: str
    outcome: str = "indeterminate"
    body: Body = field(default_factory=dict)
    status: int | None = None


@dataclass(slots=True)
class Sighting:
    """One event as a subscriber saw it, and the state after it."""

    kind: str
    tag: str
    state: Body
    position: Position | None


@dataclass(slots=True)
class View:
    """All that one subscriber saw of one session, over all its connections."""

    sightings: list[Sighting] = field(default_factory=list)

    @property
    def state(self) -> Body | None:
        """The polling body as this subscriber knows it; `None` before its first snapshot."""
        return self.sightings[-1].state if self.sightings else None

    def saw(self, block: Block, *, has_position: bool = True) -> None:
        """Log an event; `has_position` is false on a stream of several sessions, whose ids have another form."""
        position = block.position if has_position else None
        event = block.json()
        if block.event == "snapshot":
            self.sightings.append(Sighting("snapshot", "", event, position))
            return
        assert self.state is not None, f"a transition before any snapshot: {event}"
        self.sightings.append(Sighting(block.event, tag_of(event), fold(self.state, event), position))


@dataclass(slots=True)
class Verdict:
    """The faults, each as a list of sentences or tags; all lists are empty if there are none."""

    lost: list[str] = field(default_factory=list)
    phantom: list[str] = field(default_factory=list)
    duplicate: list[str] = field(default_factory=list)
    reordered: list[str] = field(default_factory=list)
    diverged: list[str] = field(default_factory=list)

    def is_clean(self) -> bool:
        return not any((self.lost, self.phantom, self.duplicate, self.reordered, self.diverged))


class Oracle:
    """The log of one delivery check."""

    def __init__(self) -> None:
        self.posts: list[Post] = []
        self._numbers = itertools.count(1000)
        self._views: dict[str, dict[str, View]] = defaultdict(dict)

    # Logging

    def view(self, session_id: str, subscriber: str) -> View:
        """The log of a subscriber of a session; made on first use."""
        return self._views[session_id].setdefault(subscriber, View())

    async def post(self, worker: Worker, session_id: str, action: str, step: int | None = None, **more: Any) -> Post:
        """POST an update with a tag and an idempotency key of its own, and log the outcome."""
        number = next(self._numbers)
        tag = f"{action}-{number}"
        marks: dict[str, Body] = {"start": {"timeout_ms": number}, "describe": {"title": tag}, "finish": {"error": tag}}
        about: Body = {} if step is None else {"step": step}
        post = Post(session_id, tag, body={"action": action, **about, **marks.get(action, {"message": tag}), **more})
        self.posts.append(post)
        await self.send(worker, post)
        return post

    async def send(self, worker: Worker, post: Post) -> None:
        try:
            response = await worker.update(post.session_id, key=f"key-{post.tag}", **post.body)
        except httpx.TransportError:
            post.outcome, post.status = "indeterminate", None
        else:
            post.outcome, post.status = _outcome(response), response.status_code

    # Checking

    def check(self, session_id: str, final: Body) -> Verdict:
        """Compare the POSTs and events of a session that no longer changes, and polls as `final`."""
        verdict = Verdict()
        views = self._views[session_id]
        known = self._known(views.values(), verdict)
        self._check_posts(session_id, known, views.values(), verdict)
        order = {tag: index for index, tag in enumerate(known.values())}
        for name, view in views.items():
            for problem, text in _walk(view, order):
                getattr(verdict, problem).append(f"{name}: {text}")
            if view.state != final:
                verdict.diverged.append(f"{name}: {_difference(view.state, final)}")
        return verdict

    def snapshots(self, session_id: str) -> dict[str, int]:
        """The number of snapshots of a session that each subscriber got, over all its connections."""
        views = self._views[session_id]
        return {name: sum(each.kind == "snapshot" for each in view.sightings) for name, view in views.items()}

    @staticmethod
    def _known(views: Iterable[View], verdict: Verdict) -> dict[Position, str]:
        """The transition at each position that any subscriber saw, in order."""
        known: dict[Position, str] = {}
        for sighting in itertools.chain.from_iterable(view.sightings for view in views):
            if sighting.kind == "snapshot" or sighting.position is None:
                continue
            if known.setdefault(sighting.position, sighting.tag) != sighting.tag:
                verdict.diverged.append(f"{sighting.position} is {known[sighting.position]} and {sighting.tag}")
        return dict(sorted(known.items(), key=lambda item: item[0].offset))

    def _check_posts(
        self, session_id: str, known: dict[Position, str], views: Iterable[View], verdict: Verdict
    ) -> None:
        posts = [post for post in self.posts if post.session_id == session_id]
        tags = Counter(known.values())
        verdict.duplicate += [f"{tag} at {count} positions" for tag, count in tags.items() if count > 1]
        verdict.phantom += sorted(set(tags) - {post.tag for post in posts if post.outcome != "fail"})
        missing = [post.tag for post in posts if post.outcome == "ok" and post.tag not in tags]
        # A snapshot may stand for transitions that no subscriber saw alone: as many as positions without a known one.
        last = max((s.position.offset for view in views for s in view.sightings if s.position is not None), default=0)
        verdict.lost += missing[last - len(known) :] if last > len(known) else missing


def _outcome(response: httpx.Response) -> str:
    if response.status_code == 200:
        return "ok"
    return "indeterminate" if "unknown" in response.text else "fail"


def _walk(view: View, order: dict[str, int]) -> Iterator[tuple[str, str]]:
    """Check a view event by event; yield each departure from "in order, none missing, none twice"."""
    index: int | None = None
    position: Position | None = None
    for sighting in view.sightings:
        if sighting.kind == "snapshot":
            if position and sighting.position and _is_step_back(position, sighting.position):
                yield "reordered", f"snapshot {sighting.position} after {position}"
            index, position = None, sighting.position
            continue
        here = order.get(sighting.tag)
        if position is not None and sighting.position is not None:
            if sighting.position.epoch != position.epoch:
                yield "diverged", f"a step of another epoch: {sighting.position} after {position}"
            yield from _compare(sighting.position.offset - position.offset, sighting.tag)
        elif index is not None and here is not None:
            yield from _compare(here - index, sighting.tag)
        index, position = here, sighting.position


def _is_step_back(before: Position, after: Position) -> bool:
    return after.epoch == before.epoch and after.offset < before.offset


def _compare(advance: int, tag: str) -> Iterator[tuple[str, str]]:
    if advance > 1:
        yield "lost", f"{advance - 1} transitions before {tag}"
    elif advance == 0:
        yield "duplicate", f"{tag} twice in a row"
    elif advance < 0:
        yield "reordered", f"{tag} came {-advance} too late, or again"


def _difference(seen: Body | None, final: Body) -> str:
    if seen is None:
        return "never saw a snapshot"
    keys = [key for key in final if seen.get(key) != final[key]]
    return "; ".join(f"{key}: {json.dumps(seen.get(key))[:300]} ≠ {json.dumps(final[key])[:300]}" for key in keys)
