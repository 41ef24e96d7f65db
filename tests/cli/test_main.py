"""The command line: every setting is a flag, and every refusal one sentence."""

import io
import re
import socket

import jwt
import pytest
from click.testing import CliRunner, Result

from progress_sse.cli import server_commands
from progress_sse.cli.main import main
from progress_sse.settings import Settings
from tests.harness.http1 import HOST
from tests.harness.tokens import KEY


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments])


def test_every_setting_is_a_flag_with_its_default_and_environment_variable() -> None:
    """The help lists all settings."""
    help_text = re.sub(r"\s+", "", run("serve", "--help").output)
    for name, field in Settings.model_fields.items():
        default = "none" if field.default in (None, ()) else field.default
        assert f"--{name.replace('_', '-')}" in help_text
        assert f"[default:{default};env:PROGRESS_SSE_{name.upper()}]".replace(" ", "") in help_text


@pytest.mark.parametrize(("arguments", "learns"), [([], True), (["--learn"], True), (["--no-learn"], False)])
def test_a_flag_that_is_on_can_be_turned_off(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], learns: bool
) -> None:
    """`--no-learn`; and a flag wins over the environment."""
    served: list[Settings] = []
    monkeypatch.setattr(server_commands, "_run", served.append)
    assert run("serve", *arguments).exit_code == 0
    monkeypatch.setenv("PROGRESS_SSE_LEARN", str(not learns))
    if arguments:
        assert run("serve", *arguments).exit_code == 0
    assert {settings.learn for settings in served} == {learns}


