"""Random commands, of all kinds that workers and readers send, with values that often fit each other."""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any

from hypothesis import strategies as st

from progress_sse.core.commands import Ask, Command, Create, Delete
from progress_sse.core.details import Link
from progress_sse.core.log_lines import NewLine
from progress_sse.core.model import StepDefinition
from progress_sse.core.updates import (
    UPDATES,
    Acknowledge,
    Advance,
    AppendLines,
    Complete,
    Describe,
    Finish,
    Plan,
    ReportPart,
    Skip,
    Start,
    Update,
)
from tests.core.samples import DEFINITIONS, sent

numbers = st.integers(1, 4)
names = st.sampled_from(["a", "b", "one", "STEP1"])
targets = numbers | names
texts = st.sampled_from(["", "m", "<\u2028"])
attempts = st.sampled_from([None, None, "x", "y", "z"])
times_ago = st.sampled_from([0, 0, 1, 1500, 86_400_000])
links = st.sampled_from([None, (), (Link("l", "/r"),), (Link("l", "https://example.org"), Link("m", "/"))])
labels = st.dictionaries(st.sampled_from("kl"), st.sampled_from([None, "v", "w"]), max_size=2)
set_labels = st.dictionaries(st.sampled_from("kl"), st.sampled_from("vw"), max_size=2)
accepts = st.sampled_from([(), ("cancel",), ("retry", "cancel")])
part_statuses = st.sampled_from(["running", "success", "error"])
enveloped = {"attempt_id": attempts, "ago_ms": times_ago}
total = st.sampled_from([None, 3, 9])
maybe_lost = st.sampled_from([None, 1000, 2500])


def made(command: Callable[..., Command], **given: st.SearchStrategy[Any]) -> st.SearchStrategy[Command]:
    """Commands of a kind with these values; all others have their defaults."""

    def make(values: dict[str, Any]) -> Command:
        own = inspect.signature(command).parameters.keys() & values.keys()
        about = {name: value for name, value in values.items() if name not in own}
        return sent(command(**{name: values[name] for name in own}), **about)

    return st.fixed_dictionaries(given).map(make)


def needs_step_alone(kind: type[Update]) -> bool:
    """Whether updates of the kind are complete with a step."""
    required = [each.name for each in fields(kind) if each.default is MISSING]
    return required == ["step"]


planned = st.lists(
    st.sampled_from([StepDefinition(""), StepDefinition("a", 1, 2), StepDefinition("b", 1, 1500), StepDefinition("c")]),
    max_size=2,
).map(tuple)
started = {"step": numbers, "definitions": st.just(DEFINITIONS)}

plain_wholes = made(Create, definitions=st.sampled_from([DEFINITIONS, DEFINITIONS[:1]])) | made(Delete)
plain_updates = st.one_of(
    made(Start, **started, timeout_ms=st.sampled_from([None, 0, 7])),
    made(Start, **started),
    made(Complete, step=numbers, success=st.booleans(), message=texts, error=texts),
    made(Advance, step=numbers, current=st.integers(0, 3), total=total, message=texts),
)
creations = made(
    Create,
    definitions=planned,
    title=st.sampled_from([None, "t"]),
    labels=set_labels,
    links=links.map(lambda each: each or ()),
    open_ended=st.booleans(),
    accepts=accepts,
    attempt_id=attempts,
    is_timed=st.booleans(),
)
named = {"step": targets, "definitions": st.just(DEFINITIONS)}
more_updates = st.one_of(
    made(Start, **named, append=st.booleans(), estimated_ms=st.none() | numbers, **enveloped),
    made(Start, **named, attempt_id=st.sampled_from("xyz"), lease_ms=st.just(1000), lost_after_ms=maybe_lost),
    made(Complete, step=targets, success=st.booleans(), message=texts, links=links, **enveloped),
    made(Complete, step=targets, success=st.just(False), error=texts, conclusion=st.just("cancelled"), **enveloped),
    made(Advance, step=targets, current=st.integers(0, 3), total=total, message=texts, **enveloped),
    made(Skip, step=targets, message=texts, **enveloped),
    *(made(kind, step=targets, **enveloped) for kind in UPDATES if needs_step_alone(kind)),
    made(Start, **named, parts_total=st.integers(1, 3)),
    made(ReportPart, step=targets, part=names, status=part_statuses, message=texts, **enveloped),
    made(ReportPart, step=numbers, part=names, status=part_statuses, current=st.integers(0, 3), total=total),
    made(Finish, success=st.booleans(), error=texts, links=links, **enveloped),
    made(Finish, success=st.just(False), error=texts, conclusion=st.just("cancelled"), **enveloped),
    made(Plan, steps=planned, **enveloped),
    made(Describe, title=st.sampled_from([None, "t", "u"]), labels=st.none() | labels, **enveloped),
    made(Describe, links=links, accepts=st.none() | accepts, **enveloped),
    made(AppendLines, lines=st.just((NewLine("l"),)), step=st.none() | targets),
)
ask_ids = st.sampled_from("abc")
requests = st.one_of(
    made(Ask, kind=st.sampled_from(["cancel", "retry"]), ask_id=ask_ids, step=st.none() | numbers),
    made(Ask, kind=st.just("cancel"), ask_id=ask_ids, reason=texts),
    made(Acknowledge, request=ask_ids, state=st.sampled_from(["seen", "honoured", "declined"]), message=texts),
)

any_command = st.one_of(plain_wholes, creations, plain_updates, more_updates, more_updates, requests)
