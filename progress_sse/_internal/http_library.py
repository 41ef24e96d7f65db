"""The HTTP library: httpx, or its successor httpx2 where only that is installed.

The modules that it imports lazily come with it; see ``client.http``.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx
else:
    try:
        import httpx
    except ModuleNotFoundError:
        import httpx2 as httpx

    if httpx.__name__ == "httpx":
        import certifi  # noqa: F401
        import httpcore  # noqa: F401
    else:
        import httpcore2  # noqa: F401
        import truststore  # noqa: F401

__all__ = ["httpx"]
