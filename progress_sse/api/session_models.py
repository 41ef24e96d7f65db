"""The models of the bodies that create a session, ask its worker for something, or are about a hook."""

import json
from typing import Annotated, Any, ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from progress_sse.api.field_types import (
    Accepts,
    AttemptId,
    LabelKey,
    LabelValue,
    Links,
    Profile,
    StepNumber,
    Steps,
    Title,
    TotalSteps,
    Within,
    to_links,
    without_null,
)
from progress_sse.core.asks import AskKind
from progress_sse.core.bounds import ASK_TEXT, NOTICE_ID
from progress_sse.core.commands import Create
from progress_sse.core.details import MAX_LABELS
from progress_sse.core.errors import InvalidRequestError
from progress_sse.core.model import StepDefinition
from progress_sse.core.subscriptions import MAX_ENDPOINT_CHARS
from progress_sse.core.updates import Condition, anywhere
from progress_sse.core.workflows import Workflows
from progress_sse.wire.step_specs import define_steps
from progress_sse.wire.text import Text

_WAYS: Final = frozenset({"total_steps", "steps", "workflow"})
"""The fields that define the steps of the session; at most one of them is given."""

_SAID_TO_READERS: Final = "Each reader of the session sees it."


class KeyedBody(BaseModel):
    """A body that may be sent again under an idempotency key."""

    always: ClassVar[frozenset[str]]
    """The fields that its text always has."""

    never: ClassVar[frozenset[str]] = frozenset({"ago_ms"})
    """Those that it never has: when it was sent is no part of it."""

    def canonical(self) -> str:
        """Return the request as text, by which it is the same again under the same idempotency key."""
        # Without any of the other fields it is the text that it was before there were others.
        text = self.model_dump_json(include=set(self.always))
        others: set[str] = self.model_fields_set - self.always - self.never
        # Labels keep the order in which they came, which does not make them another request.
        return text + json.dumps(self.model_dump(include=others), sort_keys=True) if others else text


class CreateBody(KeyedBody):
    """The steps of a new session, and its details.

    The steps are their number, their definitions, or a workflow; else the workflow `default`, or of an open-ended
    session none.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "dependentSchemas": {
                "total_steps": {"properties": {"steps": False, "workflow": False}},
                "steps": {"properties": {"workflow": False}},
            },
            "examples": [
                {"total_steps": 3},
                {"steps": ["Download", {"name": "Import", "estimated_ms": 60000}]},
                {"workflow": "default"},
                {"steps": [{"name": "Download"}, {"name": "Import"}], "profile": "nightly"},
                {"open_ended": True, "title": "Nightly import", "labels": {"customer": "acme"}},
                {},
            ],
        },
    )

    always = _WAYS

    total_steps: TotalSteps | None = Field(None, json_schema_extra=without_null)
    steps: Steps | None = Field(None, json_schema_extra=without_null)
    workflow: Text | None = Field(None, json_schema_extra=without_null)
    title: Title | None = Field(None, description=f"Its name for people. {_SAID_TO_READERS}")
    labels: dict[LabelKey, LabelValue] = Field(
        {}, max_length=MAX_LABELS, description=f"Texts by which it is found. {_SAID_TO_READERS}"
    )
    links: Links = Field([], description=f"Pages about it. {_SAID_TO_READERS}")
    open_ended: StrictBool = Field(
        False, description="Whether steps may be added, so that `finish` alone completes the session."
    )
    accepts: Accepts = Field([], description=f"What readers may ask of its worker. {_SAID_TO_READERS}")
    attempt_id: AttemptId | None = Field(None, description="The attempt of the worker that creates it.")
    profile: Profile | None = Field(
        None,
        description="The name under which the times of its steps are learned from run to run; else the name of its"
        " workflow. It needs the right `publish` as a session id does.",
    )

    def command(
        self, workflows: Workflows, profile: str | None, *, replace: bool, only_if: Condition = anywhere
    ) -> Create:
        """Return the command that this asks for; `profile` is the one to use.

        Raises:
            InvalidRequestError: It defines the steps in more than one way, or has a step that is not valid.
            UnknownWorkflowError: No workflow has that name.
        """
        return Create(
            self.definitions(workflows),
            replace,
            only_if,
            self.title,
            self.labels,
            to_links(self.links),
            self.open_ended,
            tuple(self.accepts),
            self.attempt_id,
            is_timed=self.open_ended or any(each is not None for each in (self.steps, self.workflow, self.profile)),
            profile=profile,
        )

    def definitions(self, workflows: Workflows) -> tuple[StepDefinition, ...]:
        """Return the step definitions of the new session; see `command`."""
        ways = self.model_fields_set & _WAYS
        if len(ways) > 1:
            raise InvalidRequestError("A session is created by one of total_steps, steps and workflow.")
        if self.steps is not None:
            return define_steps(self.steps)
        if self.total_steps is not None:
            return workflows.resized(self.total_steps)
        if self.workflow is not None:
            return workflows.named(self.workflow)
        if ways:
            raise InvalidRequestError(f"{ways.pop()}: must not be null.")
        return () if self.open_ended else workflows.named()


_EXAMPLES: Final[dict[str, Any]] = {"examples": [{"kind": "cancel", "reason": "wrong file"}, {"kind": "retry"}]}


class RequestBody(KeyedBody):
    """What a reader asks of the worker of a session."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_EXAMPLES)

    always = frozenset({"kind", "step", "reason"})

    kind: AskKind = Field(description="What is asked for; the session lists in `accepts` what it takes.")
    step: StepNumber | None = Field(None, description="The step that it is about, if it is about one.")
    reason: Annotated[str, Within(ASK_TEXT)] | None = Field(
        None, description="Why it is asked. Each reader of the session sees it."
    )


class PushKeys(BaseModel):
    """The keys of a browser's subscription."""

    model_config = ConfigDict(extra="ignore")

    p256dh: Annotated[str, Field(strict=True, max_length=100)]
    auth: Annotated[str, Field(strict=True, max_length=30)]


LANGUAGE: Final = "^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*$"


class PushBody(BaseModel):
    """A browser's subscription, as `PushSubscription.toJSON()` has it."""

    model_config = ConfigDict(extra="ignore")

    endpoint: Annotated[str, Field(strict=True, max_length=MAX_ENDPOINT_CHARS)]
    keys: PushKeys
    language: Annotated[str, Field(strict=True, max_length=35, pattern=LANGUAGE)] | None = Field(
        None, description="The language of the notification, as a tag."
    )


class HookTestBody(BaseModel):
    """The body of a test of a hook, without any key: a page of another origin cannot send JSON."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{}]})


class RetryBody(HookTestBody):
    """Which dead notices of a hook are sent again."""

    id: Annotated[str, Within(NOTICE_ID)] | None = Field(None, description="The id of one notice; without it, all.")
