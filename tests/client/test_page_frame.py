"""A progress as the last line of a notebook's cell: the HTML of its page, for which the kernel asks the server."""

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest

from progress_sse import AsyncProgress, Progress, current
from progress_sse._internal.page_frame import allows_frames
from progress_sse.client.testing import recording
from tests.harness.http1 import HOST, free_port

ID = """"'><img src=x onerror=alert(1)> & co"""
TOKEN = "a-secret-of-the-worker"
Kind = type[Progress | AsyncProgress]


@contextmanager
def answering(status: str, *, is_endless: bool = False) -> Iterator[tuple[str, list[str]]]:
    """Answer one request, where it `is_endless` with more and more headers; yield the URL, and the request."""
    asked: list[str] = []
    is_over = threading.Event()

    def answer() -> None:
        with listener.accept()[0] as connection:
            asked.append(connection.recv(65536).decode())
            connection.sendall(f"HTTP/1.1 {status}\r\n".encode())
            while is_endless and not is_over.wait(0.2):
                connection.sendall(b"X: 1\r\n")
            connection.sendall(b"Content-Length: 0\r\n\r\n")

    with socket.create_server((HOST, 0)) as listener:
        (thread := threading.Thread(target=answer)).start()
        yield f"http://{HOST}:{listener.getsockname()[1]}", asked
        is_over.set()
        thread.join()


def elements(url: str | None, kind: Kind = Progress, **more: Any) -> list[tuple[str, Any]]:
    """The elements that a browser makes of a progress, and their attributes."""
    html, found, parser = kind.attach(ID, url=url, token=TOKEN, **more)._repr_html_(), [], HTMLParser()
    assert TOKEN not in html
    parser.handle_starttag = lambda tag, attrs: found.append((tag, dict(attrs)))  # type: ignore[method-assign]
    parser.feed(html)
    return found


@pytest.mark.parametrize("kind", [Progress, AsyncProgress])
def test_a_page_is_in_a_frame_above_its_link(kind: Kind, caplog: pytest.LogCaptureFixture) -> None:
    """Id and address add nothing to the HTML; the server is asked without the token, and without a line in the log."""
    caplog.set_level(logging.INFO)
    with answering("200 OK") as (url, asked):
        [(_, frame), _, (_, link)] = elements(f"{url}/\"onload='alert(1)'<b>", kind)
    assert link["href"].startswith(f"{url}/\"onload='alert(1)'<b>/s/%22%27%3E%3Cimg")
    assert (frame["src"], frame["title"]) == (f"{link['href']}?compact", f"Progress of {ID}")
    assert frame.keys() == {"src", "title", "width", "height", "style", "sandbox", "referrerpolicy"}
    assert "allow-top-navigation" not in frame["sandbox"]
    assert TOKEN not in asked[0]
    assert "HEAD" not in caplog.text


def test_a_page_that_is_not_there_in_time_is_a_link() -> None:
    """The server is down, has no such page, sends it elsewhere, or sends its answer in endless parts."""
    assert [tag for tag, _ in elements(f"http://{HOST}:{free_port()}")] == ["a"]
    for status, is_endless in [("404 Not Found", False), ("302 Found", False), ("200 OK", True)]:
        with answering(status, is_endless=is_endless) as (url, _):
            assert [tag for tag, _ in elements(url)] == ["a"]


@pytest.mark.parametrize(
    ("is_allowed", "headers"),
    [
        (True, ["frame-ancestors-of-mine 'self'; img-src 'self'"]),
        (True, ["default-src 'self'; frame-ancestors *"]),
        (True, ["frame-ancestors 'self' https://lab.example"]),  # It may be the notebook's.
        (False, ["default-src 'self'; Frame-Ancestors 'self'"]),
        (False, ["frame-ancestors 'NONE'; img-src *"]),
        (False, ["frame-ancestors"]),
        (False, ["frame-ancestors *", "frame-ancestors 'self'"]),
    ],
)
def test_a_policy_allows_frames_of_others(is_allowed: bool, headers: list[str]) -> None:
    """All policies of a page have to; the older header forbids it alone."""
    policies = [("Content-Security-Policy", each) for each in headers]
    assert allows_frames(httpx.Headers(policies)) == is_allowed
    for former in ("SAMEORIGIN", "deny"):
        assert not allows_frames(httpx.Headers([*policies, ("X-Frame-Options", former)]))


def test_a_progress_without_a_page_is_a_text() -> None:
    """So is one that is disabled, one whose address is that of a script, and one that a test records."""
    for more in ({"url": None}, {"url": f"http://{HOST}", "disabled": True}, {"url": "javascript:alert(1)"}):
        assert not elements(**more)
    assert Context().run(current)._repr_html_() == "Progress is not reported."  # Another test may be in a block.
    with recording():
        assert not elements(None)
