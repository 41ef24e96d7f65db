"""From settings to the parts that they name: the backend, the rate limiter, the workflows."""

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from progress_sse._internal.clock import Clock
from progress_sse._internal.files import read_file
from progress_sse._internal.optional_imports import from_extra
from progress_sse.core.errors import ConfigurationError, InvalidRequestError
from progress_sse.core.workflows import Workflows
from progress_sse.settings import Settings
from progress_sse.store.backend import FullBackend
from progress_sse.store.memory import MemoryBackend
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.sqlite.backend import SqliteBackend
from progress_sse.store.types import StorageLimits
from progress_sse.wire.step_specs import decode_steps_file
from progress_sse.wire.text import first_fault

if TYPE_CHECKING:
    from limits.aio.storage import Storage

    from progress_sse.auth.rate_limits import RateLimiter
    from progress_sse.notices.notifier import Notifier


MEMORY_URL: Final = "memory://"
SQLITE_PREFIX: Final = "sqlite:///"
REDIS_URLS: Final = (
    "redis://HOST:PORT/DB, rediss://HOST:PORT/DB, redis+sentinel://HOST:PORT,HOST:PORT/MASTER/DB"
    " or redis+cluster://HOST:PORT,HOST:PORT"
)
"""How a store in Redis may be named; shown where the setting is wrong."""

PEM: Final = "-----BEGIN "
"""A `token_key` that begins like this is a key, and not the path of one."""

EXPIRY_MARGIN_S: Final = 3600
"""Seconds for which Redis keeps a session beyond the clean-up that should have removed it."""


def make_backend(settings: Settings) -> FullBackend:
    """Return the backend that the setting `store` names, not yet opened.

    Raises:
        ConfigurationError: There is none for it, or it does not fit the other settings.
    """
    limits = StorageLimits(
        settings.history, settings.history_bytes, settings.max_sessions, settings.log_lines, settings.log_bytes
    )
    url = settings.store
    if settings.has_redis:
        return _redis_backend(settings, limits)
    if settings.workers > 1:
        kind = url.partition("://")[0]
        raise ConfigurationError(f"{kind} is a store of one process: take --workers 1, or --store redis://HOST.")
    if url == MEMORY_URL:
        return MemoryBackend(limits)
    if url.startswith(SQLITE_PREFIX) and len(url) > len(SQLITE_PREFIX):
        return SqliteBackend(Path(url.removeprefix(SQLITE_PREFIX)), limits)
    raise ConfigurationError(f"store must be memory://, sqlite:///PATH, {REDIS_URLS}.")


def _redis_backend(settings: Settings, limits: StorageLimits) -> FullBackend:
    with from_extra("redis", "redis", "hiredis", need="A store in Redis needs"):
        from progress_sse.store.redis.backend import RedisBackend
    # A clean-up notifies the session's subscribers, so Redis removes the session well after the clean-up is due.
    lifetime_s = settings.max_age_hours * 3600 + 2 * settings.cleanup_interval_s + EXPIRY_MARGIN_S
    try:
        return RedisBackend(settings.store, limits, prefix=settings.redis_prefix, lifetime_s=lifetime_s)
    except (ValueError, TypeError) as error:  # redis-py's text may repeat the URL.
        raise ConfigurationError(f"store is no URL of a Redis: {REDIS_URLS}.") from error


def make_rate_limiter(settings: Settings) -> "RateLimiter":
    """Return the limiter of the rates in the settings; servers that share a Redis count together.

    Raises:
        ConfigurationError: A rate is not valid, or the package that counts is not installed.
    """
    with from_extra("rates", "limits", need="Rates need"):
        from progress_sse.auth.rate_limits import RateLimiter, parse_rate
    publish, read = (parse_rate(name, getattr(settings, name)) for name in ("publish_rate", "read_rate"))
    return RateLimiter(
        {"publish": publish, "control": publish, "admin": publish, "read": read, "list": read},
        partial(_rate_storage, settings),
    )


def served_folder(settings: Settings) -> Path | None:
    """Return the folder of the setting `www`, if there is one.

    Raises:
        ConfigurationError: A file with secrets lies below it: the store, or the key of the tokens.
    """
    if settings.www is None:
        return None
    secrets = {"store": settings.store.removeprefix(SQLITE_PREFIX) if settings.store.startswith(SQLITE_PREFIX) else ""}
    if settings.token_key is not None and settings.token_algorithm.startswith("RS"):
        key = settings.token_key.get_secret_value()
        secrets["token_key"] = "" if key.startswith(PEM) else key
    for name, path in secrets.items():
        if path and Path(path).resolve().is_relative_to(settings.www.resolve()):
            raise ConfigurationError(f"{name} is a file below www, which every client can read: use another folder.")
    return settings.www


def _rate_storage(settings: Settings) -> "tuple[Storage, Callable[[], Awaitable[object]]]":
    if settings.has_redis:
        from progress_sse.store.redis import rate_limits as redis_rates

        return redis_rates.storage(settings.store, prefix=f"{settings.redis_prefix}:rate")
    from progress_sse.auth.rate_limits import WindowStorage

    storage = WindowStorage()
    return storage, storage.reset


def read_hooks_text(settings: Settings) -> str:
    """Return the text of the file that the setting `hooks` names; empty without the setting.

    Raises:
        ConfigurationError: The file cannot be read, or has a mistake.
    """
    if settings.hooks is None:
        return ""
    from progress_sse.notices.hooks_file import load_hooks, read_hooks_file

    text = read_hooks_file(settings.hooks)
    load_hooks(settings.hooks, text)
    return text


def make_notifier(settings: Settings, store: ProgressStore, clock: Clock, hooks_text: str | None) -> "Notifier | None":
    """Return what sends notices, if the settings want any; `hooks_text` is what the file of hooks had."""
    if settings.hooks is None and not settings.push:
        return None
    from progress_sse.notices.notifier import Notifier  # Loads an HTTP client, which other servers do without.

    push = None
    if settings.push:
        with from_extra("push", "cryptography", "jwt", need="Push needs"):
            from progress_sse.notices.push import Push
        push = Push(store, clock, settings)
    return Notifier(store, clock, settings, push, hooks_text)


def make_workflows(settings: Settings) -> Workflows:
    """Return the workflows of the setting `steps_file`, or the shipped one; a suffix `.json` means JSON.

    Raises:
        ConfigurationError: The file cannot be read, or its content is not valid.
    """
    path = settings.steps_file
    if path is None:
        return Workflows()
    try:
        workflows = decode_steps_file(
            read_file(path),
            is_json=path.suffix == ".json",
            max_total_steps=settings.max_total_steps,
            max_text_chars=settings.max_text_chars,
        )
    except (OSError, ValueError, InvalidRequestError) as error:
        reason = first_fault(error) if isinstance(error, ValidationError) else str(error)
        raise ConfigurationError(f"The steps file {path} cannot be used: {reason}") from error
    return Workflows(workflows)
