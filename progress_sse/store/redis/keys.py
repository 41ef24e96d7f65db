"""The names of the keys in Redis, and the content of each; other names would be another format of the store.

All keys of a session have one hash tag, and so lie in one slot of a cluster. The tag is a digest of the session's id.
No id can reach another session's keys, even one with braces, colons or globs.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from progress_sse.core.session_filter import Label
from progress_sse.store.types import fingerprint

LIST_CHANNELS: Final = 16
"""How many channels share the changes of all sessions: in a cluster they are at several nodes."""

_OFFSET_DIGITS: Final = 16


class SessionKeys(NamedTuple):
    """The keys of one session.

    Attributes:
        state: Hash: the session at its position, and one field per step that was started.
        log: Stream: its newest transitions; the id of each is its `n`.
        idempotency_keys: Hash: the idempotency keys that were used on its id; outlives the session.
        idempotency_ranks: Sorted set: these keys in the order of their use.
        tombstone: String: of a removed session its last revision, the commits that removed and that created it, and its
            `created_at`; kept for `TOMBSTONE_MS`.
        lines: Stream: its newest log lines by number. The newest number, and the bytes of all, stand in the state.
        line_keys: String: the newest commits with lines, and the idempotency keys of lines; see ``lines.lua``.
        notices: Hash: what is known of its notices that wait or are dead, by their ids; outlives the session.
        notice_bodies: Hash: their bodies.
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
    notices: str
    notice_bodies: str
    line_channel: str
    channel: str

    @property
    def of_transitions(self) -> Sequence[str]:
        """The keys of a script that knows no log lines."""
        return self[:5]

    @property
    def of_lines(self) -> Sequence[str]:
        """The keys of a script that knows its log lines too."""
        return self[:7]

    @property
    def of_notices(self) -> Sequence[str]:
        """The keys of a script that knows all of the session."""
        return self[:9]


class Keyspace:
    """The keys of all sessions of one store in a database; another store there has another prefix."""

    def __init__(self, prefix: str, database: int) -> None:
        self._prefix = prefix
        self._database = database
        self.index = f"{prefix}:sessions"
        """Sorted set of all sessions, ordered by their names alone; see `index_entry`."""
        self._index_slot = f"{prefix}:{{{self.index}}}"
        """The beginning of keys in the slot of the index; a user may be allowed keys with the prefix alone."""
        self.ids = f"{self._index_slot}:i"
        """Sorted set of all sessions, ordered by their ids; see `id_entry`."""
        self.unfinished = f"{self._index_slot}:u"
        """Sorted set of the sessions that are not completed, and perhaps of others; see `set_member`."""
        self.sets = f"{self._index_slot}:b"
        """Sorted set: the keys of all such sets that are not empty."""
        self.write_probe = self.of_fingerprint("touchstone")
        """Keys and a channel of no session, on which `ping` tries out its rights."""
        self.lease_clock = f"{prefix}:{{leases}}:c"
        """Hash: the lease clock; see ``leases``."""
        self.lease_checks = f"{prefix}:{{leases}}:d"
        """Sorted set: the id of each session whose worker holds a lease, and when on the lease clock to check it."""
        self.queues_off = f"{prefix}:{{outbox}}:off"
        """Set: the queues of notices that are turned off."""
        self.format = f"{prefix}:format"
        """String: the format of the store."""
        self.profiles = f"{prefix}:profiles"
        """Sorted set: the fingerprint of each profile that was taught, and when it was taught last."""
        self.orphans = f"{prefix}:orphans"
        """Sorted set: the fingerprint of each id whose session was removed and whose idempotency keys are kept."""
        self.list_channels = [f"{prefix}:{{lists-{number}}}:{database}" for number in range(LIST_CHANNELS)]
        """The channels on which the changes of all sessions are published."""

    def labelled(self, label: Label) -> str:
        """Return the key of the sorted set of the sessions with a label, and perhaps of others; see `set_member`."""
        return f"{self._index_slot}:b:{fingerprint(':'.join(label))}"

    def list_channel(self, session_id: str) -> str:
        """Return the one of `list_channels` for a session."""
        return self.list_channels[int(fingerprint(session_id)[:4], 16) % LIST_CHANNELS]

    def waiting(self, queue: str) -> str:
        """Return the key of a sorted set: the places of the notices that wait for a receiver, and when each is due."""
        return f"{self._prefix}:{{outbox}}:w:{queue}"

    def kept_value(self, name: str) -> str:
        """Return the key of a value that is kept for as long as the store; see `Outbox.keep`."""
        return f"{self._prefix}:{{outbox}}:v:{name}"

    def dead(self, queue: str) -> str:
        """Return the key of a sorted set: the places of the notices that are dead, and when they died."""
        return f"{self._prefix}:{{outbox}}:d:{queue}"

    def ticket(self, name: str) -> str:
        """Return the key of a value that is kept for a short time; see `auth.tickets.OneTimeStore`."""
        return f"{self._prefix}:slip:{name}"

    def history(self, profile: str) -> str:
        """Return the key of a hash: how often each cell was taught of the profile that has this fingerprint."""
        return f"{self._prefix}:{{{profile}}}:h"

    def lesson(self, profile: str, run: str) -> str:
        """Return the key of a string: the run of this fingerprint has taught; kept for `LESSON_LIFETIME_MS`."""
        return f"{self.history(profile)}:{run}"

    def of(self, session_id: str) -> SessionKeys:
        """Return the keys of a session, which no cache has: it would keep the ids of deleted sessions."""
        return self.of_fingerprint(fingerprint(session_id))

    def of_fingerprint(self, tag: str) -> SessionKeys:
        """Return the keys of the session whose id has this fingerprint."""
        base = f"{self._prefix}:{{{tag}}}"
        channel = f"{base}:{self._database}"
        of_session = [f"{base}:{name}" for name in "slkrtnjob"]
        return SessionKeys._make([*of_session, f"{channel}:n", channel])


def index_entry(created_at: str, session_id: str) -> str:
    """Return a session's name in the index: its bytes sort by creation, then by id."""
    return f"{created_at} {session_id}"


def split_index_entry(entry: bytes) -> tuple[str, str]:
    """Return the time stamp and the id that `index_entry` joined."""
    created_at, _, session_id = entry.decode().partition(" ")
    return created_at, session_id


def id_entry(created_at: str, session_id: str) -> str:
    """Return a session's name among all ids: its bytes sort by the id; no id has a zero."""
    return f"{session_id}\0{created_at}"


def split_id_entry(entry: bytes) -> tuple[str, str]:
    """Return the time stamp and the id that `id_entry` joined."""
    session_id, _, created_at = entry.decode().partition("\0")
    return created_at, session_id


def set_member(created_at: str, session_id: str, offset: int) -> str:
    """Return a session's name in a set, with the offset at which it entered: its bytes sort as in the index.

    So one process can remove an entry that is over while another one enters the session again.
    """
    return f"{index_entry(created_at, session_id)}\0{offset:0{_OFFSET_DIGITS}}"


def split_set_member(member: bytes) -> tuple[str, str, int]:
    """Return the time stamp, the id and the offset that `set_member` joined."""
    entry, _, offset = member.partition(b"\0")
    return *split_index_entry(entry), int(offset)


def entry_of(member: bytes) -> bytes:
    """Return the entry in the index of a member of a set, or of the index."""
    return member.partition(b"\0")[0]
