"""The hosts that serve the application: all promises of a stream hold on both of its ways to a socket.

Under our own server a stream bypasses ASGI. Under any other server, and behind a middleware that hides the connection,
it does not. The tests of this folder run on both, unless they concern `progress-sse serve` alone.
"""

from __future__ import annotations

import pytest

SERVE = pytest.param(None, id="serve")
"""Our own command line, `progress-sse serve`."""

DISPATCH = pytest.param("tests.live.embedded:create_behind_dispatch", id="dispatch")
"""A plain uvicorn with a user's `BaseHTTPMiddleware`: both reasons to do without the bypass."""

UVICORN = pytest.param("progress_sse:create_app", id="uvicorn", marks=pytest.mark.full)
"""A plain uvicorn and nothing else."""

GZIP = pytest.param("tests.live.embedded:create_behind_gzip", id="gzip")
"""A plain uvicorn with Starlette's `GZipMiddleware`, for what a compressor could spoil."""

HOSTS = (SERVE, DISPATCH, UVICORN)

serve_only = pytest.mark.parametrize("factory", [SERVE], indirect=True)
"""Marks a test of what our command line does beyond the application; the reason stands beside it."""

first_host = pytest.mark.first_host
"""Marks a test that takes long: on the hosts after the first one it runs in the full run only."""
