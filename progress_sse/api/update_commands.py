"""The command that an update asks for."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from progress_sse.api.field_types import to_lines, to_links
from progress_sse.api.update_models import UpdateBody
from progress_sse.core.command_checks import check_conclusion, check_lease, check_lines
from progress_sse.core.commands import (
    UNCHANGED,
    Acknowledge,
    Advance,
    AppendLines,
    Beat,
    Complete,
    Condition,
    Describe,
    Finish,
    Plan,
    ReportPart,
    Skip,
    Start,
    StepName,
    Target,
    Update,
    anywhere,
)
from progress_sse.core.errors import InvalidRequestError
from progress_sse.core.limits import BodyLimits
from progress_sse.core.parts import MAX_PART_TEXT_CHARS
from progress_sse.core.requests import MAX_REQUEST_TEXT_CHARS
from progress_sse.core.workflows import Workflows
from progress_sse.wire.step_specs import define_steps


class UpdateContext(NamedTuple):
    """What a command needs besides the body of its update.

    Attributes:
        workflows: Define the steps of a session that a `start` creates.
        limits: Say how many steps a session may have.
        run: The run of the session that is meant; `None`: the current one.
        only_if: Where the session must be.
    """

    workflows: Workflows
    limits: BodyLimits
    run: str | None = None
    only_if: Condition = anywhere


def command_of(body: UpdateBody, context: UpdateContext) -> Update:
    """Return the command that an update asks for.

    A `start` of a session that does not exist yet creates one of the workflow `default`; by a step's name, an
    open-ended one.

    Raises:
        InvalidRequestError: A field is missing, or contradicts another one.
    """
    command = _MAKERS[body.action](body, context)
    if isinstance(command, Start):
        check_lease(command)
    elif isinstance(command, Complete | Finish):
        check_conclusion(command)
    elif isinstance(command, AppendLines):
        check_lines(command)
    return command


def _target(body: UpdateBody) -> Target:
    if body.name is None:
        if body.step is None:
            raise InvalidRequestError("step: Field required.")
        return body.step
    if body.step is not None:
        raise InvalidRequestError("name: must not come with a step.")
    return StepName(body.name)


def _start(body: UpdateBody, context: UpdateContext) -> Start:
    return Start(
        _target(body),
        context.workflows.named(),
        body.timeout_ms,
        context.run,
        context.only_if,
        body.append,
        body.estimated_ms,
        body.attempt_id,
        body.lease_ms,
        body.lost_after_ms,
        body.ago_ms,
        context.limits.max_total_steps,
        body.parts_total,
    )


def _complete(body: UpdateBody, context: UpdateContext) -> Complete:
    return Complete(
        _target(body),
        body.success,
        body.message,
        body.error,
        context.run,
        context.only_if,
        body.conclusion,
        None if body.links is None else to_links(body.links),
        body.attempt_id,
        body.ago_ms,
    )


def _advance(body: UpdateBody, context: UpdateContext) -> Advance:
    step, current = _target(body), _current(body)
    if current is None:
        raise InvalidRequestError("current: Field required.")
    return Advance(
        step,
        current,
        body.total,
        body.message,
        context.run,
        context.only_if,
        body.attempt_id,
        body.ago_ms,
    )


def _current(body: UpdateBody) -> int | None:
    if body.total is not None and body.current is not None and body.current > body.total:
        raise InvalidRequestError("current: must not be more than total.")
    return body.current


def _part(body: UpdateBody, context: UpdateContext) -> ReportPart:
    step, current = _target(body), _current(body)
    if body.part is None:
        raise InvalidRequestError("part: Field required.")
    if body.status is None:
        raise InvalidRequestError("status: Field required.")
    if current is None and body.total is not None:
        raise InvalidRequestError("total: needs a current.")
    return ReportPart(
        step,
        body.part,
        body.status,
        current,
        body.total,
        _short("message", body.message),
        _short("error", body.error),
        context.run,
        context.only_if,
        body.attempt_id,
        body.ago_ms,
    )


def _short(field: str, text: str) -> str:
    if len(text) > MAX_PART_TEXT_CHARS:
        raise InvalidRequestError(f"{field}: has more than {MAX_PART_TEXT_CHARS} characters.")
    return text


def _skip(body: UpdateBody, context: UpdateContext) -> Skip:
    return Skip(_target(body), body.message, context.run, context.only_if, body.attempt_id, body.ago_ms)


def _beat(body: UpdateBody, context: UpdateContext) -> Beat:
    return Beat(_target(body), context.run, context.only_if, body.attempt_id, body.ago_ms)


def _finish(body: UpdateBody, context: UpdateContext) -> Finish:
    return Finish(
        body.success,
        body.error,
        body.conclusion,
        None if body.links is None else to_links(body.links),
        context.run,
        context.only_if,
        body.attempt_id,
        body.ago_ms,
    )


def _plan(body: UpdateBody, context: UpdateContext) -> Plan:
    if body.steps is None:
        raise InvalidRequestError("steps: Field required.")
    return Plan(
        define_steps(body.steps, lambda _number: ""),  # Only the session knows their numbers.
        context.run,
        context.only_if,
        body.attempt_id,
        body.ago_ms,
        context.limits.max_total_steps,
    )


def _describe(body: UpdateBody, context: UpdateContext) -> Describe:
    given = body.model_fields_set
    return Describe(
        body.title if "title" in given else UNCHANGED,
        body.labels if "labels" in given else UNCHANGED,
        to_links(body.links or []) if "links" in given else UNCHANGED,
        tuple(body.accepts or ()) if "accepts" in given else UNCHANGED,
        context.run,
        context.only_if,
        body.attempt_id,
        body.ago_ms,
    )


def _acknowledge(body: UpdateBody, context: UpdateContext) -> Acknowledge:
    if body.request is None:
        raise InvalidRequestError("request: Field required.")
    if body.state is None:
        raise InvalidRequestError("state: Field required.")
    if len(body.message) > MAX_REQUEST_TEXT_CHARS:
        raise InvalidRequestError(f"message: has more than {MAX_REQUEST_TEXT_CHARS} characters.")
    return Acknowledge(
        body.request, body.state, body.message, context.run, context.only_if, body.attempt_id, body.ago_ms
    )


def _append_lines(body: UpdateBody, context: UpdateContext) -> AppendLines:
    if body.lines is None:
        raise InvalidRequestError("lines: Field required.")
    return AppendLines(
        to_lines(body.lines),
        None if body.name is None and body.step is None else _target(body),
        context.run,
        context.only_if,
        body.attempt_id,
        body.ago_ms,
    )


_MAKERS: Final[Mapping[str, Callable[[UpdateBody, UpdateContext], Update]]] = {
    "start": _start,
    "complete": _complete,
    "progress": _advance,
    "skip": _skip,
    "beat": _beat,
    "part": _part,
    "finish": _finish,
    "plan": _plan,
    "describe": _describe,
    "acknowledge": _acknowledge,
    "log": _append_lines,
}
