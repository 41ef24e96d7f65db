"""Clients that are generated as the how-to page says have every operation, compile, report a job and follow it.

`make clients` installs the generators.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Serve
from tests.harness.documents import blocks_of
from tests.harness.serving import ROOT

pytestmark = [pytest.mark.full, pytest.mark.processes, pytest.mark.timeout(600)]

FOLDER = Path(__file__).parent
PAGE = (ROOT / "docs" / "how-to" / "generate-a-client.md").read_text("utf-8")
ADDRESS = "http://127.0.0.1:8000"
COMMANDS = dict(re.findall(r"^\| ([^|`]+) \| `([^`]+)` \|$", PAGE, re.MULTILINE))
DESCRIPTION = ROOT / "docs" / "reference" / "openapi-3.1.json"

# Go must fetch nothing: the generated code needs its standard library alone.
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}:{FOLDER / 'node_modules' / '.bin'}:{os.environ['PATH']}",
    "GOPROXY": "off",
    "GOTOOLCHAIN": "local",
    "GOFLAGS": "",
}

CODE = {
    "Go": (".go", r"\) {pascal}\(ctx ", r"^type {type} struct"),
    "Rust": (".rs", r"^pub async fn {snake}\(", r"^pub struct {type} "),
    "Kotlin": (".kt", r"fun {camel}\(", r"class {type} \("),
    "Swift": (".swift", r"func {camel}\(", r"struct {type}:"),
    "TypeScript": (".ts", r"async {camel}\(", r"^export interface {type} "),
    "TypeScript, types alone": (".ts", r"^    {camel}: {{", r"^        {type}: {{"),
    "Python": (".py", r"^# .*/{snake}\.py$", r"^class {type}:"),
}
"""The code of an operation and that of a type in each language, and the suffix of its files."""


def run(*command: str | Path, folder: Path) -> str:
    """Run a command, show its output if it fails, and return what it prints."""
    ran = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=ENVIRONMENT, timeout=300, check=False)
    assert ran.returncode == 0, f"{command}:\n{ran.stdout}{ran.stderr}"
    return ran.stdout


def generate(language: str, folder: Path) -> None:
    """Run the page's command for a language in a folder with the description."""
    shutil.copy(DESCRIPTION, folder / "openapi.json")
    run("sh", "-euc", COMMANDS[language], folder=folder)


@pytest.mark.parametrize("language", COMMANDS)
def test_no_operation_and_no_type_is_dropped(language: str, tmp_path: Path) -> None:
    """Each has its name in the generated code; an object without keys needs no type."""
    generate(language, tmp_path)
    suffix, operation, kind = CODE[language]
    code = "\n".join(f"# {path}\n{path.read_text('utf-8')}" for path in tmp_path.rglob(f"*{suffix}"))
    described = json.loads(DESCRIPTION.read_text("utf-8"))
    ids = re.findall(r'"operationId": "(\w+)"', json.dumps(described["paths"]))
    names = [(each, each[0].upper() + each[1:], re.sub(r"([A-Z])", r"_\1", each).lower()) for each in ids]
    wanted = [operation.format(camel=camel, pascal=pascal, snake=snake) for camel, pascal, snake in names]
    schemas = described["components"]["schemas"]
    wanted += [kind.format(type=name) for name in schemas if schemas[name].get("properties")]
    assert [pattern for pattern in wanted if not re.search(pattern, code, re.MULTILINE)] == []


def test_a_job_in_go(serve: Serve, tmp_path: Path) -> None:
    """The page's program reports a job and follows it to its end, by a client from the description of its server."""
    url = serve().url
    [fetch] = [block.text.replace(ADDRESS, url) for block in blocks_of("", PAGE) if block.language == "sh"]
    for command in (fetch, COMMANDS["Go"], "go mod init example"):
        run("sh", "-euc", command, folder=tmp_path)
    program = (ROOT / "docs" / "examples" / "job.go").read_text("utf-8")
    assert ADDRESS in program
    (tmp_path / "job.go").write_text(program.replace(ADDRESS, url), "utf-8")
    run("go", "vet", ".", folder=tmp_path)
    assert run("go", "run", ".", folder=tmp_path).splitlines()[-1] == "completed 100"


@pytest.mark.parametrize("language", ["TypeScript", "Python"])
def test_a_job_in(serve: Serve, tmp_path: Path, language: str) -> None:
    """It sees each step, gets a refusal as a problem, and the stream as text once that has ended."""
    generate(language, tmp_path)
    program = shutil.copy(FOLDER / "generated" / {"TypeScript": "drive.ts", "Python": "drive.py"}[language], tmp_path)
    command = ["python", program]
    if language == "TypeScript":
        options = ["--strict", "--target", "es2022", "--lib", "es2022,dom", "--module", "commonjs"]
        run("tsc", *options, "--outDir", "built", program, folder=tmp_path)
        command = ["node", "built/drive.js"]
    first, second, refusal, *events = run(*command, serve().url, folder=tmp_path).splitlines()
    assert [first, second] == ["running 50 pending", "completed 100 success"]
    assert refusal == "/problems/step-out-of-range"
    assert (events[0], events[-1]) == ("event: snapshot", "event: end")


def test_types_of_openapi_typescript(tmp_path: Path) -> None:
    """They take updates as the server does, and refuse others."""
    generate("TypeScript, types alone", tmp_path)
    shutil.copy(FOLDER / "generated" / "types.ts", tmp_path)
    run("tsc", "--strict", "--noEmit", "--exactOptionalPropertyTypes", "types.ts", folder=tmp_path)
