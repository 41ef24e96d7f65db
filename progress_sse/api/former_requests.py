"""Requests as the version before reads them, for the time in which servers of both versions use one store.

It ignores the keys of a request that it does not know.
"""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from progress_sse.api.creation_model import CreateBody
from progress_sse.api.update_models import AddressedUpdate, UpdateBody
from progress_sse.core.errors import InvalidRequestError

_UPDATE: Final = frozenset({"action", "step", "timeout_ms", "success", "message", "error", "current", "total"})
_ACTIONS: Final = ("start", "complete", "progress")

_KEYS: Final[Mapping[type[BaseModel], frozenset[str]]] = {
    UpdateBody: _UPDATE,
    AddressedUpdate: _UPDATE | {"session_id", "idempotency_key", "run"},
    CreateBody: frozenset({"total_steps", "steps", "workflow"}),
}


def former_request(model: type[BaseModel], value: Any) -> Any:
    """Return the value of a body without the keys that the version before does not know.

    Raises:
        InvalidRequestError: It is an update with an action that the version before does not have.
    """
    keys = _KEYS.get(model)
    if keys is None or not isinstance(value, dict):
        return value
    if "action" in keys and value.get("action") not in _ACTIONS:
        raise InvalidRequestError(f"action: must be one of {', '.join(_ACTIONS)}.")
    return {key: each for key, each in value.items() if key in keys}
