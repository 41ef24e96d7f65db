"""The body of a notice, and its id [Standard Webhooks]: made once, in the commit, and sent with each try."""

import json
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from progress_sse.core.model import Position, Session
from progress_sse.core.subscriptions import Subscription
from progress_sse.wire.json_text import encode_json
from progress_sse.wire.session_json import encode_listed, nine_keys

MAX_BODY_BYTES: Final = 16_384

MAX_TEXT_CHARS: Final = 1000
"""Characters of each error and message, before the `…` of one that is cut."""


def encode_notice(
    event: str,
    session: Session,
    position: Position,
    step: int | None,
    page: str | None,
    summary: bytes | None = None,
) -> bytes:
    """Return the body for an event: the session as lists show it, the step if one changed, and the session's page.

    Where it is too large, it lacks the links, then the labels too, and at last the step. `summary` is the session part
    of its transition.
    """
    head = (event.encode(), session.progress.updated_at.encode())
    where = {"position": str(position)} if page is None else {"position": str(position), "page": page}
    for smaller, number in _ever_smaller(session, step):
        listed = encode_listed(smaller, summary if smaller is session else None)
        further = encode_json(_shown(smaller, number) | where)[1:]
        # Joined of what is encoded, since a commit waits for it.
        body = b'{"type":"session.%b","timestamp":"%b","data":{"session":%b,%b}' % (*head, listed, further)
        if len(body) <= MAX_BODY_BYTES:
            break
    return body


def _ever_smaller(session: Session, step: int | None) -> Iterator[tuple[Session, int | None]]:
    if session.details.error is not None:
        session = session.with_details(session.details._replace(error=cut(session.details.error)))
    yield session, step
    yield session.with_details(session.details._replace(links=())), step
    bare = session.with_details(session.details._replace(links=(), labels={}))
    yield bare, step
    yield bare, None


def _shown(session: Session, number: int | None) -> dict[str, object]:
    if number is None:
        return {}
    step = session.progress.steps[number]
    shown = nine_keys(step)
    shown["message"] = cut(step.message)
    shown["error"] = cut(step.error)
    return {"step": shown}


def encode_push(event: str, session: Session, epoch: str, subscription: Subscription, made_ms: int) -> bytes:
    """Return the body of a notice for a browser, as only our servers read it: what is sent, where to, and until when.

    What is sent has no text of the job: the event, the session's id, and numbers.
    """
    progress = session.progress
    message: dict[str, object] = {
        "event": event,
        "session_id": progress.session_id,
        "percentage": session.percentage,
        "total_steps": progress.total_steps,
        "language": subscription.language,
    }
    if subscription.by_link:
        message["link"] = True
    return encode_json([epoch, subscription, message, made_ms])


class PushNotice(NamedTuple):
    """A notice for a browser, made at `made_ms`, of an epoch of the session that the message names."""

    epoch: str
    subscription: Subscription
    message: dict[str, Any]
    made_ms: int


def decode_push(body: bytes) -> PushNotice:
    """Return the notice that `encode_push` wrote."""
    epoch, subscription, message, made_ms = json.loads(body)
    return PushNotice(epoch, Subscription(*subscription), message, made_ms)


def cut(text: str) -> str:
    """Return the text, or its beginning with `…`."""
    return text if len(text) <= MAX_TEXT_CHARS else f"{text[:MAX_TEXT_CHARS]}…"


def notice_id(position: Position, event: str, queue: str, updated_at: str) -> str:
    """Return the id of a notice, by which a receiver finds out that it has had it."""
    text = "\n".join((position.epoch, str(position.offset), event, queue, updated_at))
    return f"msg_{blake2b(text.encode(), digest_size=16).hexdigest()}"
