"""Settings: flags over environment over defaults, and which values are refused."""

import ast
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from redis.crc import key_slot

from progress_sse.core.errors import ConfigurationError
from progress_sse.settings import Settings, load_settings, unknown_variables, without_secrets
from progress_sse.store.redis.keys import Keyspace

CONTRACT_DEFAULTS: Mapping[str, Any] = {
    "host": "127.0.0.1",
    "port": 8000,
    "store": "sqlite:///progress.db",
    "heartbeat_s": 15,
    "retry_ms": 2000,
    "send_timeout_s": 30,
    "graceful_timeout_s": 5,
    "max_age_hours": 24,
    "cleanup_interval_s": 600,
    "steps_file": None,
    "allow_origins": (),
    "history": 1000,
    "history_bytes": 262144,
    "log_lines": 5000,
    "log_bytes": 1048576,
    "max_total_steps": 1000,
    "max_sessions": 100000,
    "max_streams": 10000,
    "max_sessions_per_stream": 20,
    "max_body_bytes": 262144,
    "max_text_chars": 8192,
    "publish_token": (),
    "read": "open",
}


def test_the_defaults_are_the_documented_ones() -> None:
    """Users rely on them without naming them."""
    settings = load_settings()
    assert {name: getattr(settings, name) for name in CONTRACT_DEFAULTS} == CONTRACT_DEFAULTS


