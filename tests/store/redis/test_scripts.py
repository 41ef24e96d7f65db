"""The Lua scripts, as files and as the server knows them."""

from pathlib import Path

from redis import Redis

from progress_sse.store.redis import scripts
from progress_sse.store.redis.scripts import Script

FOLDER = Path(scripts.__file__).parent
SCRIPTS = [value for value in vars(scripts).values() if isinstance(value, Script)]


def lua(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def test_each_file_belongs_to_a_script() -> None:
    """A file that no script loads would ship for nothing."""
    files = [path for path in FOLDER.iterdir() if path.suffix == ".lua"]
    assert len(SCRIPTS) == 16
    assert [path.name for path in files if not any(lua(path.name) in script.source for script in SCRIPTS)] == []


def test_scripts_have_the_digest_that_the_server_computes(client: Redis) -> None:
    """A script is sent once, and then run by its digest."""
    for script in SCRIPTS:
        assert client.script_load(script.source) == script.sha
