"""The server of this project, as users start it."""

from __future__ import annotations

from tests.bench.peers.base import PythonPeer
from tests.bench.plan import Dialect, Request

SESSION = "/api/progress/{session}"

DIALECT = Dialect(
    subscribe=Request("GET", f"{SESSION}/events"),
    # The stamp stands in a message, and `current` grows: each update is a transition, and none a repeat.
    publish=Request(
        "POST", f"{SESSION}/update", '{"action":"progress","step":1,"current":{seq},"total":null,"message":"{text}"}'
    ),
    ready_mark="event: snapshot",
    prepare=(
        Request("PUT", SESSION, '{"steps":[{"name":"s"}]}'),
        Request("POST", f"{SESSION}/update", '{"action":"start","step":1}'),
    ),
    poll=Request("GET", SESSION),
)

NAME = "progress_sse"

_SERVE = ("progress_sse", "serve", "--port", "{port}", "--store")

OURS = PythonPeer(NAME, DIALECT, (*_SERVE, "memory://"), is_python=False)
OURS_SQLITE = PythonPeer(f"{NAME}, SQLite", DIALECT, (*_SERVE, "sqlite:///{folder}/progress.db"), is_python=False)
