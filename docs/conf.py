"""How Sphinx builds the site of the documents: `make docs`.

The source folder is the root of the project, so that a link between two files is the same link on the site. The site
loads nothing from elsewhere.
"""

import re
import shutil
from pathlib import Path
from typing import Any

from pygments.lexers.javascript import JavascriptLexer
from pygments.lexers.special import TextLexer

ROOT = Path(__file__).parents[1]

project = "progress_sse"
extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = ["docs/**.md", "tests/README.md", "tests/corpus/README.md", "web/README.md", "[CS]*.md"]
exclude_patterns = ["docs/_build", ".*", "build", "dist", "**/node_modules", "progress_sse"]
suppress_warnings = ["misc.highlighting_failure"]  # in printed JSON, … stands for the rest
nitpicky = True

# The anchors of headings are GitHub's, to the depth that links use.
myst_heading_anchors = 4
myst_enable_extensions = ["attrs_inline"]

html_theme = "furo"
html_title = "progress_sse"
html_favicon = "../web/page/favicon.svg"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_extra_path = ["../llms.txt"]

CONTRIBUTORS = ("docs/adr/", "docs/explanation/architecture", "CONTRIBUTING", "CHANGELOG", "tests/README")
"""The beginnings of the names of pages that are no help to users; the first page links to them."""

REPAIRS = {
    r'class="caption" role="heading"(?! )': r'class="caption" role="heading" aria-level="2"',
    r'<th class="([^"]*)"><p></p></th>': r'<td class="\1"></td>',
    r'<aside class="(sidebar|toc)-drawer\b': r'<aside aria-label="\1" class="\1-drawer',
    r'<div class="table-wrapper\b': r'<div tabindex="0" class="table-wrapper',
    r'(?<!</h1>)<div id="search-results">': r'<h1>Search</h1><div id="search-results">',
}
"""What the theme and its parser leave out for screen readers and keyboards, by a pattern that it does not match."""

FIRST = """<!doctype html>
<html lang="en">
<meta http-equiv="refresh" content="0; url=docs/index.html">
<title>progress_sse</title>
<link rel="icon" href="_static/favicon.svg">
<a href="docs/index.html">progress_sse</a>
"""


def setup(app: Any) -> None:
    """Add the languages that Pygments lacks, the pages' sources for `llms.txt`, and what the theme leaves out."""
    app.add_lexer("jsx", JavascriptLexer)
    app.add_lexer("mermaid", TextLexer)
    app.connect("doctree-read", keep_apart)
    app.connect("build-finished", copy_sources)
    app.connect("build-finished", repair)


def keep_apart(app: Any, _page: Any) -> None:
    """Leave a page for contributors out of the search and of the navigation."""
    if app.env.docname.startswith(CONTRIBUTORS):
        app.env.metadata[app.env.docname].update({"no-search": True, "orphan": True})


def copy_sources(app: Any, error: Exception | None) -> None:
    """Put the Markdown of each page beside it, where `llms.txt` names it, and lead from the root to the first page."""
    if error is None:
        (Path(app.outdir) / "index.html").write_text(FIRST, "utf-8")
        for name in app.env.found_docs:
            shutil.copy(ROOT / f"{name}.md", Path(app.outdir) / f"{name}.md")


def repair(app: Any, error: Exception | None) -> None:
    """Complete the HTML of each page."""
    for page in () if error else Path(app.outdir).rglob("*.html"):
        html = page.read_text("utf-8")
        for pattern, complete in REPAIRS.items():
            html = re.sub(pattern, complete, html)
        page.write_text(html, "utf-8")
