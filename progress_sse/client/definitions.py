"""What a job says of its session: its steps, and what its readers find beside them."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from progress_sse.client.fit_details import Links, fit_labels, fit_links, fit_new_links, fit_profile, fit_title
from progress_sse.client.reports import Create, fit_text
from progress_sse.core.bounds import UNCHANGED, Unchanged
from progress_sse.core.details import Link
from progress_sse.core.errors import ConfigurationError
from progress_sse.core.model import StepDefinition
from progress_sse.core.updates import Describe

Labels: TypeAlias = Mapping[str, str]
"""Texts by their names, by which a session is found."""


def define(
    steps: Sequence[str | StepDefinition] | None,
    workflow: str | None,
    title: str | None,
    labels: Labels | None,
    links: Links | None,
    open_ended: bool,
    profile: str | None = None,
) -> Create:
    """Return the creation of a session: with steps by names or definitions, or a workflow of the server.

    Raises:
        ConfigurationError: Steps and workflow are both given, or a step is neither a name nor a definition.
    """
    if steps is not None and workflow is not None:
        raise ConfigurationError("A session is created by steps or by a workflow, not by both.")
    return Create(
        None if steps is None else definitions(steps),
        workflow,
        title=fit_title(title),
        labels={key: text for key, text in fit_labels(labels or {}).items() if text is not None},
        links=fit_links(links or ()),
        open_ended=open_ended,
        profile=fit_profile(profile),
    )


def definitions(steps: Sequence[str | StepDefinition]) -> tuple[StepDefinition, ...]:
    """Return steps by names or definitions as definitions.

    Raises:
        ConfigurationError: One is neither.
    """
    return tuple(map(_definition, steps))


def _definition(step: str | StepDefinition) -> StepDefinition:
    if isinstance(step, StepDefinition):
        return step
    if isinstance(step, str):
        return StepDefinition(fit_text(step))
    raise ConfigurationError("A step is given by its name or by its StepDefinition.")


def change(
    title: str | Unchanged | None,
    labels: Mapping[str, str | None] | Unchanged | None,
    links: Links | Unchanged | None,
) -> Describe:
    """Return the report that changes what the session says of itself."""
    return Describe(
        title if isinstance(title, Unchanged) else fit_title(title),
        labels if labels is None or isinstance(labels, Unchanged) else fit_labels(labels),
        _new_links(links),
    )


def _new_links(links: Links | Unchanged | None) -> tuple[Link, ...] | Unchanged | None:
    if links is None or isinstance(links, Unchanged):
        return links
    accepted = fit_new_links(links)
    return UNCHANGED if accepted is None else accepted
