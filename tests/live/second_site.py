"""The second server of `docs/examples` and our browser files, as the site of one origin."""

import os

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from docs.examples import second_server
from tests.harness.serving import ENV_PREFIX, ROOT


def create_site() -> Starlette:
    """The site; variables of the environment set constants of the server."""
    for name in ("MAX_STREAMS", "HEARTBEAT_S"):
        setattr(second_server, name, int(os.environ.get(ENV_PREFIX + name, getattr(second_server, name))))
    live = Route("/livez", PlainTextResponse("ok"))
    files = Mount("/web", StaticFiles(directory=ROOT / "web" / "lib"))
    return Starlette(routes=[live, files, Mount("/", second_server.app)])
