"""Lua scripts that run inside Redis: each is atomic, and running it again changes nothing more.

**A commit is applied once, however often it is sent.** It carries a random token, which is stored with the session,
each transition and the lines, and in the tombstone of a removed session. A commit that is sent again, because no reply
came, finds by the token whether the first attempt was applied. One of lines alone leaves the session's token as it is.

**A revision shows which of two states of a session is newer**, across all its epochs. Revisions begin with the server's
clock; the *tombstone* of a removed session keeps its last one. If the clock is set back by more than a tombstone lasts,
a listener meets a revision that is too small, and reads the session. Each transition in the log, and each message,
names the revision before it.

**The epoch changes whenever the log may have lost something.** A server that starts on an old dump or a restored folder
silently goes back in time, as does a replica that takes over. Once the session has moved on again, numbers alone would
not show that. So a script that finds a session in such a state first *rebinds* it to a new epoch, at the same `n` and
with an empty log. Readers then get a snapshot, and never transitions of a history whose beginning they have not seen.

- A session stores the replication id under which it was written, as `incarnation`. Every server changes that id when it
  starts and when it becomes master, so a restart always costs the readers a snapshot, even if nothing was lost.
- A server whose memory goes back keeps its replication id: a virtual machine is rolled back, or `RESTORE` writes old
  keys. So each caller sends the state that it knows. If the stored state is older than that, does not follow on
  it, or is of an epoch that the caller saw end, the session is rebound. For callers that were started since, a session
  also stores the revision with which its epoch began, as `beginning`: one that began before the state that a caller
  knows cannot follow on it.

Every script first reads each key that it may write, so that a foreign value fails it before it has changed anything. A
full server refuses the first write of a script or none; deletions go through.

**A user who lacks a right is refused in the middle of a script**, and the writes before that stay. So a commit writes
the log, then the state, then the idempotency keys, and last the values that it can do without. The state and the keys
need the same right, so no key is remembered of a change that was not applied. A log that was written alone is ahead of
the state, and the session is rebound.
"""

import hashlib
from importlib.resources import files
from typing import Final, NamedTuple

TOMBSTONE_MS: Final = 600_000
"""Milliseconds for which the last revision of a removed session is kept: longer than any message takes."""

_FOLDER: Final = files(__name__)


class Script(NamedTuple):
    """A script in Lua, and the digest by which Redis knows it."""

    source: str
    sha: str

    @classmethod
    def load(cls, *names: str) -> "Script":
        """Concatenate files of this folder, and digest the result as Redis does."""
        source = "".join((_FOLDER / name).read_text(encoding="utf-8") for name in names)
        return cls(source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())


READ: Final = Script.load("session.lua", "read.lua")
"""Returns a session, unless the caller knows its state, and its transitions after a position, if asked for."""

COMMIT: Final = Script.load("session.lua", "signs.lua", "lines.lua", "outbox.lua", "commit.lua")
"""Applies a change, if the session is at the expected position and no idempotency key was used meanwhile.

Returns the outcome (0: not applied, since the session has changed), the revision, a `created_at`, the number of
idempotency keys that a removed session leaves, and, if the change has lines, the numbers of the oldest one that is kept
and of the newest. The `created_at` is that of the session before the change, if it is known, or of the session that is
at another position. A session whose newest line is older than one that the caller has seen is rebound.
"""

APPLIED: Final = 1
"""Outcome: this very run applied the commit."""

APPLIED_BEFORE: Final = 2
"""Outcome: an earlier attempt applied the commit."""

SIGN_SEEN: Final = 3
"""Outcome: a worker that the change calls silent has given a sign."""

IN_DOUBT: Final = -1
"""Outcome: the session is at another position; whether an earlier attempt applied the commit is unknown."""

READ_LINES: Final = Script.load("session.lua", "read_lines.lua")
"""Returns the log lines after a number, with the epoch of their session."""

TAKE_NOTICE: Final = Script.load("outbox.lua", "take_notice.lua")
"""Claims a notice that is due."""

SETTLE_NOTICE: Final = Script.load("outbox.lua", "settle_notice.lua")
"""Ends the claim of a notice, and returns which one of its lane comes next."""

REVIVE_NOTICE: Final = Script.load("outbox.lua", "revive_notice.lua")
"""Lets a dead notice wait again."""

KEEP_ORPHANED_KEYS: Final = Script.load("keep_orphaned_keys.lua")
"""Counts the idempotency keys of a removed session, and returns the ids whose keys have to go for them."""

FORGET_KEYS: Final = Script.load("forget_keys.lua")
"""Deletes the idempotency keys of an id, unless it has a session again."""

ENTER_INDEX: Final = Script.load("enter_index.lua")
"""Enters a session into the index, and into sets of it, and returns 1; 0 if the index is full."""

LEAVE_INDEX: Final = Script.load("leave_index.lua")
"""Removes a session from sets of the index, and from the index."""

PLAN_LIST: Final = Script.load("plan_list.lua")
"""Returns how many sessions the parts of the index have."""

TICK: Final = Script.load("tick.lua")
"""Moves the lease clock on, and returns its time, since when it moves, its owner, and the sessions to check."""

RENEW: Final = Script.load("signs.lua", "renew.lua")
"""Notes signs of life that come with no change, and returns 1; 0 if the session is at another position."""

KEEP_PROFILE: Final = Script.load("keep_profile.lua")
"""Enters a profile that is about to be taught, and returns those that have to go for it."""

TEACH: Final = Script.load("teach.lua")
"""Adds a lesson to the history of a profile, once for each run."""

PROBE: Final = Script.load("probe.lua")
"""Fails if the server takes no writes, or if the user lacks a right that a session or a ticket may need."""
