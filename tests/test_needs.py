"""`.ci/need` installs what the tests need by apt-get, or says what to install."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.harness.serving import ROOT

TOOLS = ["env", "sh"]


def command(path: Path, script: str) -> None:
    assert not path.is_symlink(), "the tool itself would be overwritten"
    path.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    path.chmod(0o755)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A folder with the commands of a machine that has neither Node nor apt-get."""
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (tmp_path / tool).symlink_to(found)
    command(tmp_path / "id", "echo 0")
    return tmp_path


def need(path: Path, *needs: str) -> tuple[int, str]:
    """Run the script where the path has these commands alone, and return its exit status and output."""
    ran = subprocess.run(
        [ROOT / ".ci" / "need", *needs],
        env={**os.environ, "PATH": str(path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return ran.returncode, ran.stdout


@pytest.mark.parametrize("before", [None, 18], ids=["missing", "too old"])
def test_node_is_installed_where_it_is_missing_or_too_old(path: Path, before: int | None) -> None:
    """By apt-get, with npm, and once."""
    if before is not None:
        command(path / "node", f"echo {before}")
    installs = f"printf '#!/bin/sh\\necho 20\\n' > {path}/node; echo '#!/bin/sh' > {path}/npm"
    command(path / "apt-get", f'echo "$@" >> {path}/asked; {installs}; /bin/chmod +x {path}/node {path}/npm')
    for _ in range(2):
        assert need(path, "node:nodejs", "npm")[0] == 0
    update, install = (path / "asked").read_text("utf-8").splitlines()
    assert update.startswith("update")
    assert install.endswith(" nodejs npm")


@pytest.mark.parametrize("apt_get", [None, "exit 1", ":"], ids=["absent", "failing", "too old"])
def test_what_apt_get_cannot_install_is_named(path: Path, apt_get: str | None) -> None:
    """With the version that is needed."""
    command(path / "node", "echo 18")
    command(path / "npm", ":")
    if apt_get is not None:
        command(path / "apt-get", apt_get)
    status, output = need(path, "node:nodejs", "npm")
    assert (status, output.splitlines()[-1]) == (1, "Please install (Debian's names): nodejs (nodejs 20 or newer)")
