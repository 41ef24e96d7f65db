"""How Sphinx builds the site of the documents: `make docs`.

The source folder is the root of the project, so that a link between two files is the same link on the site. The site
loads nothing from elsewhere.
"""

import shutil
from pathlib import Path
from typing import Any

from pygments.lexers.javascript import JavascriptLexer
from pygments.lexers.special import TextLexer

ROOT = Path(__file__).parents[1]

project = "progress_sse"
extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = ["docs/**.md", "tests/README.md", "tests/corpus/README.md", "web/README.md", "C*.md"]
exclude_patterns = ["docs/_build", ".*", "build", "dist", "**/node_modules", "progress_sse"]
suppress_warnings = ["misc.highlighting_failure"]  # in printed JSON, … stands for the rest
nitpicky = True

# The anchors of headings are GitHub's, to the depth that links use.
myst_heading_anchors = 4
myst_enable_extensions = ["attrs_inline"]

html_theme = "furo"
html_title = "progress_sse"
html_favicon = "../web/page/favicon.svg"
html_show_sourcelink = False
html_copy_source = False
html_extra_path = ["../llms.txt"]

FIRST = """<!doctype html>
<html lang="en">
<meta http-equiv="refresh" content="0; url=docs/index.html">
<title>progress_sse</title>
<link rel="icon" href="_static/favicon.svg">
<a href="docs/index.html">progress_sse</a>
"""


def setup(app: Any) -> None:
    """Add the languages that Pygments lacks, and the pages' sources for `llms.txt`."""
    app.add_lexer("jsx", JavascriptLexer)
    app.add_lexer("mermaid", TextLexer)
    app.connect("build-finished", copy_sources)


def copy_sources(app: Any, error: Exception | None) -> None:
    """Put the Markdown of each page beside it, where `llms.txt` names it, and lead from the root to the first page."""
    if error is None:
        (Path(app.outdir) / "index.html").write_text(FIRST, "utf-8")
        for name in app.env.found_docs:
            shutil.copy(ROOT / f"{name}.md", Path(app.outdir) / f"{name}.md")
