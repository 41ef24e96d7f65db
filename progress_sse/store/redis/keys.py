"""The names of the keys in Redis, and the content of each.

All keys of a session have one hash tag, and so lie in one slot of a cluster. The tag is a digest of the session's id.
No id can reach another session's keys, even one with braces, colons or globs.

Stored names are never changed: servers of two versions may share one Redis.
"""

from collections.abc import Sequence
from typing import NamedTuple

from progress_sse.store.types import fingerprint


class SessionKeys(NamedTuple):
    """The keys of one session.

    Attributes:
        state: Hash: the session at its position, and one field per step that was started.
        log: Stream: its newest transitions; the id of each is its `n`.
        idempotency_keys: Hash: the idempotency keys that were used on its id; outlives the session.
        idempotency_ranks: Sorted set: these keys in the order of their use.
        tombstone: String: of a removed session its last revision, the commits that removed and that created it, and its
            `created_at`; kept for `TOMBSTONE_MS`.
        lines: Stream: its newest log lines; the id of each is its number. The number of the newest one, and the bytes
            of all, stand in the state.
        line_keys: String: the newest appends to its log, and the idempotency keys of these; see ``append_lines.lua``.
        line_channel: Where its log lines are published.
        channel: Where its changes are published; no key, and all databases of a server share them.
    """

    state: str
    log: str
    idempotency_keys: str
    idempotency_ranks: str
    tombstone: str
    lines: str
    line_keys: str
    line_channel: str
    channel: str

    @property
    def of_transitions(self) -> Sequence[str]:
        """The keys of a script that knows no log lines."""
        return self[:5]

    @property
    def of_lines(self) -> Sequence[str]:
        """The keys of a script that knows all of the session."""
        return self[:7]


class ProfileKeys(NamedTuple):
    """The keys of one profile, in one slot.

    Attributes:
        history: Hash: how often each cell was taught; see `codec.encode_cell`.
        lesson: String: one run has taught; kept for `LESSON_LIFETIME_MS`.
    """

    history: str
    lesson: str


class Keyspace:
    """The keys of all sessions of one store in a database; another store there has another prefix."""

    def __init__(self, prefix: str, database: int) -> None:
        """Begin each key with `prefix` and a colon, and tell channels of one `database` from those of another."""
        self._prefix = prefix
        self._database = database
        self.index = f"{prefix}:sessions"
        """Sorted set of all sessions, ordered by their names alone; see `index_entry`."""
        self.write_probe = self.of_fingerprint("touchstone")
        """Keys and a channel of no session, on which `ping` tries out its rights."""
        self.lease_clock = f"{prefix}:{{leases}}:c"
        """Hash: the lease clock; see ``leases``."""
        self.lease_checks = f"{prefix}:{{leases}}:d"
        """Sorted set: the id of each session whose worker holds a lease, and when on the lease clock to check it."""
        self.format = f"{prefix}:format"
        """String: the newest format of the sessions; not there while all of them are of format 1."""
        self.profiles = f"{prefix}:profiles"
        """Sorted set: the fingerprint of each profile that was taught, and when it was taught last."""
        self.orphans = f"{prefix}:orphans"
        """Sorted set: the fingerprint of each id whose session was removed and whose idempotency keys are kept."""

    def ticket(self, name: str) -> str:
        """Return the key of a value that is kept for a short time; see `auth.tickets.OneTimeStore`."""
        return f"{self._prefix}:slip:{name}"

    def history(self, profile: str) -> str:
        """Return the key of the history of the profile that has this fingerprint."""
        return f"{self._prefix}:{{{profile}}}:h"

    def profile(self, profile: str, run: str) -> ProfileKeys:
        """Return the keys of a profile, for the run with this fingerprint."""
        history = self.history(profile)
        return ProfileKeys(history, f"{history}:{run}")

    def of(self, session_id: str) -> SessionKeys:
        """Return the keys of a session."""
        return self.of_fingerprint(fingerprint(session_id))

    def of_fingerprint(self, tag: str) -> SessionKeys:
        """Return the keys of the session whose id has this fingerprint."""
        base = f"{self._prefix}:{{{tag}}}"
        channel = f"{base}:{self._database}"
        state, log, keys, ranks, tombstone, lines, line_keys = (f"{base}:{name}" for name in "slkrtnj")
        return SessionKeys(state, log, keys, ranks, tombstone, lines, line_keys, f"{channel}:n", channel)


def index_entry(created_at: str, session_id: str) -> str:
    """Return a session's name in the index: its bytes sort by creation, then by id."""
    return f"{created_at} {session_id}"


def split_index_entry(entry: bytes) -> tuple[str, str]:
    """Return the time stamp and the id that `index_entry` joined."""
    created_at, _, session_id = entry.decode().partition(" ")
    return created_at, session_id
