"""Links, and durations in words."""

import pytest

from progress_sse.core.durations import in_words, to_the_tenth
from progress_sse.story.headline import links
from tests.cli.sessions import RUNNING, SERVER, session


def test_only_links_that_a_page_may_offer_are_shown() -> None:
    """A path is one of the server's host, and the rest is plain text."""
    urls = ["/log", "http://a.example/b?c#d", "//evil", "/\\evil", "javascript:x", "http://u:p@h/", "/a\u202eb"]
    urls += ["/a\x1b[2J", "/a b", "/a\u200bb", "file:///etc/passwd", ""]
    shown = links(session("running", links=[{"label": "L\x1b]8;;x\x07\nog", "url": url} for url in urls]), SERVER)
    assert shown == ["L og: https://h.example/log", "L og: http://a.example/b?c#d"]
    bare = [{"label": label, "url": "http://a.example/"} for label in ("", "\x1b[2J", "http://a.example/")]
    assert links(session("running", links=bare), SERVER) == ["http://a.example/"] * 3
    assert links(RUNNING, SERVER) == []


@pytest.mark.parametrize(
    ("elapsed_ms", "shown"), [(0, "0.0 s"), (59_999, "59.9 s"), (60_000, "1 min"), (3_907_000, "1 h 5 min")]
)
def test_a_time_is_shown_as_people_read_it(elapsed_ms: int, shown: str) -> None:
    """It is rounded down, so that no limit seems reached too early."""
    assert to_the_tenth(elapsed_ms) == shown


def test_a_duration_has_at_most_two_units() -> None:
    """A second unit that is zero is left out."""
    seconds = [-1, 0.9, 59.9, 60, 133, 3600, 3607, 93_784, 86_460]
    said = ["0 s", "0 s", "59 s", "1 min", "2 min 13 s", "1 h", "1 h", "1 d 2 h", "1 d"]
    assert list(map(in_words, seconds)) == said
