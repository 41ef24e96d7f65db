"""The file of hooks, and each mistake in it."""

import base64
from pathlib import Path

import certifi
import pytest
from click.testing import CliRunner

from progress_sse.cli.main import main
from progress_sse.core.errors import ConfigurationError
from progress_sse.core.session_filter import SessionFilter
from progress_sse.notices.hooks_file import DEFAULT_EVENTS, Hook, load_hooks
from tests.harness.documents import blocks_of
from tests.harness.serving import ROOT

PAGE = "docs/how-to/get-notified.md"
KEY = b"k" * 24
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"
URL = 'url = "https://example.org/progress"\n'
SIGNED = f'secret = "{SECRET}"\n'


def read(folder: Path, text: str) -> tuple[Hook, ...]:
    path = folder / "hooks.toml"
    path.write_text(text, "utf-8")
    return load_hooks(path)


def test_the_file_of_the_documents_is_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a secret as its command makes them."""
    [text] = [block.text for block in blocks_of(PAGE, (ROOT / PAGE).read_text("utf-8")) if block.language == "toml"]
    made = CliRunner().invoke(main, ["hooks", "secret"], catch_exceptions=False)
    monkeypatch.setenv("HOOK_SECRET", made.stdout.strip())
    (hook,) = read(tmp_path, text)
    assert (hook.name, sorted(hook.events), len(hook.secrets)) == ("oncall", ["completed", "failed", "stalled"], 1)


def test_all_that_a_hook_may_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_AUTH", "Bearer t")
    (tmp_path / "tenant").write_text("shop\n")
    (tmp_path / "ca.pem").write_text(certifi.contents())
    other = base64.b64encode(b"o" * 64).decode()
    (hook,) = read(
        tmp_path,
        f"""
        [hooks.on_call-2]
        url = "http://[fd00::1]:8443/in?x=1"
        insecure = true
        secrets = ["{SECRET}", "whsec_{other}"]
        headers = {{ X-A = "é" }}
        headers_env = {{ Authorization = "HOOK_AUTH" }}
        headers_file = {{ X-Tenant = "tenant" }}
        on = ["started", "stalled", "recovered"]
        prefix = "shop:"
        label = ["team:search"]
        private = true
        proxy = true
        ca_file = "ca.pem"
        """,
    )
    assert (hook.name, str(hook.url), hook.origin) == (
        "on_call-2",
        "http://[fd00::1]:8443/in?x=1",
        "http://[fd00::1]:8443",
    )
    assert hook.secrets == (KEY, b"o" * 64)
    assert dict(hook.headers) == {"X-A": "é", "Authorization": "Bearer t", "X-Tenant": "shop"}
    assert hook.events == {"started", "stalled", "recovered"}
    assert hook.wanted == SessionFilter("shop:", frozenset({("team", "search")}))
    assert (hook.is_private, hook.uses_proxy, hook.ca) == (True, True, certifi.contents().strip())


def test_what_it_has_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the secret in a file, or in a variable."""
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    hooks = read(tmp_path, f'[hooks.a]\n{URL}secret_file = "secret"\n[hooks.b]\n{URL}secret_env = "HOOK_SECRET"\n')
    assert [hook.secrets for hook in hooks] == [(KEY,), (KEY,)]
    assert hooks[0][3:] == ((), DEFAULT_EVENTS, SessionFilter(), False, False, None)
    assert sorted(DEFAULT_EVENTS) == ["cancelled", "completed", "failed"]
    assert read(tmp_path, "") == ()


@pytest.mark.parametrize("url", ["http://localhost:9/x", "http://127.0.0.2", "http://[::1]/", "https://example.org"])
def test_urls_that_need_no_more(tmp_path: Path, url: str) -> None:
    assert str(read(tmp_path, f'[hooks.a]\nurl = "{url}"\n{SIGNED}')[0].url) == url


