"""What a session says besides its steps: its links, how much it is, and the attempts that it remembers."""

import json

import pytest

from progress_sse.core.details import (
    MAX_DETAILS_BYTES,
    MAX_LABELS,
    Details,
    Link,
    check_size,
    is_fit_url,
    with_labels,
    with_replaced,
)
from progress_sse.core.errors import TooMuchError


class TestUrl:
    """Pages open links, so that a link must not do more than lead somewhere."""

    @pytest.mark.parametrize(
        "url",
        [
            *("http://example.org", "https://example.org:8443/a/b?c=d@e#f", "HTTPS://EXAMPLE.ORG/"),
            *("http://[::1]:8000/", "https://例え.jp/日本語/👩\u200d👩\u200d👧.png", "/", "/reports/1?a=b", "/a//b\\c"),
            *("/@example.org", "/javascript:alert(1)"),
        ],
    )
    def test_is_http_or_a_path_of_the_own_host(self, url: str) -> None:
        """With any visible characters, and joined ones."""
        assert is_fit_url(url)

    @pytest.mark.parametrize(
        "url",
        [
            *("", "javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,<script>", "vbscript:x"),
            *("blob:https://example.org/1", "ftp://example.org", "mailto:a@example.org", "file:///etc/passwd"),
            *("example.org", "report.html", "./report", "../report", "?a=b", "#a", "\\\\example.org", "//example.org"),
            *("///example.org", "/\\example.org", "http:", "http://", "http:///path", "http:example.org"),
            *("http:/example.org", "https://:443/", "https://user@example.org", "https://user:secret@example.org"),
            *("https://@example.org", "https://example.org\\@other.org", "https://example.org\\other.org"),
            "https://a\uff0fb@c.org",
        ],
    )
    def test_is_nothing_else(self, url: str) -> None:
        """No other scheme, no other host in disguise, and nothing that bears a password."""
        assert not is_fit_url(url)

    @pytest.mark.parametrize("char", ["\0", "\t", "\n", "\r", "\x1b", "\x7f", "\x85", "\x9f", " ", "\xa0", "\u2028"])
    @pytest.mark.parametrize("url", ["{}https://example.org", "https://exam{}ple.org/", "/a{}", "/{}/example.org"])
    def test_has_no_control_or_white_space_characters(self, url: str, char: str) -> None:
        """Browsers drop some of them, which makes another URL."""
        assert not is_fit_url(url.format(char))


def size_of(details: Details) -> int:
    """The bytes of its JSON that count toward the limit."""
    said: dict[str, object] = {
        "title": details.title,
        "labels": details.labels,
        "links": [link._asdict() for link in details.links],
        "accepts": details.accepts,
    }
    text = json.dumps({key: said[key] for key in said if said[key]}, ensure_ascii=False, separators=(",", ":"))
    return len(text.encode())


class TestSize:
    """Each event carries all of it."""

    @pytest.mark.parametrize("char", ["x", "é", "日", "👩"])
    def test_is_counted_in_bytes_of_json(self, char: str) -> None:
        """Keys and quotation marks too."""
        details = Details("t", {"a": "b"}, (Link("l", "/"),), accepts=("cancel", "retry"))
        room = MAX_DETAILS_BYTES - size_of(details)
        fits = details._replace(title="t" + char * (room // len(char.encode())) + "x" * (room % len(char.encode())))
        assert size_of(fits) == MAX_DETAILS_BYTES
        check_size(fits)
        with pytest.raises(TooMuchError):
            check_size(fits._replace(title=f"{fits.title}x"))

    def test_counts_only_what_readers_see_of_it(self) -> None:
        """An error has its own bound, and attempts are for the server."""
        check_size(Details(error="x" * 8192, creator="a" * 64, replaced=("b" * 64,) * 100))

    def test_labels_are_counted_too(self) -> None:
        """However short they are."""
        check_size(Details(labels={str(number): "" for number in range(MAX_LABELS)}))
        with pytest.raises(TooMuchError, match="at most 16 labels"):
            check_size(Details(labels={str(number): "" for number in range(MAX_LABELS + 1)}))


def test_labels_are_merged() -> None:
    """`None` removes one, or all; one that is removed twice is gone."""
    assert with_labels({"a": "1", "b": "2"}, {"b": "3", "c": "4"}) == {"a": "1", "b": "3", "c": "4"}
    assert with_labels({"a": "1", "b": "2"}, {"a": None, "c": None}) == {"b": "2"}
    assert with_labels({"a": "1"}, {}) == {"a": "1"}
    assert with_labels({"a": "1"}, None) == {}


def test_the_newest_attempts_that_were_replaced_are_kept() -> None:
    """Each once; one that was replaced again is the newest."""
    replaced: tuple[str, ...] = ()
    for number in range(12):
        replaced = with_replaced(replaced, str(number))
    assert replaced == tuple(map(str, range(2, 12)))
    assert with_replaced(replaced, "2")[-2:] == ("11", "2")
