"""The model of what a reader asks."""

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from progress_sse.api.creation_model import canonical
from progress_sse.api.field_types import StepNumber, Within
from progress_sse.core.bounds import REQUEST_TEXT
from progress_sse.core.requests import RequestKind

_ALL: Final = frozenset({"kind", "step", "reason"})
_EXAMPLES: Final[dict[str, Any]] = {"examples": [{"kind": "cancel", "reason": "wrong file"}, {"kind": "retry"}]}


class RequestBody(BaseModel):
    """What a reader asks of the worker of a session."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_EXAMPLES)

    kind: RequestKind = Field(description="What is asked for; the session lists in `accepts` what it takes.")
    step: StepNumber | None = Field(None, description="The step that it is about, if it is about one.")
    reason: Annotated[str, Within(REQUEST_TEXT)] | None = Field(
        None, description="Why it is asked. Each reader of the session sees it."
    )

    def canonical(self) -> str:
        """Return the request as text, by which it is the same again under the same idempotency key."""
        return canonical(self, _ALL)
