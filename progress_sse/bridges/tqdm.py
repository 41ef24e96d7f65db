"""`tqdm` and `trange` whose bars are reported, too; a program changes its import alone.

::

    from progress_sse.bridges.tqdm import tqdm

    with progress.step(2):
        for row in tqdm(rows, desc="Rows"):
            parse(row)
"""

import time
import weakref
from collections.abc import AsyncIterable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, Never, TypeVar, overload

from tqdm import auto

from progress_sse.bridges.units import report_units
from progress_sse.client.steps import BaseStep, running_step

__all__ = ["tqdm", "trange"]

T = TypeVar("T")

if TYPE_CHECKING:
    _Bar = auto.tqdm
else:

    class _Bar(auto.tqdm):
        def __class_getitem__(cls, item: object) -> type:  # Type stubs declare it as a generic class.
            return cls


class tqdm(_Bar[T]):  # noqa: N801  # its name
    """A bar of `tqdm.auto` that reports to the step in whose block it is made.

    Of nested bars the outermost reports; bars that follow each other all report. They also do so where nothing is
    drawn (``disable=True``, or ``disable=None`` without a terminal), as in most workers.
    """

    _step: BaseStep | None = None

    @overload
    def __init__(
        self,
        iterable: Iterable[T] | AsyncIterable[T],
        desc: str | None = None,
        *args: Any,
        step: BaseStep | None = None,
        **options: Any,
    ) -> None: ...

    @overload
    def __init__(
        self: "tqdm[Never]",
        iterable: None = None,
        desc: str | None = None,
        *args: Any,
        step: BaseStep | None = None,
        **options: Any,
    ) -> None: ...

    def __init__(
        self,
        iterable: Iterable[T] | AsyncIterable[T] | None = None,
        desc: str | None = None,
        *args: Any,
        step: BaseStep | None = None,
        **options: Any,
    ) -> None:
        """Make a bar, with the arguments of tqdm.

        Args:
            iterable: The items to iterate over.
            desc: The description, which becomes the message of the step.
            args: Further arguments of tqdm.
            step: The step to report to; `None` is the running one. Name it in threads, which have no running step.
            options: Further arguments of tqdm.
        """
        self.desc = desc or ""  # tqdm does not set it where nothing is drawn.
        self._reported: tuple[Any, ...] | None = None
        self._pause_s = options.get("mininterval", 0.1) or 0.0
        self._due_at = 0.0
        super().__init__(iterable, desc, *args, **options)  # type: ignore[arg-type]  # it accepts both kinds
        step = step or running_step.get()
        if step is not None and step not in _reporting:  # Last: a bar whose making fails is never closed.
            _reporting.add(step)
            self._step = step
        self._report()

    def __iter__(self) -> Iterator[T]:
        if not self.disable:
            yield from super().__iter__()
            return
        try:
            for item in self.iterable:
                yield item
                self.update()
        finally:
            self.close()

    def update(self, n: float | None = 1) -> bool | None:
        """Count `n` more units; they are reported as often as the bar is or would be drawn."""
        if not self.disable:
            return super().update(n)
        self.n += n or 0
        now = time.monotonic()
        if now >= self._due_at:
            self._due_at = now + self._pause_s
            self._report()
        return None

    def refresh(self, nolock: bool = False, lock_args: Any = None) -> None:
        """Draw the bar, and report it."""
        super().refresh(nolock, lock_args)
        if not nolock:  # With `nolock` a caller holds the lock, which a log handler beside bars needs.
            self._report()

    def close(self) -> None:
        """End the bar; the step goes on."""
        super().close()
        if self._step is not None:
            self._report()
            _reporting.discard(self._step)
            self._step = None

    def _report(self) -> None:
        shown = (self.n, self.total, str(self.desc).removesuffix(": "))
        if self._step is not None and shown != self._reported:
            self._reported = shown
            report_units(self._step, [self.n], [self.total], shown[2] or None)


_reporting: Final[weakref.WeakSet[BaseStep]] = weakref.WeakSet()
"""The steps to which a bar reports. tqdm closes a bar that is no longer referenced."""


def trange(*args: int, **options: Any) -> tqdm[int]:
    """Return a bar over a `range`."""
    return tqdm(range(*args), **options)
