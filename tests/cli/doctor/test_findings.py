"""The report: a line for each check, an exit status, and the settings of the proxies that show themselves."""

import re
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from progress_sse.cli.doctor import examination
from progress_sse.cli.doctor.findings import (
    PROXIES,
    exit_status,
    fault,
    line,
    ok,
    proxies_in,
    resolved,
    skipped,
    summary,
    warning,
)
from progress_sse.cli.main import main

LISTEN_S = 35  # By default.
SOURCE = "".join(path.read_text("utf-8") for path in Path(examination.__file__).parent.glob("*checks.py"))


def remedy(change: str, headers: httpx.Headers) -> str:
    """The change in words, where an answer has these headers."""
    return resolved(warning("", change), headers).remedy


def test_a_finding_is_one_line_of_plain_text() -> None:
    """A server that is quoted cannot write to the terminal or forge a line."""
    text = line("server", fault("redirects to \x1b[31mhttp://x\nok  all", "the URL."))
    assert text == "fault    server        redirects to http://x ok  all Change: the URL."
    assert line("end", skipped("why")) == "skipped  end           why"


def test_the_worst_finding_is_the_exit_status_and_a_line_counts() -> None:
    """As with plug-ins for monitoring: 0 ok, 1 warning, 2 critical; checks that were not made count as neither."""
    assert [exit_status(each) for each in ([], [ok(""), skipped("")])] == [0, 0]
    assert exit_status([ok(""), warning("", ""), skipped("")]) == 1
    assert exit_status([warning("", ""), fault("", ""), ok("")]) == 2
    assert summary([ok(""), fault("", ""), warning("", ""), fault("", ""), skipped("")]) == "Faults: 2. Warnings: 1."


@pytest.mark.parametrize(
    ("name", "signs"),
    {
        "nginx": (("server", "nginx/1.26.3"), ("server", "openresty")),
        "Caddy": (("server", "Caddy"), ("via", "1.1 Caddy")),
        "Traefik": (("via", "1.1 traefik"),),
        "HAProxy": (("via", "1.1 haproxy"),),
        "Apache": (("server", "Apache/2.4.62 (Debian)"),),
        "Cloudflare": (("server", "cloudflare"), ("cf-ray", "8f-FRA")),
        "a CDN": (("via", "1.1 varnish"), ("via", "1.1 1234.cloudfront.net (CloudFront)")),
    }.items(),
)
def test_a_proxy_shows_itself(name: str, signs: tuple[tuple[str, str], ...]) -> None:
    """Then its setting alone is named."""
    for sign in signs:
        headers = httpx.Headers([("date", "today"), sign])
        assert proxies_in(headers) == [name]
        assert remedy("<buffering>", headers).startswith(f"{name}: ")
        assert remedy("<buffering>", headers).count(": ") == 1


def test_without_a_sign_the_setting_of_each_proxy_is_named() -> None:
    """Traefik and HAProxy show nothing, and any proxy may be configured to hide."""
    text = remedy("<silence>", httpx.Headers({"server": "uvicorn"}))
    assert re.findall(r"(?:^|; )(\w+): ", text) == ["nginx", "Caddy", "Traefik", "HAProxy", "Apache"]
    assert "`proxy_read_timeout`" in text


def test_each_proxy_has_a_setting_for_each_fault() -> None:
    """And a setting of headers names the header; a mark that is misspelt would stay."""
    marks = set(re.findall(r"<((?:re\w+ header|\w+))(?: [\w-]+)?>", SOURCE))
    for name, proxy in PROXIES.items():
        assert set(proxy) - {"signs", "silence_s"} == marks, name
        for kind in ("request header", "response header"):
            assert "{header}" in proxy[kind]


def test_the_help_says_how_long_it_takes_at_most() -> None:
    """It is the sum of the limits, and a reserve for start and end."""
    text = " ".join(CliRunner().invoke(main, ["doctor", "--help"]).output.split())
    promise = re.search(r"and (\d+) seconds at most", text)
    assert promise is not None
    limits_s = examination.NETWORK_S + examination.LIMIT_S + LISTEN_S + examination.REQUEST_S
    assert int(promise[1]) >= limits_s + 5


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Name the server by URL, or by PROGRESS_SSE_URL."),
        (["ftp://x"], "must be like http://host:8000"),
        (["http://user:word@127.0.0.1"], "must be like http://host:8000"),
        (["http://127.0.0.1:9", "--origin", "https://app.example/path"], "must be like https://app.example"),
        (["http://127.0.0.1:9", "--origin", "app.example"], "must be like https://app.example"),
        (["http://127.0.0.1:9", "--session", "a/b"], "session"),
    ],
)
def test_a_wrong_use_is_refused_in_one_sentence(arguments: list[str], sentence: str) -> None:
    """The exit status is that of faults, and nothing is asked of a server."""
    result = CliRunner(env={"PROGRESS_SSE_URL": None}).invoke(main, ["doctor", *arguments])
    assert result.exit_code == 2
    assert sentence in result.output
