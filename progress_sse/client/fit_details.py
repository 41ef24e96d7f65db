"""A title, labels, links and a profile in a form that the server accepts: it would refuse a whole report for one.

Texts are cut. What cannot be cut is dropped, with a warning.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from progress_sse.client.own_log import log
from progress_sse.client.reports import fit_text
from progress_sse.core.details import (
    MAX_LABEL_CHARS,
    MAX_LABEL_VALUE_CHARS,
    MAX_LABELS,
    MAX_LINK_CHARS,
    MAX_LINKS,
    MAX_TITLE_CHARS,
    MAX_URL_CHARS,
    Link,
    is_fit_url,
)
from progress_sse.core.model import is_session_id

Links: TypeAlias = Mapping[str, str] | Sequence[tuple[str, str]]
"""Links for the readers: URLs by their labels, or pairs of both."""


def fit_title(title: str | None) -> str | None:
    """Return a title that the server accepts; an empty one is none."""
    return None if title is None else fit_text(title, MAX_TITLE_CHARS) or None


def fit_profile(profile: str | None) -> str | None:
    """Return a profile that the server accepts; an empty one is none."""
    name = "" if profile is None else fit_text(profile)
    if not name or is_session_id(name):
        return name or None
    log(logging.WARNING, "the profile is not reported: it needs the form of a session id, at most 128 characters")
    return None


def fit_labels(labels: Mapping[str, str | None]) -> dict[str, str | None]:
    """Return labels that the server accepts; `None` removes one."""
    fit = {
        fit_text(key, MAX_LABEL_CHARS): None if text is None else fit_text(text, MAX_LABEL_VALUE_CHARS)
        for key, text in labels.items()
    }
    kept = dict([(key, text) for key, text in fit.items() if key and ":" not in key][:MAX_LABELS])
    _warn("labels", len(labels) - len(kept), f"a session has at most {MAX_LABELS}, with names without a colon")
    return kept


def fit_links(links: Links) -> tuple[Link, ...]:
    """Return links that the server accepts.

    Raises:
        ValueError: One is no pair of label and URL.
    """
    pairs = list(links.items() if isinstance(links, Mapping) else links)
    fit = (Link(fit_text(label, MAX_LINK_CHARS), fit_text(url, MAX_URL_CHARS + 1)) for label, url in pairs)
    kept = tuple([link for link in fit if link.label and len(link.url) <= MAX_URL_CHARS and is_fit_url(link.url)])
    kept = kept[:MAX_LINKS]
    _warn(
        "links",
        len(pairs) - len(kept),
        f"a session has at most {MAX_LINKS}, by http, https or a path, without user or blanks and with a label",
    )
    return kept


def fit_new_links(links: Links | None) -> tuple[Link, ...] | None:
    """Return links that replace those of the session; `None` leaves them, also where no link is accepted.

    Raises:
        ValueError: One is no pair of label and URL.
    """
    kept = None if links is None else fit_links(links)
    return kept if kept or not links else None


def _warn(what: str, count: int, demand: str) -> None:
    if count:
        log(logging.WARNING, "%s that are not reported: %d, since %s", what, count, demand)
