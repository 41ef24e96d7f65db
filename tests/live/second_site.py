"""The second server of `docs/examples` and our browser files, as the site of one origin."""

import os

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from docs.examples import second_server
from tests.harness.serving import ENV_PREFIX, ROOT


def create_site() -> Starlette:
    """The site; a variable of the environment sets a constant of the server."""
    second_server.HEARTBEAT_S = int(os.environ.get(f"{ENV_PREFIX}HEARTBEAT_S", "15"))
    live = Route("/livez", PlainTextResponse("ok"))
    files = Mount("/web", StaticFiles(directory=ROOT / "web" / "lib"))
    return Starlette(routes=[live, files, Mount("/", second_server.make_app())])
