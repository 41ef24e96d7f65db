from typing import Any

import pytest


@pytest.fixture(scope="module")
def server_settings() -> dict[str, Any]:
    return {"store": "sqlite", "heartbeat_s": 1, "is_forked": False}
