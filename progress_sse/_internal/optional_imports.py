"""Optional packages: each comes with an extra of this package, installed only for the feature that needs it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from progress_sse.core.errors import ConfigurationError

SERVER_PACKAGES: Final = (
    "httptools",
    "jwt",
    "pydantic",
    "pydantic_settings",
    "rich",
    "sse_starlette",
    "starlette",
    "uvicorn",
    "uvloop",
)
"""The names that the packages of the extra `server` are imported by."""


@contextmanager
def from_extra(extra: str, *packages: str, need: str) -> Iterator[None]:
    """Run imports of the `packages` of an `extra`.

    Args:
        extra: The name of the extra.
        packages: The names that its packages are imported by.
        need: Subject and verb of the error's text, such as "Metrics need".

    Raises:
        ConfigurationError: It is not installed; the text says how to install it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in packages:
            raise
        raise ConfigurationError(
            f"{need} a package that is not installed: pip install 'progress-sse[{extra}]'."
        ) from error
