"""The browsers of readers that are notified of a session's end by push, though its page is closed.

They are kept with the session, so that a commit knows them, a replacement begins without any, and a deletion deletes
them. No reader sees them.
"""

from datetime import datetime
from typing import Final, NamedTuple, TypeAlias

from progress_sse.core.errors import RequestOutOfTimeError, TooManySubscriptionsError

MAX_SUBSCRIPTIONS: Final = 20
"""Subscriptions that a session may have."""

MAX_ENDPOINT_CHARS: Final = 2048

MAX_OF_CALLER: Final = 5
"""Subscriptions to a session that one caller may have."""


class Subscription(NamedTuple):
    """A browser that gets a session's push messages.

    Attributes:
        id: A digest of session and endpoint, keyed by the server.
        endpoint: The URL at the browser's vendor; a secret.
        p256dh: The public key that messages are encrypted to, as base64url.
        auth: The secret that they are authenticated by, as base64url.
        language: The language of the words that it shows, as a tag; empty if it does not matter.
        caller: A digest of who subscribed.
        by_link: Whether its reader holds a link to the session alone.
        expires_at: When its reader's right to read ends, in seconds since 1970; `None`: never.
    """

    id: str
    endpoint: str
    p256dh: str
    auth: str
    language: str = ""
    caller: str = ""
    by_link: bool = False
    expires_at: float | None = None


Subscriptions: TypeAlias = tuple[Subscription, ...]


def subscribed(before: Subscriptions, added: Subscription, status: str, now: datetime) -> Subscriptions:
    """Return the subscriptions with another one, in place of that of its id; those that have expired make room.

    Raises:
        RequestOutOfTimeError: The session, of that status, is completed.
        TooManySubscriptionsError: There are too many, or too many of this caller.
    """
    if status == "completed":
        raise RequestOutOfTimeError
    others = tuple(each for each in before if each.id != added.id and not has_expired(each, now))
    of_caller = sum(each.caller == added.caller for each in others)
    if len(others) >= MAX_SUBSCRIPTIONS or of_caller >= MAX_OF_CALLER:
        raise TooManySubscriptionsError
    return before if added in before else (*others, added)


def unsubscribed(before: Subscriptions, subscription_id: str) -> Subscriptions:
    """Return the subscriptions without one; the same ones if it is not there."""
    after = tuple(each for each in before if each.id != subscription_id)
    return before if len(after) == len(before) else after


def has_expired(subscription: Subscription, now: datetime) -> bool:
    """Return whether its reader may read the session no more."""
    return subscription.expires_at is not None and subscription.expires_at <= now.timestamp()
