"""Features that need an extra, where it is not installed."""

import io
import re
import sys
import tomllib
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from progress_sse._internal.optional_imports import SERVER_PACKAGES, from_extra
from progress_sse.auth.tokens import SignedTokens
from progress_sse.core.errors import ConfigurationError
from progress_sse.observability.logs import configure
from progress_sse.service import ProgressService
from progress_sse.settings import Settings

ROOT = Path(__file__).parents[2]

NEEDS: dict[str, tuple[str, Callable[[], object]]] = {
    "json": ("pythonjsonlogger", lambda: configure("info", "json", io.StringIO())),
    "opentelemetry": ("opentelemetry", lambda: import_module("progress_sse.bridges.opentelemetry")),
    "rates": ("limits", lambda: ProgressService(Settings(store="memory://", read_rate="1/second"))),
    "redis": ("redis", lambda: ProgressService(Settings(store="redis://localhost"))),
    "rs256": ("cryptography", lambda: SignedTokens("-----BEGIN ", "RS256")),
}


def uninstall(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Let imports of the package fail, and our modules that import it be imported again."""
    for name in [*sys.modules]:
        if name.startswith(
            (
                "progress_sse.store.redis.",
                "progress_sse.auth.rate_limits",
                "progress_sse.bridges.opentelemetry",
                f"{package}.",
            )
        ):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)


@pytest.mark.parametrize("extra", NEEDS)
def test_the_error_says_how_to_install_a_missing_extra(monkeypatch: pytest.MonkeyPatch, extra: str) -> None:
    """For each feature that needs one."""
    package, use = NEEDS[extra]
    uninstall(monkeypatch, package)
    with pytest.raises(ConfigurationError, match=re.escape(f"pip install 'progress-sse[{extra}]'")):
        use()


def test_the_names_of_the_servers_packages_are_those_of_its_extra() -> None:
    """A missing one of them, and no other module, is blamed on the extra."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    required = {re.split(r"[\[>]", each)[0] for each in extras["server"]}
    imported = {name: {each.lower() for each in dists} for name, dists in packages_distributions().items()}
    assert {name for name, dists in imported.items() if dists & required} == set(SERVER_PACKAGES)


def test_a_module_that_is_missing_elsewhere_is_not_blamed_on_an_extra() -> None:
    """Installing the extra would not help."""
    with pytest.raises(ModuleNotFoundError, match="nothing_of_that_name"), from_extra("x", "sys", need="Tests need"):
        import nothing_of_that_name  # type: ignore[import-not-found]  # noqa: F401
