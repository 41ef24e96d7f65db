"""Live progress of multi-step jobs, pushed to browsers by Server-Sent Events."""

from progress_sse.app import create_app
from progress_sse.errors import ProgressError
from progress_sse.model import SessionProgress, StepDefinition, StepProgress
from progress_sse.service import ProgressService
from progress_sse.settings import Settings
from progress_sse.store import ProgressStore

__all__ = [
    "ProgressError",
    "ProgressService",
    "ProgressStore",
    "SessionProgress",
    "Settings",
    "StepDefinition",
    "StepProgress",
    "create_app",
]
