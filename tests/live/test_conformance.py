"""The command that checks whether a server keeps the protocol, as a user calls it."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from progress_sse.conformance.vectors import Level, servers, up_to
from tests.conftest import Serve
from tests.harness.redis import RedisServer
from tests.harness.serving import Server
from tests.live.asgi_hosts import serve_only
from tests.live.shell.commands import finish, start


def conformance(url: str, *arguments: str) -> tuple[int, list[str]]:
    """Check a server; return the exit status and the lines of the output."""
    status, out, err = finish(start("conformance", url, *arguments, url=None, PROGRESS_SSE_TOKEN=""))
    return status, (out + err).decode().splitlines()


@serve_only  # `test_protocol` has the conversations with each host.
@pytest.mark.parametrize("level", ["core", pytest.param("notices", marks=pytest.mark.full)])
def test_our_server_keeps_a_level(server: Server, tmp_path: Path, level: Level) -> None:
    """The exit status is 0, and JUnit's report has a case for each requirement of the level and those below it."""
    report = tmp_path / "report.xml"
    status, lines = conformance(server.url, "--level", level, "--junit", str(report))
    assert (status, [line for line in lines[:-1] if " pass " not in line]) == (0, [])
    assert lines[-1] == f"{len(lines) - 1} requirements hold, 0 fail, 0 could not be shown."
    suite = ElementTree.parse(report).getroot()  # noqa: S314  # our own
    assert len(suite) == len(lines) - 1
    assert {case.get("classname") for case in suite} == set(up_to(level))


@serve_only
@pytest.mark.full
@pytest.mark.parametrize("name", servers())
def test_our_server_keeps_what_other_settings_show(
    serve: Serve, redis_servers: dict[str, RedisServer], tmp_path: Path, name: str
) -> None:
    """A server with the settings that the vectors name; several processes share a Redis."""
    settings = servers()[name]["settings"]
    if "hooks" in settings:
        (tmp_path / "hooks.toml").write_text(settings["hooks"]["text"])
        settings["hooks"] = tmp_path / "hooks.toml"
    if "workers" in settings:
        settings |= {"store": redis_servers["redis"].url, "redis_prefix": tmp_path.name}
    status, lines = conformance(serve(**settings).url, "--server", name)
    assert (status, [line for line in lines[:-1] if " pass " not in line]) == (0, [])


@serve_only
@pytest.mark.full
@pytest.mark.parametrize("store", ["sqlite", "redis", "valkey"])
def test_our_server_keeps_all_levels_on_each_store(
    serve: Serve, redis_servers: dict[str, RedisServer], store: str, sid: str
) -> None:
    """Twice in a row: a run leaves nothing that the next one sees."""
    url = redis_servers[store].url if store in redis_servers else store
    server = serve(store=url, redis_prefix=sid)
    for _ in range(2):
        status, lines = conformance(server.url)
        assert (status, [line for line in lines[:-1] if " pass " not in line]) == (0, [])


def test_a_server_that_does_not_answer_is_no_server_that_fails() -> None:
    """The exit status is 2."""
    status, [line] = conformance("http://127.0.0.1:9")
    assert (status, line.startswith("progress-sse: no answer from http://127.0.0.1:9:")) == (2, True)
