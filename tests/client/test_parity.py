"""The blocking and the async classes have the same interface."""

import inspect

import pytest

from progress_sse import AsyncProgress, Progress
from progress_sse.client import aio, sync
from progress_sse.client.aio import AsyncStep
from progress_sse.client.sync import Step

PAIRS = [(Progress, AsyncProgress), (Step, AsyncStep), (sync.SyncOptions, aio.AsyncOptions)]
ASYNC_NAMES = {"close": "aclose"}


def public_names(thing: type) -> set[str]:
    return {name for name in dir(thing) if not name.startswith("_")}


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_both_have_the_same_names(one: type, other: type) -> None:
    """So the knowledge of one class applies to the other."""
    assert {ASYNC_NAMES.get(name, name) for name in public_names(one)} == public_names(other)


@pytest.mark.parametrize(("one", "other"), PAIRS[:2])
def test_both_take_the_same_arguments(one: type, other: type) -> None:
    """They are in the same order, with the same defaults."""
    for name in ["__init__", *public_names(one)]:
        method, counterpart = getattr(one, name), getattr(other, ASYNC_NAMES.get(name, name))
        if callable(method):
            parameters, others = inspect.signature(method).parameters, inspect.signature(counterpart).parameters
            assert list(parameters) == list(others), name
            defaults = [each.default for each in parameters.values()]
            assert defaults == [each.default for each in others.values()], name
