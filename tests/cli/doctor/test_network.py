"""The way to the address: whether there is one, and the proxy of the environment, which browsers may not use."""

import asyncio

import pytest
from click.testing import CliRunner

from progress_sse.cli.doctor.examination import environment_proxy, look_at
from progress_sse.cli.doctor.observations import Network
from progress_sse.cli.main import main
from tests.harness.http1 import HOST, free_port


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("variable", "value", "found"),
    [
        ("https_proxy", "http://user:word@proxy.example:3128", "proxy.example"),
        ("all_proxy", "proxy.example:3128", "proxy.example"),
        ("http_proxy", "http://proxy.example", ""),
    ],
)
def test_the_proxy_of_the_urls_scheme_is_found(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, found: str
) -> None:
    """Its password is not shown."""
    monkeypatch.setenv(variable, value)
    assert environment_proxy("https://progress.example.com") == found


def test_an_exception_of_the_environment_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the requests do. Behind such a proxy, no address is looked up: this machine may have no other way."""
    monkeypatch.setenv("http_proxy", "http://proxy.example")
    monkeypatch.setenv("no_proxy", "example.com")
    assert environment_proxy("http://progress.example.com") == ""
    assert asyncio.run(look_at("http://progress.invalid")) == Network(environment_proxy="proxy.example")


def test_without_a_server_the_address_is_a_fault() -> None:
    """By the words of the system, and no request is made."""
    url = f"http://{HOST}:{free_port()}"
    result = CliRunner().invoke(main, ["doctor", url])
    assert result.exit_code == 2
    assert f"Nothing accepts connections at {url} ({HOST}): [Errno 111]" in result.output
    assert result.output.endswith("Faults: 1. Warnings: 0.\n")
