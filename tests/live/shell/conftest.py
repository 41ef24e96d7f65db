from collections.abc import Iterator

import pytest

from tests.harness.serving import Server
from tests.live.shell.commands import TOKEN


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests that leave it intact; each test has a session of its own."""
    with Server(tmp_path_factory.mktemp("shell"), publish_token=TOKEN) as server:
        yield server