MISTAKES: dict[str, tuple[str, str]] = {
    "no TOML": ("[hooks.a\n", "line 1"),
    "another table": ("[hook.a]\n", "hook: is not known."),
    "a name": (f"[hooks.A]\n{URL}{SIGNED}", "hooks.A.[key]: must have the form ^[a-z0-9_-]{1,32}$."),
    "twenty-one": (
        "".join(f"[hooks.h{number}]\n{URL}{SIGNED}" for number in range(21)),
        "hooks: must have at most 20 entries.",
    ),
    "no URL": (f"[hooks.a]\n{SIGNED}", "hooks.a.url: is missing."),
    "another key": (f"[hooks.a]\n{URL}{SIGNED}uri = 1", "hooks.a.uri: is not known."),
    "no secret": (
        f"[hooks.a]\n{URL}",
        "hooks.a: must have one of secret, secrets, secret_file and secret_env.",
    ),
    "two secrets": (
        f'[hooks.a]\n{URL}{SIGNED}secrets = ["{SECRET}", "{SECRET}"]',
        "hooks.a: must have one of secret, secrets, secret_file and secret_env.",
    ),
    "three secrets": (
        f'[hooks.a]\n{URL}secrets = ["{SECRET}", "{SECRET}", "{SECRET}"]',
        "hooks.a.secrets: must have at most 2 entries.",
    ),
    "an empty filter": (f"[hooks.a]\n{URL}{SIGNED}on = []", "hooks.a.on: must not be empty."),
    "another event": (
        f'[hooks.a]\n{URL}{SIGNED}on = ["done"]',
        "hooks.a.on.0: must be 'started', 'stalled', 'recovered', 'completed', 'failed' or 'cancelled'.",
    ),
    "a prefix": (f'[hooks.a]\n{URL}{SIGNED}prefix = "a/b"', "hooks.a.prefix: must be the beginning of a session id."),
    "a label": (
        f'[hooks.a]\n{URL}{SIGNED}label = ["team"]',
        "hooks.a.label: must be a list of at most 16 texts of the form key:value.",
    ),
    "no boolean": (f'[hooks.a]\n{URL}{SIGNED}private = "yes"', "hooks.a.private: must be true or false."),
    "no file": (
        f'[hooks.a]\n{URL}secret_file = "missing"',
        "hooks.a.secret_file: cannot be read: No such file or directory.",
    ),
    "no certificates": (
        f'[hooks.a]\n{URL}{SIGNED}ca_file = "hooks.toml"',
        "hooks.a.ca_file: must have certificates in PEM.",
    ),
    "nested too deeply": ("a = " + "[" * 101 + "]" * 101, "it is nested too deeply."),
    "nested far too deeply": ("a = " + "[" * 5000 + "]" * 5000, "it is nested too deeply."),
    "a blank before a header": (
        f'[hooks.a]\n{URL}{SIGNED}headers = {{ X-A = " b" }}',
        "hooks.a.headers.X-A: cannot be the value of a header.",
    ),
    "no variable": (
        f'[hooks.a]\n{URL}secret_env = "NOT_SET_AT_ALL"',
        "hooks.a.secret_env: names a variable that is not set.",
    ),
    "a line end in a header": (
        f'[hooks.a]\n{URL}{SIGNED}headers = {{ X-A = "a\\nb" }}',
        "hooks.a.headers.X-A: cannot be the value of a header.",
    ),
    "a header of ours": (
        f'[hooks.a]\n{URL}{SIGNED}headers = {{ Webhook-Id = "1" }}',
        "hooks.a.headers.Webhook-Id.[key]: must be the name of a header that the server does not set itself.",
    ),
}


@pytest.mark.parametrize(("text", "sentence"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    """It names hook and key, or the line; no value is shown."""
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, text)
    shown = str(caught.value)
    assert shown.startswith(f"The hooks file {tmp_path / 'hooks.toml'} cannot be used: ")
    assert sentence in shown
    assert "\n" not in shown
    assert SECRET not in shown


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://example.org/x", "must be https, or the hook have `insecure = true`."),
        ("http://127.0.0.1.example.org/x", "must be https, or the hook have `insecure = true`."),
        ("https://user:hunter2@example.org/", "must have no user, password and fragment."),
        ("https://example.org/#a", "must have no user, password and fragment."),
        ("ftp://example.org/", "must be an http or https URL."),
        ("https:///x", "must be an http or https URL."),
        ("https://example.org:99999/", "must be an http or https URL."),
        ("example.org", "must be an http or https URL."),
        ("https://exa mple.org", "must be an http or https URL."),
    ],
)
def test_urls_that_are_mistakes(tmp_path: Path, url: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, f'[hooks.a]\nurl = "{url}"\n{SIGNED}')
    assert str(caught.value).endswith(f"hooks.a.url: {sentence}")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "secret",
    [
        SECRET.removeprefix("whsec_"),
        f"whsec_{base64.b64encode(b'k' * 23).decode()}",
        f"whsec_{base64.b64encode(b'k' * 65).decode()}",
        "whsec_",
        f"{SECRET}!",
    ],
)
def test_secrets_that_are_mistakes(tmp_path: Path, secret: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, f'[hooks.a]\n{URL}secret = "{secret}"\n')
    assert "hooks.a.secret: must be whsec_ and the base64 of 24 to 64 bytes" in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot be used: .*No such file"):
        load_hooks(tmp_path / "missing.toml")
    (tmp_path / "hooks.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigurationError) as caught:
        load_hooks(tmp_path / "hooks.toml")
    assert "utf-8" in str(caught.value)
