import time

import pytest
from blockbuster import BlockingError

import progress_sse


async def test_a_package_that_blocks_the_event_loop_is_found() -> None:
    """The detector of `tests/conftest.py` recognises the package by the folder of its code."""
    code = compile("time.sleep(0)", progress_sse.__file__, "exec")
    with pytest.raises(BlockingError, match=r"time\.sleep"):
        exec(code, {"time": time})  # noqa: S102 - our own
