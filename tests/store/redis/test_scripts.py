"""The Lua scripts, as files and as the server knows them."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis import Redis

from progress_sse.store.redis import scripts
from progress_sse.store.redis.scripts import Script

FOLDER = Path(scripts.__file__).parent
SCRIPTS = [value for value in vars(scripts).values() if isinstance(value, Script)]


def lua(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("script", "names"),
    [
        (scripts.READ, ["session.lua", "read.lua"]),
        (scripts.COMMIT, ["session.lua", "signs.lua", "lines.lua", "commit.lua"]),
        (scripts.RENEW, ["signs.lua", "renew.lua"]),
    ],
)
def test_a_script_begins_with_the_functions_that_it_shares(script: Script, names: list[str]) -> None:
    """Lua calls only functions that were defined further up."""
    assert script.source == "".join(map(lua, names))


def test_each_file_belongs_to_a_script() -> None:
    """A file that no script loads would ship for nothing."""
    files = [path for path in FOLDER.iterdir() if path.suffix == ".lua"]
    assert len(SCRIPTS) == 13
    assert [path.name for path in files if not any(lua(path.name) in script.source for script in SCRIPTS)] == []


def test_scripts_have_the_digest_that_the_server_computes(client: Redis) -> None:
    """A script is sent once, and then run by its digest."""
    for script in SCRIPTS:
        assert client.script_load(script.source) == script.sha
