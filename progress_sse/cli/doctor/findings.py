"""The result of a check in words, the exit status of all, and the setting of a proxy that mends a fault. Pure."""

import re
import tomllib
from collections.abc import Sequence
from functools import partial
from importlib.resources import files
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from progress_sse._internal.http_library import httpx
from progress_sse.story.plain_text import one_line

Level: TypeAlias = Literal["ok", "warning", "fault", "skipped"]

EXIT_STATUS: Final[dict[Level, int]] = {"ok": 0, "skipped": 0, "warning": 1, "fault": 2}
"""The exit status by the worst level; monitoring plugins use the same."""


class Finding(NamedTuple):
    """The result of one check.

    Attributes:
        level: `skipped` if the check could not be made, or has nothing to look at.
        text: What was seen, and what it means.
        remedy: The change that helps; empty if there is nothing to change. `<buffering>` stands for the setting of the
            proxy, and `<request header Origin>` for the setting of a header.
    """

    level: Level
    text: str
    remedy: str = ""


ok = partial(Finding, "ok")
skipped = partial(Finding, "skipped")
"""The check was not made."""
warning = partial(Finding, "warning")
"""It works, but not as well as it could."""
fault = partial(Finding, "fault")


def line(name: str, finding: Finding) -> str:
    """Return the finding of a check as a line of plain text: it may quote a server."""
    level, text, remedy = finding
    return one_line(f"{level:<8} {name:<12}  {text}{' Change: ' if remedy else ''}{remedy}")


def summary(findings: Sequence[Finding]) -> str:
    """Return a line with the number of faults and warnings."""
    faults, warnings = (sum(each.level == level for each in findings) for level in ("fault", "warning"))
    return f"Faults: {faults}. Warnings: {warnings}."


def exit_status(findings: Sequence[Finding]) -> int:
    """Return the exit status of the worst finding."""
    return max((EXIT_STATUS[each.level] for each in findings), default=0)


_FILE: Final = files(__package__).joinpath("proxies.toml")
PROXIES: Final[dict[str, dict[str, Any]]] = tomllib.loads(_FILE.read_text("utf-8"))
"""Of each proxy by its name: its signs, and the settings that mend a fault."""

_OFTEN_SILENT: Final = ("nginx", "Caddy", "Traefik", "HAProxy", "Apache")  # Those that an answer need not show.

_MARK: Final = re.compile(f"<({'|'.join(PROXIES['nginx'])})(?: ([A-Za-z-]+))?>")


def proxies_in(headers: httpx.Headers) -> list[str]:
    """Return the proxies that show themselves in the headers of an answer."""

    def shows(name: str, pattern: str) -> bool:
        return any(re.search(pattern, value, re.IGNORECASE) for value in headers.get_list(name))

    return [name for name, proxy in PROXIES.items() if any(shows(*sign) for sign in proxy["signs"])]


def resolved(finding: Finding, headers: httpx.Headers) -> Finding:
    """Return a finding with the settings of the proxies that the answer shows, or of all that may be hidden."""
    names = proxies_in(headers) or _OFTEN_SILENT

    def settings(mark: re.Match[str]) -> str:
        found = (f"{name}: {PROXIES[name][mark[1]].replace('{header}', mark[2] or '')}" for name in names)
        return "; ".join(found) + "."

    return finding._replace(remedy=_MARK.sub(settings, finding.remedy))
