"""Decoding of stored values, any of which may be damaged."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from progress_sse.core.errors import StoreUnavailableError
from progress_sse.store.health import UNREADABLE, DamageError, HealthLog

P = ParamSpec("P")
T = TypeVar("T")


class CheckedDecoder:
    """Decodes stored values, and logs when damage is found and when it has gone."""

    def __init__(self) -> None:
        self._health = HealthLog("Data in Redis")

    def __call__(self, decode: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the result of `decode`.

        Raises:
            StoreUnavailableError: The value is damaged; see `errors.is_damage`.
        """
        try:
            result = decode(*args, **kwargs)
        except UNREADABLE as error:
            self._health.record(DamageError(error))
            raise StoreUnavailableError from error
        self._health.record(None)
        return result
