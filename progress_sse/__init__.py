"""Live progress of multi-step jobs, pushed to browsers by Server-Sent Events.

Each name is imported when it is first accessed: a worker needs no server, and a server no HTTP client.
"""

from contextlib import suppress
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from progress_sse._internal.optional_imports import SERVER_PACKAGES, from_extra
from progress_sse.core.errors import ConfigurationError

if TYPE_CHECKING:
    from progress_sse.api.app import create_app
    from progress_sse.client.aio import AsyncProgress
    from progress_sse.client.errors import Cancelled, ReportError
    from progress_sse.client.sync import Progress, current
    from progress_sse.core.errors import ProgressError
    from progress_sse.core.model import Event, SessionProgress, StepDefinition, StepProgress
    from progress_sse.embedding import ProgressHub
    from progress_sse.service import ProgressService
    from progress_sse.settings import Settings
    from progress_sse.store.progress_store import ProgressStore

    __all__ = [
        "AsyncProgress",
        "Cancelled",
        "Event",
        "Progress",
        "ProgressError",
        "ProgressHub",
        "ProgressService",
        "ProgressStore",
        "ReportError",
        "SessionProgress",
        "Settings",
        "StepDefinition",
        "StepProgress",
        "create_app",
        "current",
    ]

_MODULES = {
    "AsyncProgress": "client.aio",
    "Cancelled": "client.errors",
    "Event": "core.model",
    "Progress": "client.sync",
    "ProgressError": "core.errors",
    "ProgressHub": "embedding",
    "ProgressService": "service",
    "ProgressStore": "store.progress_store",
    "ReportError": "client.errors",
    "SessionProgress": "core.model",
    "Settings": "settings",
    "StepDefinition": "core.model",
    "StepProgress": "core.model",
    "create_app": "api.app",
    "current": "client.sync",
}


def __getattr__(name: str) -> Any:
    if name == "__all__":
        value: Any = [each for each in _MODULES if _is_available(each)]
    elif name in _MODULES:
        value = getattr(_module(name), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def _is_available(name: str) -> bool:
    """Return whether the packages of a name are installed; `import *` leaves out the others."""
    with suppress(ModuleNotFoundError):
        _module(name)
        return True
    return False


def _module(name: str) -> ModuleType:
    try:
        with from_extra("server", *SERVER_PACKAGES, need=f"{__name__}.{name} needs"):
            return import_module(f"{__name__}.{_MODULES[name]}")
    except ConfigurationError as error:
        raise ModuleNotFoundError(str(error)) from error  # So that `except ImportError` works.


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
