"""Makes the notices of a transition, for each hook that wants one."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final
from urllib.parse import quote

from progress_sse.core.model import Position, Session
from progress_sse.core.notices import NoticeEvent, events_of
from progress_sse.core.session_filter import Label, state_of
from progress_sse.core.state_machine import Outcome
from progress_sse.core.subscriptions import has_expired
from progress_sse.notices.hooks_file import Hook
from progress_sse.store.outbox import Notice
from progress_sse.wire.notice_json import encode_notice, encode_push, notice_id
from progress_sse.wire.session_json import split_transition


class NoticeMaker:
    """The hooks, as commits ask them; see `store.change_builder.MakeNotices`."""

    needs_subscriptions = False

    def __init__(self, hooks: Sequence[Hook], public_url: str | None = None) -> None:
        """Make notices for `hooks`; those of pages below `public_url` name the page of their session."""
        self.prefixes = tuple(hook.wanted.prefix for hook in hooks)
        self.labels: frozenset[Label] | None = None
        if all(hook.wanted.labels for hook in hooks):
            self.labels = frozenset[Label]().union(*(hook.wanted.labels for hook in hooks))
        self._hooks = hooks
        self._public_url = public_url

    def __call__(
        self, before: Session | None, outcome: Outcome, position: Position, now: datetime, encoded: bytes | None
    ) -> Sequence[Notice]:
        """Return the notices of a transition to `position` that is committed now."""
        events = tuple(events_of(before, outcome))
        if not events:
            return ()
        session = outcome.session
        assert session is not None
        session_id = session.progress.session_id
        state = state_of(session.progress)
        labels = session.details.labels
        hooks = [hook for hook in self._hooks if hook.wanted.matches(session_id, state, labels)]
        page = None if self._public_url is None else f"{self._public_url}/s/{quote(session_id, safe='')}"
        step = outcome.steps[0] if len(outcome.steps) == 1 else None
        summary = None if encoded is None else split_transition(encoded)[1]
        made_ms = int(now.timestamp() * 1000)
        notices: list[Notice] = []
        for event in events:
            wanting = [hook.name for hook in hooks if event in hook.events]
            body = encode_notice(event, session, position, step, page, summary) if wanting else b""
            for name in wanting:
                message_id = notice_id(position, event, name, session.progress.updated_at)
                notices.append(Notice(message_id, name, session_id, made_ms, body))
        return notices


PUSH_EVENTS: Final[frozenset[NoticeEvent]] = frozenset({"completed", "failed", "cancelled", "stalled"})


class PushNoticeMaker:
    """The subscriptions of sessions, as commits ask them; each has a lane, in which the newest notice alone waits."""

    prefixes: tuple[str, ...] = ("",)
    labels: frozenset[Label] | None = None
    needs_subscriptions = True

    def __init__(self, queue_of: Callable[[str], str | None]) -> None:
        """Send what has an endpoint into its queue; `None` where it has none any more."""
        self._queue_of = queue_of

    def __call__(
        self, before: Session | None, outcome: Outcome, position: Position, now: datetime, _encoded: bytes | None
    ) -> Sequence[Notice]:
        """Return a notice of the last event for each subscription."""
        events = [event for event in events_of(before, outcome) if event in PUSH_EVENTS]
        session = outcome.session
        if not events or session is None:
            return ()
        event = events[-1]
        made_ms = int(now.timestamp() * 1000)
        session_id = session.progress.session_id
        updated_at = session.progress.updated_at
        notices: list[Notice] = []
        for each in session.details.subscriptions:
            queue = self._queue_of(each.endpoint)
            if queue is not None and not has_expired(each, now):
                body = encode_push(event, session, position.epoch, each, made_ms)
                message_id = notice_id(position, event, f"{queue} {each.id}", updated_at)
                notices.append(Notice(message_id, queue, f"{session_id}/{each.id}", made_ms, body, 1))
        return notices
