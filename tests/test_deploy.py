"""The programs that `docs/deploy` is for can read its files; `tests/live` tests the part of nginx."""

import configparser
import json
import os
import re
import shlex
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from click.testing import CliRunner

from progress_sse.api.endpoints.server import PING_TIMEOUT_S
from progress_sse.api.routes import ROUTES
from progress_sse.cli.main import main
from progress_sse.core.errors import ConfigurationError
from progress_sse.settings import ENV_PREFIX, Settings, load_settings
from tests.conftest import Serve
from tests.harness.http1 import free_port
from tests.harness.presence import present
from tests.harness.serving import ROOT

FOLDER = ROOT / "docs" / "deploy"
DOCKERFILE = (FOLDER / "Dockerfile").read_text("utf-8")
IMAGE_MB, BASE_MB = 150, 65
"""The most that the image may have, and more than its base has (62 MB)."""

GRACEFUL_S = Settings.model_fields["graceful_timeout_s"].default
SLOWEST_STOP_S = 3 * GRACEFUL_S + 2
"""Seconds after which the server has ended even where a process is stuck, with the default settings."""


@pytest.fixture
def compose() -> Any:
    return yaml.safe_load((FOLDER / "compose.yaml").read_text("utf-8"))


@pytest.fixture
def manifests() -> dict[str, Any]:
    documents = list(yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text("utf-8")))
    by_kind = {document["kind"]: document for document in documents}
    assert len(by_kind) == len(documents)
    return by_kind


@pytest.fixture
def pod(manifests: dict[str, Any]) -> Any:
    return manifests["Deployment"]["spec"]["template"]["spec"]


def run(*command: str | Path) -> None:
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=240, check=False)
    assert result.returncode == 0, f"{command}:\n{result.stdout}{result.stderr}"


def instruction(name: str) -> Any:
    """The last of the Dockerfile's instructions of that name that has a list of words, as in `CMD ["serve"]`."""
    return json.loads(re.findall(rf"^{name} (?:.*\\\n +CMD )?(\[.*\])$", DOCKERFILE, re.MULTILINE)[-1])


def test_compose_starts_two_servers_on_one_redis(compose: Any) -> None:
    """The settings exist, and so does each service that a setting names."""
    services = compose["services"]
    assert {"nginx", "server-1", "server-2", "redis"} <= set(services)
    for name in ("server-1", "server-2"):
        settings = {key.removeprefix(ENV_PREFIX).lower() for key in services[name]["environment"]}
        assert settings <= set(Settings.model_fields)
        assert services[name]["environment"]["PROGRESS_SSE_STORE"].startswith("redis://redis:")
        assert (FOLDER / services[name]["build"]["context"] / services[name]["build"]["dockerfile"]).is_file()
        assert int(services[name]["stop_grace_period"].removesuffix("s")) > GRACEFUL_S
    assert "--appendfsync always" in " ".join(services["redis"]["command"])


def test_compose_mounts_the_configuration_of_nginx(compose: Any) -> None:
    """It names the same servers as the compose file."""
    [mount] = compose["services"]["nginx"]["volumes"]
    configuration = (FOLDER / mount.partition(":")[0]).read_text("utf-8")
    named = set(re.findall(r"server (server-\d+):8000;", configuration))
    assert named == {name for name in compose["services"] if name.startswith("server-")}


def test_the_unit_starts_a_command_that_exists() -> None:
    """Its options are those of `serve`, and its timeout leaves the streams time to end."""
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's names have capitals
    unit.read_string((FOLDER / "progress-sse.service").read_text("utf-8"))
    command = shlex.split(unit["Service"]["ExecStart"])
    options = [word for word in command if word.startswith("--")]
    help_text = CliRunner().invoke(main, [command[1], "--help"]).output
    assert options
    assert all(option in help_text for option in options)
    assert int(unit["Service"]["TimeoutStopSec"]) > GRACEFUL_S


