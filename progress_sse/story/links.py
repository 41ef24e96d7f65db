"""The links of a session that a person may open from a terminal."""

import unicodedata
from urllib.parse import urljoin

from progress_sse.core.details import is_fit_url
from progress_sse.story.plain_text import one_line
from progress_sse.story.session_state import SessionState


def links(state: SessionState, server_url: str) -> list[str]:
    """Return a line for each link, paths as URLs of the server; the line is plain text."""
    return [_line(each["label"], each["url"], server_url) for each in state.get("links", ()) if _is_fit(each["url"])]


def _line(label: str, url: str, server_url: str) -> str:
    whole, text = urljoin(server_url, url), one_line(label)
    return f"{text}: {whole}" if text and text != url else whole


def _is_fit(url: str) -> bool:
    """Whether the URL is one that the server takes, without characters that a terminal does not show."""
    return is_fit_url(url) and not any(unicodedata.category(char).startswith("C") for char in url)
