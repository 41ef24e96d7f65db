"""The version of the package: the number in ``web/package.json``, and a fingerprint of what a wheel is built from.

So no wheel of another state has the number of an earlier one. The wheel from a source archive has that of the archive.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
EXCHANGES: Final = "tests/corpus/exchanges.json"
SOURCES: Final = ("pyproject.toml", "README.md", "LICENSE", "progress_sse", "web/assets", "web/lib", EXCHANGES)


def number() -> str:
    """Return the number of the release that these sources lead to."""
    manifest: dict[str, str] = json.loads((ROOT / "web" / "package.json").read_text("utf-8"))
    return manifest["version"]


def version() -> str:
    """Return the number with the fingerprint as its local part [PEP 440]."""
    fingerprint = hashlib.sha256()
    for path in sorted(_files()):
        content = path.read_bytes()
        fingerprint.update(f"{path.relative_to(ROOT).as_posix()} {len(content)}\n".encode() + content)
    return f"{number()}+s{fingerprint.hexdigest()[:10]}"


def _files() -> Iterator[Path]:
    for source in SOURCES:
        path = ROOT / source
        yield from [path] if path.is_file() else (each for each in path.rglob("*") if _is_source(each))


def _is_source(path: Path) -> bool:
    return path.is_file() and path.suffix != ".pyc"