@pytest.mark.full
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    """Each key and value is one of systemd's, which only warns of others when it starts a service."""
    unit = (FOLDER / "progress-sse.service").read_text("utf-8")
    program = Path(sys.executable).with_name("progress-sse")
    path = tmp_path / "progress-sse.service"
    path.write_text(unit.replace("/opt/progress-sse/bin/progress-sse", str(program)), "utf-8")
    run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", path)


def test_the_image_runs_the_server_itself() -> None:
    """No shell comes between, which would swallow SIGTERM, and the user is a number other than root's."""
    program, command = instruction("ENTRYPOINT"), instruction("CMD")
    assert program == ["/opt/progress-sse/bin/progress-sse"]
    assert CliRunner().invoke(main, [*command, "--help"]).exit_code == 0
    assert re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE) == ["65532:65532"]


def test_the_image_is_built_in_two_stages_of_one_debian() -> None:
    """The final one has no build tools, and its Python is that of the environment."""
    build, final = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert build.startswith("debian:13")
    assert final == "gcr.io/distroless/python3-debian13:nonroot"


def test_the_image_is_healthy_while_the_server_answers(serve: Serve) -> None:
    """The check fails where no server listens, and whatever host name a probe uses, the server answers."""
    python, option, program = instruction("HEALTHCHECK")
    assert (python, option) == ("/opt/progress-sse/bin/python", "-c")
    server = serve(publish_token="a" * 32)
    for port, healthy in ((server.port, True), (free_port(), False)):
        environment = {**os.environ, "PROGRESS_SSE_PORT": str(port)}
        check = subprocess.run(
            [sys.executable, option, program], env=environment, capture_output=True, timeout=60, check=False
        )
        assert (check.returncode == 0) == healthy, check.stderr
    assert httpx.get(f"{server.url}/livez", headers={"host": "10.1.2.3:8000"}).status_code == 200


@pytest.mark.full
@pytest.mark.timeout(300)
def test_the_image_fits_into_150_mb(tmp_path: Path) -> None:
    """What the final stage copies fits beside its base."""
    installed = present(re.search(r'"/src(\[.*\])"', DOCKERFILE))
    venv.create(tmp_path, symlinks=True)
    python = tmp_path / "bin" / "python"
    arguments = ["install", "--constraint", "constraints.txt", f"{ROOT}{installed[1]}"]
    run(sys.executable, "-m", "pip", "--python", python, *arguments)
    run(python.with_name("progress-sse"), "serve", "--help")
    size = sum(path.lstat().st_size for path in tmp_path.rglob("*"))
    assert size < (IMAGE_MB - BASE_MB) * 1_000_000, size


@pytest.mark.full
def test_hadolint_finds_no_fault_in_the_dockerfile() -> None:
    """The version of a Debian package is not pinned: Debian keeps only the newest one."""
    run(Path(sys.executable).with_name("hadolint"), "--ignore", "DL3008", FOLDER / "Dockerfile")


@pytest.mark.full
def test_the_manifests_fit_the_schema_of_kubernetes() -> None:
    """Each key is known, and each value has its type."""
    run(Path(sys.executable).with_name("kubernetes-validate"), "--strict", FOLDER / "kubernetes.yaml")


