"""The HTTP library: httpx, or its successor httpx2 where only that is installed.

The modules that it imports lazily come with it; see ``client.http``.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpcore
    import httpx
else:
    try:
        import httpx
    except ModuleNotFoundError:
        import httpx2 as httpx

    if httpx.__name__ == "httpx":
        import certifi  # noqa: F401
    else:
        import truststore  # noqa: F401

    core = httpx.__name__.replace("httpx", "httpcore")
    try:
        import_module(core)
    except AttributeError:  # It imports trio, which under eventlet misses methods of sockets.
        sys.modules["trio"] = None
        import_module(core)
        del sys.modules["trio"]
    httpcore = sys.modules[core]

__all__ = ["httpcore", "httpx"]
