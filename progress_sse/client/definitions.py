"""A session as its job describes it: its steps, title, labels, links and profile, in a form that the server accepts.

Texts are cut. What cannot be cut is dropped, with a warning: the server would refuse the whole report.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from progress_sse.client.own_log import log
from progress_sse.client.reports import Create, fit_text
from progress_sse.core import details
from progress_sse.core.bounds import UNCHANGED, Unchanged
from progress_sse.core.details import MAX_LABELS, MAX_LINKS, MAX_URL_CHARS, Link, is_fit_url
from progress_sse.core.errors import ConfigurationError
from progress_sse.core.model import StepDefinition, is_session_id
from progress_sse.core.updates import Describe

Labels: TypeAlias = Mapping[str, str]
"""Texts by their names, by which a session is found."""

Links: TypeAlias = Mapping[str, str] | Sequence[tuple[str, str]]
"""Links for the readers: URLs by their labels, or pairs of both."""


def define(
    steps: Sequence[str | StepDefinition] | None,
    workflow: str | None,
    title: str | None,
    labels: Labels | None,
    links: Links | None,
    open_ended: bool,
    profile: str | None = None,
) -> Create:
    """Return the creation of a session: with steps by names or definitions, or by a workflow of the server.

    Raises:
        ConfigurationError: Steps and workflow are both given, or a step is neither a name nor a definition.
    """
    if steps is not None and workflow is not None:
        raise ConfigurationError("A session is created by steps or by a workflow, not by both.")
    return Create(
        None if steps is None else definitions(steps),
        workflow,
        title=_fit_title(title),
        labels={key: text for key, text in _fit_labels(labels or {}).items() if text is not None},
        links=_fit_links(links or ()),
        open_ended=open_ended,
        profile=_fit_profile(profile),
    )


def change(
    title: str | Unchanged | None,
    labels: Mapping[str, str | None] | Unchanged | None,
    links: Links | Unchanged | None,
) -> Describe:
    """Return the report that changes the details of the session."""
    fit_title = title if isinstance(title, Unchanged) else _fit_title(title)
    fit_labels = labels if labels is None or isinstance(labels, Unchanged) else _fit_labels(labels)
    if links is None or isinstance(links, Unchanged):
        return Describe(fit_title, fit_labels, links)
    accepted = fit_new_links(links)
    return Describe(fit_title, fit_labels, UNCHANGED if accepted is None else accepted)


def fit_new_links(links: Links | None) -> tuple[Link, ...] | None:
    """Return links that replace those of the session; `None` leaves them, also where no link is accepted.

    Raises:
        ValueError: One is no pair of label and URL.
    """
    kept = None if links is None else _fit_links(links)
    return kept if kept or not links else None


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


def _fit_title(title: str | None) -> str | None:
    return None if title is None else fit_text(title, details.MAX_TITLE_CHARS) or None


def _fit_profile(profile: str | None) -> str | None:
    name = "" if profile is None else fit_text(profile)
    if not name or is_session_id(name):
        return name or None
    log(logging.WARNING, "the profile is not reported: it needs the form of a session id, at most 128 characters")
    return None


def _fit_labels(labels: Mapping[str, str | None]) -> dict[str, str | None]:
    fit = {
        fit_text(key, details.MAX_LABEL_CHARS): None if text is None else fit_text(text, details.MAX_LABEL_VALUE_CHARS)
        for key, text in labels.items()
    }
    kept = dict([(key, text) for key, text in fit.items() if key and ":" not in key][:MAX_LABELS])
    _warn("labels", len(labels) - len(kept), f"a session has at most {MAX_LABELS}, with names without a colon")
    return kept


def _fit_links(links: Links) -> tuple[Link, ...]:
    pairs = list(links.items() if isinstance(links, Mapping) else links)
    fit = (Link(fit_text(label, details.MAX_LINK_CHARS), fit_text(url, MAX_URL_CHARS + 1)) for label, url in pairs)
    kept = [link for link in fit if link.label and len(link.url) <= MAX_URL_CHARS and is_fit_url(link.url)][:MAX_LINKS]
    rule = f"a session has at most {MAX_LINKS}, by http, https or a path, without user or blanks and with a label"
    _warn("links", len(pairs) - len(kept), rule)
    return tuple(kept)


def _warn(what: str, count: int, demand: str) -> None:
    if count:
        log(logging.WARNING, "%s that are not reported: %d, since %s", what, count, demand)