def test_the_manifests_belong_together(manifests: dict[str, Any], pod: Any) -> None:
    """Service and PodDisruptionBudget select the pods of the Deployment, which listen where the Service sends."""
    deployment = manifests["Deployment"]["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    assert deployment["selector"]["matchLabels"] == labels
    assert manifests["Service"]["spec"]["selector"] == labels
    assert manifests["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    assert manifests["PodDisruptionBudget"]["spec"]["maxUnavailable"] < deployment["replicas"]
    [container], [port] = pod["containers"], manifests["Service"]["spec"]["ports"]
    assert container["ports"] == [{"name": port["targetPort"], "containerPort": Settings.model_fields["port"].default}]
    assert deployment["strategy"] == {"type": "Recreate"}


def test_the_secret_is_the_one_that_the_comment_creates(pod: Any) -> None:
    """Each of its keys is a setting, and no key has a value in the manifests."""
    text = (FOLDER / "kubernetes.yaml").read_text("utf-8")
    created = present(re.search(r"kubectl create secret generic (\S+) ((?:.*\\\n)+.*)", text))
    [container] = pod["containers"]
    assert container["envFrom"] == [{"secretRef": {"name": created[1]}}]
    assert "env" not in container
    names = re.findall(rf"--from-literal={ENV_PREFIX}(\w+)=", created[2])
    assert {"STORE", "PUBLISH_TOKEN"} <= set(names)
    assert {name.lower() for name in names} <= set(Settings.model_fields)


def test_a_service_adds_no_settings(pod: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Service of this name would give its pods a variable that is taken for the port."""
    monkeypatch.setenv("PROGRESS_SSE_PORT", "tcp://10.0.0.1:80")
    with pytest.raises(ConfigurationError, match="port"):
        load_settings()
    assert pod["enableServiceLinks"] is False


def test_the_probes_ask_paths_that_exist(pod: Any) -> None:
    """They wait longer than `/readyz` waits for the store, and only `/livez` restarts a container."""
    [container] = pod["containers"]
    paths = {name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")}
    assert paths == {"startup": "/livez", "liveness": "/livez", "readiness": "/readyz"}
    assert set(paths.values()) <= {route.path for route in ROUTES}
    assert container["readinessProbe"]["timeoutSeconds"] > PING_TIMEOUT_S


def test_a_pod_has_time_to_end(pod: Any) -> None:
    """The grace period covers the pause before SIGTERM and the slowest end of the server."""
    [container] = pod["containers"]
    pause_s = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] > pause_s + SLOWEST_STOP_S


def test_a_pod_has_no_rights(pod: Any) -> None:
    """It runs as the image's user, cannot become another, and cannot write to its root file system."""
    [container] = pod["containers"]
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False


def test_the_page_names_every_file() -> None:
    """A row of the table for each, and no row for another."""
    page = (FOLDER / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| (\[.*?) \|", page, re.MULTILINE)
    names = [name for row in rows for name in re.findall(r"\]\((\S+?)\)", row)]
    assert sorted([*names, "README.md"]) == sorted(path.name for path in FOLDER.iterdir())


def versions_of_the_page() -> dict[str, str]:
    page = (FOLDER / "README.md").read_text("utf-8")
    _, _, section = page.partition("## Tested with")
    rows = re.findall(r"^\| (.+?) \| ([0-9., ]+) \|$", section, re.MULTILINE)
    return dict(rows)


def test_the_tested_versions_of_packages_are_those_of_the_tests() -> None:
    """The table has the versions of constraints.txt, and every Python of the classifiers."""
    pinned = dict(re.findall(r"^(\S+)==(\S+)$", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE))
    versions = versions_of_the_page()
    packages = {match[1]: text for name, text in versions.items() if (match := re.match(r"`(.+?)`", name))}
    assert {"uvicorn", "redis"} <= packages.keys()
    assert packages == {name: pinned[name] for name in packages}
    classifiers = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text("utf-8"))
    assert versions["Python"].split(", ") == classifiers


@pytest.mark.full
@pytest.mark.parametrize(
    ("name", "command"), [("Redis", "redis-server"), ("Valkey", "valkey-server"), ("nginx", "/usr/sbin/nginx")]
)
def test_the_tested_versions_of_programs_are_those_of_the_tests(name: str, command: str) -> None:
    """The table says which release the tests run on."""
    option = "-v" if name == "nginx" else "--version"
    shown = subprocess.run([command, option], capture_output=True, text=True, timeout=60, check=True)
    found = present(re.search(r"(?:v=|nginx/)(\d+\.\d+)", shown.stdout + shown.stderr))
    assert versions_of_the_page()[name] == found[1]
