"""The programs in our documents, to be run unchanged."""

from __future__ import annotations

import re

from tests.harness.serving import ROOT


def programs_of(document: str) -> dict[str, str]:
    """Each Python block of a document in `docs` that begins with its file's name, by that name without `.py`."""
    text = (ROOT / "docs" / document).read_text("utf-8")
    return dict(re.findall(r"^```python\n# (\w+)\.py\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
