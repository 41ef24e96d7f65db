"""Write what follows from the code: pages, the API, `llms.txt`, and `web/lib/wire.d.ts`: `python -m docs.generate`.

With `--check` it writes nothing, and fails if a file differs.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from docs.generators.command_line import command_line_page
from docs.generators.http_api import http_api_page, openapi_3_1
from docs.generators.llms_txt import llms_txt
from docs.generators.metrics import metrics_page
from docs.generators.problems import problems_page
from docs.generators.python_client import python_client_page
from docs.generators.settings import settings_page
from docs.generators.wire_types import wire_types

DOCS: Final = Path(__file__).parent


def generated(docs: Path = DOCS) -> dict[str, str]:
    """Return the content of each generated file, by its path below the folder `docs`."""
    pages = {
        "reference/cli.md": command_line_page(),
        "reference/http-api.md": http_api_page(),
        "reference/metrics.md": metrics_page(),
        "reference/problems.md": problems_page(),
        "reference/python-client.md": python_client_page(),
        "reference/settings.md": settings_page(),
    }
    described = {"reference/openapi-3.1.json": openapi_3_1()}
    return {**pages, **described, "../llms.txt": llms_txt(docs, pages), "../web/lib/wire.d.ts": wire_types()}


def main(arguments: Sequence[str], docs: Path = DOCS) -> None:
    """Write the files, or compare."""
    texts = generated(docs)
    if "--check" not in arguments:
        for name, text in texts.items():
            (docs / name).write_text(text, "utf-8")
        return
    stale = [name for name, text in texts.items() if _differs(docs / name, text)]
    if stale:
        raise SystemExit(f"Run `make format`: {', '.join(stale)} would change.")


def _differs(path: Path, text: str) -> bool:
    return not path.exists() or path.read_text("utf-8") != text


if __name__ == "__main__":
    main(sys.argv[1:])
