"""What runs inside of Redis: each script is atomic, and running it again changes nothing more.

**A commit is applied once, however often it is sent.** It bears a random token, which stays with the session and with
each transition, and in the grave once the session is gone. Who sends a commit again because no answer came is told by
it what became of the first attempt.

**Revisions tell which of two things said of a session is newer**, across all its epochs: each change has a greater one
than the one before. They begin with the server's clock, and outlast a removed session in its *grave*. Should the clock
be set back by more than the grave lasts, a listener meets a revision that is too small, and asks. They also form a
chain: each transition in the log, and each message, names the revision that it follows on.

**The epoch is new whenever the log may have lost something.** A server that starts on an old dump or a restored folder,
or a replica that takes over, silently goes back in time; once the session has moved on again, numbers alone would not
show that. So a script that finds a session in such a state *adopts* it first: the session gets a new epoch at the same
`n`, and an empty log. Readers then get a snapshot, and never steps of a history whose beginning they have not seen.

- A session keeps the *incarnation* under which it was written: the replication id, which every server changes when it
  starts and when it becomes master. In another incarnation it is adopted. From inside, a server that lost nothing looks
  like one that was put back, so a restart always costs the readers a snapshot.
- A server whose memory goes back keeps its replication id: a virtual machine that is rolled back, keys that `RESTORE`
  puts back. So each caller says what it knows of the session. Where what is stored is older than that, does not follow
  on it, or is of an epoch that the caller saw end, the session is adopted.

Every script first reads each key that it may write, so that a foreign value of another type fails it before it has
changed anything. A full server refuses the first write of a script or none: a transition's needs room, and so does a
creation's; whatever deletes goes through.

**A user who lacks a right is refused in the middle of a script**, and what was written before stays. So a commit writes
the log, then the state, then the keys, and last what it can do without. The state and the keys need the same right, so
no key is remembered of what was not applied. A log that was written alone reaches beyond the state: the session is
adopted.
"""

import hashlib
from importlib.resources import files
from typing import Final, NamedTuple

GRAVE_MS: Final = 600_000
"""Milliseconds for which a removed session's last revision is kept: longer than any message takes."""

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
"""The session, unless it is where the caller knows it to be; and its transitions after a position, if asked for."""

APPLIED: Final = 1
"""The commit was applied by this very run."""
APPLIED_BEFORE: Final = 2
"""The commit had been applied already."""
DOUBTFUL: Final = -1
"""The session is elsewhere; if the commit was sent before, nobody knows whether it was applied then."""

COMMIT: Final = Script.load("session.lua", "commit.lua")
"""A change, applied if the session is where it expects it, and its idempotency keys were not used meanwhile; returns
outcome (0 if it was never applied), revision, a `created_at` (that of the session before the change, if that is known,
or of the one that is elsewhere), and how many idempotency keys a session that is removed leaves."""

ORPHAN: Final = Script.load("orphan.lua")
"""Enters an id whose session was removed with the number of keys that it leaves; returns ids whose keys have to go,
because so many were left after them. Scores add up: between two of them lie as many keys as were left meanwhile."""

FORGET: Final = Script.load("forget.lua")
"""Lets go of the idempotency keys of an id, unless there is a session again."""

RESERVE: Final = Script.load("reserve.lua")
"""A place in the index for a session that is about to be created; 0 if there is none left."""

TOUCH: Final = Script.load("touch.lua")
"""Each command that a session or a ticket may need, where no session is, and a message that has no listener: a user who
lacks the right to one would be refused in the middle of a commit. The first write is one that a full server refuses."""
