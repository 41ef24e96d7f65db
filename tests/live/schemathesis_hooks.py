"""Rules that schemathesis cannot read from the description; its process loads them (see `test_schemathesis`)."""

from typing import Any

import schemathesis
from schemathesis import Case, CheckContext, HookContext, Response

STEPS = 7
"""The number of steps of a session, so that a reported step often has a number in that range."""

REFUSED_BY_STATE = {
    "/problems/idempotency-key-reused",
    "/problems/step-out-of-range",
    "/problems/too-many-parts",
    "/problems/too-many-steps",
    "/problems/too-much",
    "/problems/unknown-step-name",
    "/problems/unknown-workflow",
}
"""Problems of a valid request that depend on the state at that moment."""

REFUSED_BY_RULE = {
    "after must be the next of an earlier page.",
    "current: must not be more than total.",
    "lost_after_ms: must not be less than lease_ms.",
    "profile: must not come with a workflow.",
    "session_id does not go with prefix, label and status.",
    "session_id must be given 1 to 20 times.",
    "steps must be numbered 1, 2, 3 … in order, where they are numbered at all.",
}
"""Problems by rules that compare one value with another, which no schema can express."""


@schemathesis.hook
def filter_query(_context: HookContext, query: Any) -> bool:
    """Leave out a single value in place of the sessions, which is one session in a URL."""
    return not (isinstance(query, dict) and isinstance(query.get("session_id"), bool | int | float | str))


@schemathesis.hook
def map_query(_context: HookContext, query: Any) -> Any:
    """Request each session once: the limit counts different ones, which a schema cannot express."""
    session_ids = query.get("session_id") if isinstance(query, dict) else None
    if not isinstance(session_ids, list):
        return query
    return {**query, "session_id": [each for n, each in enumerate(session_ids) if each not in session_ids[:n]]}


@schemathesis.hook
def map_body(_context: HookContext, body: Any) -> Any:
    """Request steps that sessions have, and write integers as such: to a schema `1.0` is one."""
    return _reasonable(body)


def _reasonable(value: Any) -> Any:
    if isinstance(value, list):
        return [_reasonable(each) for each in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, dict):
        return value
    fields = {key: _reasonable(each) for key, each in value.items()}
    step = fields.get("step")
    return {**fields, "step": 1 + step % STEPS} if type(step) is int and step > STEPS else fields


@schemathesis.check
def valid_data_is_accepted(_context: CheckContext, response: Response, case: Case[Any]) -> None:
    """Valid requests are refused only for reasons that the description cannot express."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code not in (400, 415, 422):
        return
    problem = response.json()
    assert problem["type"] in REFUSED_BY_STATE or problem["detail"] in REFUSED_BY_RULE, problem
