"""Who may do what, as values: what a bearer is granted, and whether that covers what is asked.

What must not go in here: requests, keys, clocks. Where a grant comes from is decided in ``gate``.
"""

import hmac
from collections.abc import Sequence
from typing import Annotated, Final, Literal, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field

from progress_sse.wire.text import Text

Action: TypeAlias = Literal["read", "publish", "list"]
"""To follow a session; to create, change and delete it; to see which sessions there are."""


class Grant(BaseModel):
    """What a bearer may do, as the claims of a token say it.

    Attributes:
        sessions: Ids of sessions that it covers.
        prefixes: What the ids of further sessions begin with that it covers; every id begins with the empty one.
        actions: What may be done with those. An action that is not known here is never asked for.
        expires_at: When that ends, in seconds since 1970; `None` for never.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", validate_by_name=True)

    sessions: frozenset[Text] = frozenset()
    prefixes: tuple[Text, ...] = ()
    actions: frozenset[Text] = frozenset({"read"})
    expires_at: Annotated[float, Field(strict=True, allow_inf_nan=False)] | None = Field(None, alias="exp")

    def allows(self, action: Action, *session_ids: str | None) -> bool:
        """Return whether it covers an action on every one of the sessions, or, without any, on some at all.

        `None` stands for all sessions together, as in the list of them.
        """
        return action in self.actions and all(map(self._covers, session_ids))

    def _covers(self, session_id: str | None) -> bool:
        if session_id is None:
            return "" in self.prefixes
        return session_id in self.sessions or session_id.startswith(self.prefixes)

    def has_ended(self, now: float) -> bool:
        """Return whether it is over, `now` being seconds since 1970."""
        return self.expires_at is not None and self.expires_at <= now


EVERYTHING: Final = Grant(prefixes=("",), actions=frozenset(get_args(Action)))
"""What a `publish_token` is worth."""


def is_one_of(offered: bytes, known: Sequence[bytes]) -> bool:
    """Return whether the token is one of those; the time taken tells nothing of how nearly."""
    fits = [hmac.compare_digest(offered, each) for each in known]  # All of them, always.
    return True in fits
