"""What was learned of the steps of a session or workflow, for answers that do without it where the store is away."""

from progress_sse.core.errors import StoreUnavailableError
from progress_sse.core.history import NOTHING_LEARNED, Learned
from progress_sse.service import ProgressService
from progress_sse.store.types import Record


async def learned_of_session(service: ProgressService, record: Record) -> Learned:
    """Return what was learned of the profile of a session."""
    timing = record.session.details.timing
    return await learned_of(service, None if timing is None else timing.profile)


async def learned_of(service: ProgressService, profile: str | None) -> Learned:
    """Return what was learned of a profile; nothing where there is none, or the store does not say it."""
    if profile is None:
        return NOTHING_LEARNED
    try:
        return await service.store.learned(profile)
    except StoreUnavailableError:
        return NOTHING_LEARNED
