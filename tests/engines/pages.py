"""Pages of users that the servers of the tests serve."""

from pathlib import Path

from tests.browser.following import following
from tests.browser.page_driver import SOURCES

WITHOUT_LOCKS = 'Object.defineProperty(navigator, "locks", {value: undefined});'
"""Runs before the page's scripts: makes the page one without Web Locks, as over plain HTTP in a network."""

_ERRORS = """
window.errors = [];
addEventListener("error", ({message}) => errors.push(message));
addEventListener("unhandledrejection", ({reason}) => errors.push(String(reason)));
"""

_ELEMENT = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>element</title>
<link rel="icon" href="data:,">
<script>SCRIPT</script>
<script type="module" src="/web/define.js"></script>
<progress-steps session="SESSION">please wait</progress-steps>"""

_LIST = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>list</title>
<link rel="icon" href="data:,">
<script>SCRIPT</script>
<script type="module" src="/web/define-list.js"></script>
<progress-list prefix="PREFIX"><p id="instead">nothing runs</p></progress-list>"""


def write_following_page(folder: Path, session_id: str, script: str = "", **options: str) -> str:
    """A page that follows a session by a tracker, after this script; returns its path."""
    page = following(session_id, **options).replace("<p id", f"<script>{_ERRORS}{SOURCES}{script}</script><p id", 1)
    return _write(folder, session_id, page)


def write_element_page(folder: Path, session_id: str) -> str:
    """A page that shows a session by the element; returns its path."""
    return _write(folder, session_id, _ELEMENT.replace("SCRIPT", _ERRORS).replace("SESSION", session_id))


def write_list_page(folder: Path, prefix: str) -> str:
    """A page that lists the sessions whose ids begin with a prefix; returns its path."""
    return _write(folder, prefix, _LIST.replace("SCRIPT", _ERRORS).replace("PREFIX", prefix))


def _write(folder: Path, name: str, page: str) -> str:
    (folder / f"{name}.html").write_text(page, "utf-8")
    return f"/{name}.html"
