"""The hosts that serve the application: all promises of a stream hold on both of its ways to a socket.

Under our own server a stream bypasses ASGI. Under any other server, and behind a middleware that hides the connection,
it does not. The full run has the tests of this folder on both, unless they concern `progress-sse serve` alone; the
ordinary run has those marked `each_host`.
"""

import pytest

SERVE = pytest.param(None, id="serve")
"""Our own command line, `progress-sse serve`."""

DISPATCH = pytest.param("tests.live.embedded:create_behind_dispatch", id="dispatch", marks=pytest.mark.full)
"""A plain uvicorn with a user's `BaseHTTPMiddleware`: both reasons to do without the bypass."""

UVICORN = pytest.param("progress_sse:create_app", id="uvicorn", marks=pytest.mark.full)
"""A plain uvicorn and nothing else."""

GZIP = pytest.param("tests.live.embedded:create_behind_gzip", id="gzip")
"""A plain uvicorn with Starlette's `GZipMiddleware`, which would compress a stream if it could."""

HOSTS = (SERVE, DISPATCH, UVICORN)

each_host = pytest.mark.parametrize("factory", [SERVE, DISPATCH, UVICORN, GZIP], indirect=True)
"""Marks the test of each kind that runs on a plain uvicorn in the ordinary run too."""

serve_only = pytest.mark.parametrize("factory", [SERVE], indirect=True)
"""Marks a test of a feature that only our command line has; the reason stands beside it."""