@pytest.mark.parametrize(
    ("arguments", "is_dev"),
    [
        ([], True),
        (["--no-dev"], False),
        (["--publish-token", "t"], False),
        (["--publish-token", "t", "--dev"], True),
        (["--host", "0.0.0.0", "--insecure"], False),  # noqa: S104  # nothing is served
    ],
)
def test_the_commands_are_shown_to_those_who_develop(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], is_dev: bool
) -> None:
    """By default they are those who alone can reach the server, and publish without a token."""
    served: list[Settings] = []
    monkeypatch.setattr(server_commands, "_run", served.append)
    assert run("serve", *arguments).exit_code == 0
    assert [settings.dev for settings in served] == [is_dev]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--workers", "2", "--store", "memory://"],
            "memory is a store of one process: take --workers 1, or --store redis://HOST.",
        ),
        (["--store", "postgres://x"], "store must be memory://, sqlite:///PATH, redis://"),
        (["--read", "token"], "read=token needs the key that tokens are signed with"),
        (["--host", "0.0.0.0"], "so workers need a token"),  # noqa: S104  # to be refused
        (["--publish-token", "\udcff"], "publish_token.0: has a NUL or surrogate character"),
        (["--port", "x"], "port: must be an integer"),
        (["--steps-file", "/nowhere/steps.toml"], "The steps file /nowhere/steps.toml cannot be used"),
        (["--port", "0", "--store", "sqlite:////nowhere/progress.db"], "/nowhere"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_invalid_settings_are_refused_in_one_sentence(arguments: list[str], sentence: str) -> None:
    """The exit code is 1, without a traceback, and nothing is served."""
    result = run("serve", *arguments)
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert sentence in result.output
    assert result.output.count("\n") == 1


@pytest.mark.parametrize("is_closed", [True, False])
def test_a_server_starts_where_nothing_takes_its_greeting(monkeypatch: pytest.MonkeyPatch, is_closed: bool) -> None:
    """Its stdout may be closed, as that of a daemon, or on a full disk."""
    with socket.create_server((HOST, 0)) as listener, io.FileIO("/dev/full", "w") as full:
        monkeypatch.setattr("sys.stdout", None if is_closed else io.TextIOWrapper(full, write_through=True))
        server_commands.print_greeting(Settings(), listener)


def test_a_full_disk_is_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What a command prints may be sent to a file."""
    with io.FileIO("/dev/full", "w") as full:
        monkeypatch.setattr("sys.stdout", io.TextIOWrapper(full, write_through=True))
        with pytest.raises(SystemExit, match="1"):
            main(["token", "secret"])
    assert capsys.readouterr().err == "Error: Cannot write: No space left on device.\n"


def test_the_version_is_printed() -> None:
    """Bug reports need it."""
    assert re.fullmatch(r"progress-sse, version \d+\.\d+\.\d+\+s[0-9a-f]{10}\n", run("--version").output)


def test_a_secret_is_a_valid_key_and_always_new() -> None:
    """SE-10: no user has to invent one."""
    one, two = run("token", "secret").output.strip(), run("token", "secret").output.strip()
    assert one != two
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", one)
    made = run("token", "make", "--session", "a", "--token-key", one)
    assert made.exit_code == 0
    assert jwt.decode(made.output.strip(), one, algorithms=["HS256"], audience="progress-sse")["sessions"] == ["a"]


def test_a_token_has_the_requested_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is signed with the server's key; by default it allows to read, for an hour."""
    monkeypatch.setenv("PROGRESS_SSE_TOKEN_KEY", KEY)
    token = run("token", "make", "--session", "a", "--session", "b", "--prefix", "team-").output.strip()
    claims = jwt.decode(token, KEY, algorithms=["HS256"], audience="progress-sse")
    assert sorted(claims["sessions"]) == ["a", "b"]
    assert (claims["prefixes"], claims["actions"]) == (["team-"], ["read"])
    assert claims["exp"] - claims["iat"] == 3600
    options = ["--prefix", "", "--action", "list", "--action", "admin", "--expires-s", "60", "--subject", "ops"]
    claims = jwt.decode(
        run("token", "make", *options).output.strip(), KEY, algorithms=["HS256"], audience="progress-sse"
    )
    assert (claims["prefixes"], sorted(claims["actions"]), claims["sub"]) == ([""], ["admin", "list"], "ops")
    assert claims["exp"] - claims["iat"] == 60


def test_a_link_opens_the_page_of_one_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its token, which no server sees in the address, allows to read that session, and no more unless it is said."""
    monkeypatch.setenv("PROGRESS_SSE_TOKEN_KEY", KEY)
    for options, base, actions, lifetime_s in (
        ([], "http://127.0.0.1:8000", ["read"], 3600),
        (["--url", "https://jobs.example/x/", "--control", "--expires-s", "60"], "https://jobs.example/x", None, 60),
    ):
        address, _, token = run("token", "link", "--session", "a b?c", *options).output.partition("#token=")
        assert address == f"{base}/s/a%20b%3Fc"
        claims = jwt.decode(token.strip(), KEY, algorithms=["HS256"], audience="progress-sse")
        assert (claims["sessions"], claims["prefixes"]) == (["a b?c"], [])
        assert sorted(claims["actions"]) == (actions or ["control", "read"])
        assert claims["exp"] - claims["iat"] == lifetime_s
    monkeypatch.setenv("PROGRESS_SSE_URL", "https://jobs.example")
    assert run("token", "link", "--session", "a").output.startswith("https://jobs.example/s/a#token=")


NO_KEY = "There is no key to sign with: set PROGRESS_SSE_TOKEN_KEY."


@pytest.mark.parametrize(
    ("command", "arguments", "sentence"),
    [
        ("link", ["--session", "a"], NO_KEY),
        ("link", ["--token-key", KEY], "Missing option '--session'"),
        ("link", ["--token-key", KEY, "--session", "a/b"], "session id"),
        ("link", ["--token-key", KEY, "--session", "a", "--expires-s", "0"], "0 is not in the range"),
        ("link", ["--token-key", KEY, "--session", "a", "--url", "jobs.example"], "must be like http://host:8000"),
        ("link", ["--token-key", KEY, "--session", "a", "--url", "https://u:p@jobs.example"], "with no user in it"),
        ("make", ["--session", "a"], NO_KEY),
        ("make", ["--token-key", KEY], "A token is for some --session or --prefix."),
        ("make", ["--token-key", KEY, "--session", "a", "--action", "list"], "A token to list sessions is for some"),
        ("make", ["--token-key", KEY, "--prefix", "a", "--action", "admin"], "A token with admin is for all sessions"),
        ("make", ["--token-key", KEY, "--session", "a/b"], "session id"),
        ("make", ["--token-key", KEY, "--session", "a", "--action", "fly"], "'fly' is not one of"),
        ("make", ["--token-key", KEY, "--session", "a", "--expires-s", "0"], "0 is not in the range"),
        ("make", ["--token-key", "hush-hush", "--session", "a"], "token_key has fewer than 32 bytes"),
        ("make", ["--token-key", KEY, "--prefix", "x" * 4000], "fewer sessions"),
        ("make", ["--token-key", KEY, "--prefix", "\udcff"], "Error: prefixes.0: has a NUL or surrogate character.\n"),
        ("make", ["--token-key", "\udcff", "--session", "a"], "Error: token_key: has a NUL or surrogate character.\n"),
    ],
    ids=lambda value: "" if isinstance(value, list) else value,
)
def test_an_invalid_token_or_link_is_refused(command: str, arguments: list[str], sentence: str) -> None:
    """The refusal is one sentence, which shows no key."""
    result = run("token", command, *arguments)
    assert result.exit_code != 0
    assert sentence in result.output
    assert KEY not in result.output
    assert "hush-hush" not in result.output
