"""Decoding of stored values, any of which may be damaged."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from progress_sse.core.errors import StoreUnavailableError
from progress_sse.store.health import UNREADABLE, DamageLog
from progress_sse.store.redis.errors import is_damage

P = ParamSpec("P")
T = TypeVar("T")
V = TypeVar("V")


class CheckedDecoder:
    """Decodes stored values, and logs damage; `damage` is what was found so far."""

    def __init__(self) -> None:
        self.damage = DamageLog()

    def __call__(self, decode: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `decode`, whose first argument names the session for the log; damage is a `StoreUnavailableError`."""
        try:
            return decode(*args, **kwargs)
        except UNREADABLE as error:
            self.damage.record(args[0], error)
            raise StoreUnavailableError from error

    @contextmanager
    def noting(self, name: object) -> Iterator[None]:
        """Log the damage of what has this name where a command finds it."""
        try:
            yield
        except StoreUnavailableError as error:
            if is_damage(error):
                self.damage.record(name, error.__cause__)
            raise

    def each(self, name: object, decode: Callable[[V], T], values: Iterable[V]) -> Iterator[T]:
        """Yield the results of `decode` for the values that are not damaged; the log has `name` for the others."""
        for value in values:
            try:
                yield decode(value)
            except UNREADABLE as error:
                self.damage.record(name, error)