def test_the_environment_is_read_and_a_flag_wins_over_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """For every setting."""
    monkeypatch.setenv("PROGRESS_SSE_HEARTBEAT_S", "3")
    monkeypatch.setenv("PROGRESS_SSE_RETRY_MS", "100")
    settings = load_settings(retry_ms="200")
    assert (settings.heartbeat_s, settings.retry_ms) == (3, 200)


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the environment and in a flag; spaces and empty parts are ignored."""
    monkeypatch.setenv("PROGRESS_SSE_PUBLISH_TOKEN", "one, two,")
    settings = load_settings(allow_origins="https://a.example,https://b.example")
    assert [token.get_secret_value() for token in settings.publish_token] == ["one", "two"]
    assert settings.allow_origins == ("https://a.example", "https://b.example")


def test_a_token_is_never_shown() -> None:
    """Neither in the text of the settings, nor in the error for another setting that is wrong."""
    settings = load_settings(publish_token="hush-hush")
    assert "hush" not in repr(settings) + str(settings) + settings.model_dump_json()
    with pytest.raises(ConfigurationError) as caught:
        load_settings(publish_token="hush-hush", port="hush")
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"port": "70000"}, "port"),
        ({"port": "x"}, "port"),
        ({"host": "", "publish_token": "t"}, "host"),
        ({"heartbeat_s": "0"}, "heartbeat_s"),
        ({"send_timeout_s": "-1"}, "send_timeout_s"),
        ({"max_streams": "0"}, "max_streams"),
        ({"read": "closed"}, "read"),
        ({"heartbeat_s": "inf"}, "heartbeat_s"),
        ({"max_age_hours": "nan"}, "max_age_hours"),
        ({"publish_token": ""}, "publish_token"),
        ({"publish_token": " , "}, "publish_token"),
        ({"publish_token": "one,t\nwo"}, "publish_token"),
        ({"publish_token": "one\x7f"}, "publish_token"),
        ({"retry_ms": "1000000001"}, "retry_ms"),
        ({"unheard_of": "1"}, "unheard_of"),
        *(
            ({"public_url": each}, "public_url")
            for each in ("example.org", "ftp://a.b", "https://a.b?c", "https://u@a.b")
        ),
        *(
            ({"push_contact": each}, "push_contact")
            for each in (
                *("ops@example.org", "mailto:ops", "mailto:ops@host", "https://host/", "https://127.0.0.1/"),
                *(
                    "mailto:ops@a.local",
                    "mailto:ops@a.localhost",
                    "https://a.invalid",
                    "https://a.test/x",
                    "http://a.org",
                ),
            )
        ),
        *(
            ({"push_hosts": each}, "push_hosts")
            for each in ("", "a.org:0", "[::1]:8443", "https://a.org", "a..org", "a.org/x")
        ),
        ({"push": "1"}, "push"),
        ({"push": "1", "push_contact": "mailto:a@b.org", "store": "memory://"}, "push"),
    ],
)
def test_an_invalid_setting_is_refused_by_name(given: dict[str, str], named: str) -> None:
    """One sentence names it."""
    with pytest.raises(ConfigurationError, match=f"^{named}"):
        load_settings(**given)


def test_what_push_may_be_given() -> None:
    """Contacts that vendors accept; hosts in any case, with a port or without."""
    for contact in ("mailto:ops@example.org", "https://example.org:8443/x", "https://a.test.example.org"):
        assert load_settings(push_contact=contact).push_contact == contact
    assert load_settings(push_hosts="LocalHost:8443, push.example").push_hosts == ("localhost:8443", "push.example")
    assert load_settings(public_url="https://example.org/jobs/").public_url == "https://example.org/jobs"


@pytest.mark.parametrize("prefix", ["a}b", "}", "{", "a{b", "{}", "{}{a}", "}{", "{}a"])
def test_a_prefix_that_spreads_the_index_is_refused_in_a_cluster_alone(prefix: str) -> None:
    """One server serves each prefix."""
    with pytest.raises(ConfigurationError, match=r"^redis_prefix may have braces in a cluster only as a hash tag"):
        load_settings(store="redis+cluster://h:1", redis_prefix=prefix)
    assert load_settings(store="redis://h:1", redis_prefix=prefix).redis_prefix == prefix


@pytest.mark.parametrize("prefix", ["progress_sse", "{a}", "a{b}c", "}{a}", "{a{b}", "{a}{", "{a}{}"])
def test_a_prefix_that_a_cluster_allows_has_its_index_in_one_slot(prefix: str) -> None:
    """And each session."""
    assert load_settings(store="redis+cluster://h:1", redis_prefix=prefix).redis_prefix == prefix
    keys = Keyspace(prefix, 0)
    index = keys.index, keys.ids, keys.unfinished, keys.sets, keys.labelled(("a", "b"))
    assert len({key_slot(key.encode()) for key in index}) == len({key_slot(key.encode()) for key in keys.of("s")}) == 1


@pytest.mark.parametrize(
    "origin",
    [
        *("*", "https://a.example", "http://localhost:5173", "http://127.0.0.1", "http://[::1]:8443"),
        *("https://xn--caf-dma.example", "http://a.example:443", "chrome-extension://abcdefghijklmnop"),
        "capacitor://localhost",
    ],
)
def test_an_origin_has_the_form_that_browsers_send(origin: str) -> None:
    """Or it is the star for all origins."""
    assert load_settings(allow_origins=origin).allow_origins == (origin,)


@pytest.mark.parametrize(
    "origin",
    [
        *("null", "https://a.example/", "https://a.example/path", "https://a.example?query", "https://user@a.example"),
        *("https://*.a.example", "https://A.example", "HTTPS://a.example", "https://caf\u00e9.example"),
        *("https://a.example:443", "http://a.example:80", "https://a.example:", "https://a.example:080", "https://"),
        *("//a.example", "a.example", "https:a.example", "https://a.example b", "*.a.example", "*, https://a.example"),
        "https://a.example, null",
    ],
)
def test_an_origin_that_no_browser_or_any_page_sends_is_refused(origin: str) -> None:
    """It would allow no page or, as `null`, every page that hides its origin."""
    with pytest.raises(ConfigurationError, match=r"^allow_origins: "):
        load_settings(allow_origins=origin)
    with pytest.raises(ConfigurationError, match=r"^frame_origins: "):
        load_settings(frame_origins=origin)


@pytest.mark.parametrize("origin", ["*", "'none'", "https://a.example; script-src *", "https:"])
def test_a_frame_origin_adds_nothing_to_the_policy_but_itself(origin: str) -> None:
    """Nor does it stand for all."""
    with pytest.raises(ConfigurationError, match=r"^frame_origins: "):
        load_settings(frame_origins=origin)
    assert load_settings(frame_origins="https://a.example, http://b.example:81").frame_origins == (
        "https://a.example",
        "http://b.example:81",
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])  # noqa: S104  # to be refused
def test_a_public_address_needs_a_token(host: str) -> None:
    """The refusal says how to make one, unless a token is set or the user insists."""
    with pytest.raises(ConfigurationError, match="PROGRESS_SSE_PUBLISH_TOKEN") as caught:
        load_settings(host=host)
    assert "`progress-sse token secret`" in str(caught.value)
    assert load_settings(host=host, publish_token="t").host == host
    assert load_settings(host=host, insecure=True).host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_a_loopback_address_needs_no_token(host: str) -> None:
    """Only this machine reaches it."""
    assert load_settings(host=host).is_loopback


@pytest.mark.parametrize(
    ("store", "has_redis"),
    [
        *(("redis://h", True), ("rediss://h", True), ("redis+sentinel://h/m", True), ("redis+cluster://h", True)),
        *(("memory://", False), ("sqlite:///redis://h", False), ("redis", False), ("redisx://h", False)),
    ],
)
def test_a_store_in_redis_is_known_by_its_scheme(store: str, has_redis: bool) -> None:
    """By the whole scheme."""
    assert Settings(store=store).has_redis == has_redis


@pytest.mark.processes
def test_other_stores_do_not_load_the_redis_package() -> None:
    """A server without Redis starts faster without its package."""
    code = "import sys, progress_sse, progress_sse.cli.server_commands; sys.exit('redis' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("store", "shown"),
    [
        ("redis://user:hush@host:1/2", "redis://***@host:1/2"),
        ("rediss://:hush@host", "rediss://***@host"),
        ("redis://user:hu@sh/?hush@host", "redis://***"),
        ("redis://host/0?password=hush&db=1", "redis://host/0?***"),
        ("redis://host/0?password=hu@hush", "redis://***"),
        ("redis://host:1/2", "redis://host:1/2"),
        ("redis+sentinel://u:hush@a:1,b:2/name", "redis+sentinel://***@a:1,b:2/name"),
        ("sqlite:////a@b?c.db", "sqlite:////a@b?c.db"),
        ("memory://", "memory://"),
    ],
)
def test_the_password_of_a_store_is_never_printed(store: str, shown: str) -> None:
    """Neither in the greeting nor in the text of the settings, which still hold it."""
    settings = load_settings(store=store)
    assert without_secrets(store) == shown
    for text in (repr(settings), str(settings), settings.model_dump_json()):
        assert shown in text
        assert "hush" not in text
    assert settings.store == store


def test_every_field_has_a_description_and_nothing_else_reads_the_environment() -> None:
    """The help is made from the fields, and would lack a setting that is read elsewhere.

    Workers run in other processes, and read their variables in a place of their own.
    """
    assert all(field.description for field in Settings.model_fields.values())
    package = Path(__file__).parents[1] / "progress_sse"
    readers = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
    }
    # The variables that `serve` and `run` pass to the processes that they start are not settings either, nor those that
    # the demo keeps from its jobs. `serve` names those that are none of ours.
    processes = {"cli/run_command.py", "cli/server_commands.py", "server/sockets.py", "demo/supervisor.py"}
    # The file of hooks names variables of the operator, and terminals theirs.
    assert readers == {"client/config.py", "notices/hooks_file.py", "_internal/terminal_progress.py", *processes}


def test_variables_that_are_none_of_ours_are_named() -> None:
    """With the most similar one; those of clients are ours, and those of other programs are not looked at."""
    known = ["PROGRESS_SSE_STORE", "progress_sse_port", "PROGRESS_SSE_URL", "PROGRESS_SSE_DISABLED", "PATH", "PROGRESS"]
    assert list(unknown_variables(known)) == []
    assert list(unknown_variables(["PROGRESS_SSE_STROE", "PROGRESS_SSE_ZZZZZZZZZZ"])) == [
        "PROGRESS_SSE_STROE is no setting; PROGRESS_SSE_STORE may be meant",
        "PROGRESS_SSE_ZZZZZZZZZZ is no setting",
    ]
