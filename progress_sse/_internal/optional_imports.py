"""Packages that not everybody needs: each is in an extra of ours, to be installed by who wants what it is for."""

from collections.abc import Iterator
from contextlib import contextmanager

from progress_sse.core.errors import ConfigurationError


@contextmanager
def from_extra(extra: str, *packages: str, need: str) -> Iterator[None]:
    """Import inside what needs one of the `packages` of an `extra`.

    Args:
        extra: The name of the extra.
        packages: What it brings, by the names that are imported.
        need: Who needs it, with the verb, which begins the sentence.

    Raises:
        ConfigurationError: It is not installed; the text says how to.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in packages:
            raise
        raise ConfigurationError(
            f"{need} a package that is not installed: pip install 'progress-sse[{extra}]'."
        ) from error
