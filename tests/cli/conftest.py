import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _loggers() -> Iterator[None]:
    """Restore the logging configuration after a command that runs in this process."""
    loggers = [logging.getLogger(), logging.getLogger("progress_sse")]
    before = [(logger, logger.level, logger.propagate, [*logger.handlers]) for logger in loggers]
    yield
    for logger, level, propagate, handlers in before:
        logger.setLevel(level)
        logger.propagate = propagate
        logger.handlers = handlers
