"""Grants as values: the rights of a token, and whether they cover an action.

``token_authorizer`` decides which grant a token has.
"""

import hmac
from collections.abc import Sequence
from typing import Annotated, Final, Literal, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field

from progress_sse.wire.text import Text

Action: TypeAlias = Literal["read", "publish", "list", "control", "admin"]
"""To follow a session; to create, change and delete it; to list sessions; to ask its worker; to manage hooks."""


class Grant(BaseModel):
    """The rights of a token, as its claims state them.

    Attributes:
        sessions: Ids of sessions that it covers.
        prefixes: Prefixes of the ids of further sessions that it covers; the empty prefix covers all.
        actions: The actions that it allows on them. Unknown actions have no effect.
        expires_at: When it ends, in seconds since 1970; `None` for never.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", validate_by_name=True)

    sessions: frozenset[Text] = frozenset()
    prefixes: tuple[Text, ...] = ()
    actions: frozenset[Text] = frozenset({"read"})
    expires_at: Annotated[float, Field(strict=True, allow_inf_nan=False)] | None = Field(None, alias="exp")

    def allows(self, action: Action, *session_ids: str | None) -> bool:
        """Return whether it allows an action on each of the sessions; without any, on some session.

        `None` stands for all sessions together, as in the list of them.
        """
        return action in self.actions and all(map(self._covers, session_ids))

    def _covers(self, session_id: str | None) -> bool:
        if session_id is None:
            return "" in self.prefixes
        return session_id in self.sessions or session_id.startswith(self.prefixes)

    def allows_list(self, prefix: str) -> bool:
        """Return whether it covers, and allows to list, all sessions whose ids begin with the prefix."""
        return "list" in self.actions and prefix.startswith(self.prefixes)

    def has_expired(self, now: float) -> bool:
        """Return whether it has expired at `now`, in seconds since 1970."""
        return self.expires_at is not None and self.expires_at <= now


EVERYTHING: Final = Grant(prefixes=("",), actions=frozenset(get_args(Action)))
"""The grant of a `publish_token`."""


def is_one_of(offered: bytes, known: Sequence[bytes]) -> bool:
    """Return whether the token is one of the known ones, in a time that does not reveal how similar it is."""
    matches = [hmac.compare_digest(offered, each) for each in known]  # Always compared with all.
    return True in matches
