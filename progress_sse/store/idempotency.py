"""Idempotency keys: which ones are in use, how long they count, and how a repeated request is answered.

Backends store the keys that were used; see ``RememberedKey``.
"""

from datetime import UTC, datetime

from progress_sse.core import state_machine
from progress_sse.core.commands import Command, Create, IdempotencyKey
from progress_sse.core.errors import KeyInUseError, KeyReusedError
from progress_sse.core.model import Position
from progress_sse.store.backend import Backend
from progress_sse.store.types import ANY_USE, KEY_LIFETIME, Applied, Change, Record, RememberedKey, fingerprint


class KeysInFlight:
    """The keys of the requests that this process has accepted and not yet answered."""

    def __init__(self) -> None:
        self._digests: dict[tuple[str, str], str] = {}

    def has(self, session_id: str, key: IdempotencyKey | None) -> bool:
        """Whether the same request is in flight under the same key."""
        return key is not None and self._digests.get((session_id, key.key)) == key.digest

    def add(self, session_id: str, key: IdempotencyKey) -> None:
        """Reserve a key for a request, until `discard`.

        Raises:
            KeyInUseError: The same request is in flight.
            KeyReusedError: Another request with this key is in flight.
        """
        if (session_id, key.key) in self._digests:
            raise KeyInUseError if self.has(session_id, key) else KeyReusedError
        self._digests[session_id, key.key] = key.digest

    def discard(self, session_id: str, key: IdempotencyKey) -> None:
        """Release a key, if it is reserved."""
        self._digests.pop((session_id, key.key), None)


def removal_of(session_id: str, now: datetime) -> RememberedKey:
    """Return what is remembered of the removal of a session: a key with the name of none."""
    return RememberedKey(_removal_name(session_id), "", "deleted", "", state_machine.timestamp(now), ANY_USE)


def removal(session_id: str, position: Position) -> Change:
    """Return the change that removes a session, unless it is at another position by then."""
    return Change(session_id, position, None, keys=(removal_of(session_id, datetime.now(UTC)),))


async def was_removed(backend: Backend, session_id: str) -> bool:
    """Return whether a session of the id was removed within the last day, or little more."""
    return await backend.find_idempotency_key(session_id, _removal_name(session_id)) is not None


def _removal_name(session_id: str) -> str:
    return fingerprint(f"{session_id}/")  # No key is empty.


def oldest_counting_use(now: datetime) -> str:
    """Return the time stamp before which the use of a key no longer counts."""
    return state_machine.timestamp(now - KEY_LIFETIME)


def first_answer(session_id: str, stored: Record | None, command: Command, used: RememberedKey) -> Applied:
    """Return the answer that a command got when its key was used first.

    A creation is answered with the session that it created, even if that was changed or removed since; all others with
    the session as it is stored now.
    """
    if not isinstance(command, Create):
        return Applied(used.answer, stored)
    definitions = command.definitions
    used_at = datetime.fromisoformat(used.used_at)
    if stored is not None and stored.session.run == used.used_at:  # A run is named by the time of its creation.
        # The workflow may have been redefined since, and steps may have been added.
        definitions = stored.session.definitions[: len(definitions) if command.open_ended else None]
    session = state_machine.create(session_id, command._replace(definitions=definitions), used_at)
    return Applied(used.answer, Record(session, Position(used.epoch, 0)))
