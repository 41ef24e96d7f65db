"""The files for Prometheus and Grafana in `docs/deploy` name exported metrics, and each alert fires on its fault."""

import asyncio
import json
import re
import shlex
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families

from progress_sse import ProgressService, Settings
from progress_sse.cli.main import main
from progress_sse.core.errors import ProblemError
from progress_sse.notices.notifier import Notifier
from progress_sse.observability.metrics import PREFIX, exposition
from tests.conftest import Serve
from tests.harness.serving import ROOT
from tests.harness.tokens import KEY, bearer, make_token
from tests.notices.test_maker import ALL

FOLDER = ROOT / "docs" / "deploy"
[JOB] = yaml.safe_load((FOLDER / "prometheus.yml").read_text("utf-8"))["scrape_configs"]
[GROUP] = yaml.safe_load((FOLDER / "alerts.yml").read_text("utf-8"))["groups"]
DASHBOARD = json.loads((FOLDER / "grafana.json").read_text("utf-8"))

ALERTS = {rule["alert"]: rule["expr"] for rule in GROUP["rules"]}
QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]

TARGET_LABELS = {"instance", "job"}
"""Prometheus itself adds these, and the metric `up`."""

GROUPING = re.compile(r"\b(?:by|on) \(([^)]*)\)")
SELECTOR = re.compile(r"\b([a-z]\w*)\b(?! *\()(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)=~?"([^"]*)"')


@pytest.fixture
async def exported() -> dict[str, dict[str, set[str]]]:
    """The values of each label of each metric."""
    settings = Settings(store="memory://")
    service = ProgressService(settings)
    service.notifier = Notifier(service.store, service.clock, settings)
    await service.store.open()
    await service.notifier.load((ALL,))
    await service.notifier.count_waiting()
    text, _ = exposition(service, {}, "")
    await service.notifier.aclose()
    await service.store.aclose()
    labels: dict[str, dict[str, set[str]]] = {"up": {}}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            values = labels.setdefault(sample.name, defaultdict(set))
            for name, value in sample.labels.items():
                values[name].add(value)
    # A problem has its series once it has happened.
    labels["progress_sse_refusals_total"]["reason"] |= {problem.problem for problem in problems(ProblemError)}
    return labels


def problems(base: type[ProblemError]) -> list[type[ProblemError]]:
    found = [each for child in base.__subclasses__() for each in (child, *problems(child))]
    return [each for each in found if hasattr(each, "problem")]


def selectors(expression: str) -> dict[str, str]:
    """The metrics of an expression, each with its matchers."""
    bare = re.sub(r"\[[^]]*\]", "", GROUPING.sub("", expression))
    return {name: matchers for name, matchers in SELECTOR.findall(bare) if name not in ("unless", "or")}


@pytest.mark.parametrize("expression", dict.fromkeys([*ALERTS.values(), *QUERIES]))
async def test_metrics_and_labels_are_exported(exported: dict[str, dict[str, set[str]]], expression: str) -> None:
    """Each metric is, with the labels that it is selected and grouped by, and with their values."""
    metrics = selectors(expression)
    assert metrics
    assert metrics.keys() <= exported.keys()
    for metric, matchers in metrics.items():
        for label, values in MATCHER.findall(matchers):
            if label == "job":
                assert values == JOB["job_name"]
            elif label not in TARGET_LABELS:
                assert set(values.split("|")) <= exported[metric][label]
    known = TARGET_LABELS.union(*(exported[metric] for metric in metrics))
    grouped_by = {label.strip() for group in GROUPING.findall(expression) for label in group.split(",")}
    assert grouped_by <= known


async def test_the_dashboard_shows_every_metric_of_ours(exported: dict[str, dict[str, set[str]]]) -> None:
    """A new metric needs a panel."""
    shown = {name for query in QUERIES for name in selectors(query)}
    ours = {name for name in exported if name.startswith(PREFIX) and not name.endswith(("_sum", "_count", "_created"))}
    assert ours == {name for name in shown if name.startswith(PREFIX)}


def test_panels_have_places_of_their_own() -> None:
    """Grafana would move panels that overlap, and confuse those of one id."""
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({panel["title"] for panel in panels}) == len(panels)
    places = [panel["gridPos"] for panel in panels]
    cells = [(x, y) for p in places for x in range(p["x"], p["x"] + p["w"]) for y in range(p["y"], p["y"] + p["h"])]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


def test_the_dashboard_asks_for_the_data_source() -> None:
    """It has no identifier of one installation, and each variable that it uses."""
    defined = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(DASHBOARD))) - {"__rate_interval", "__all"}
    assert used == defined == {"datasource", "instance"}
    assert {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]} == {"${datasource}"}


def promtool(*arguments: str | Path) -> None:
    result = subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.full
def test_prometheus_reads_its_files(tmp_path: Path) -> None:
    """The configuration, the alerts that it names, and the expressions of the dashboard are valid."""
    promtool("check", "config", "--syntax-only", FOLDER / "prometheus.yml")
    promtool("check", "rules", FOLDER / "alerts.yml")
    queries = [query.replace("$__rate_interval", "5m") for query in QUERIES]
    rules = [{"record": f"query_{number}", "expr": query} for number, query in enumerate(queries)]
    path = tmp_path / "queries.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}), "utf-8")
    promtool("check", "rules", path)


MINUTES = 40
STEADY, GROWING = f"x{MINUTES}", f"0+60x{MINUTES}"
HEALTHY = {
    'up{job="progress_sse"}': "1" + STEADY,
    "progress_sse_info": "1" + STEADY,
    'progress_sse_sessions{status="running"}': "5" + STEADY,
    'progress_sse_commands_total{outcome="accepted"}': GROWING,
    'progress_sse_commands_total{outcome="failed"}': "0" + STEADY,
    'progress_sse_refusals_total{reason="unauthorized"}': GROWING,
    'progress_sse_silent_workers_total{verdict="stalled"}': GROWING,
    'progress_sse_silent_workers_total{verdict="lost"}': "0" + STEADY,
    'progress_sse_streams_ended_total{reason="gone"}': GROWING,
    'progress_sse_resyncs_total{reason="forgotten"}': GROWING,
    'progress_sse_commit_seconds_bucket{le="0.01"}': GROWING,
    'progress_sse_commit_seconds_bucket{le="10.0"}': GROWING,
    'progress_sse_commit_seconds_bucket{le="+Inf"}': GROWING,
    'progress_sse_delivery_seconds_bucket{le="0.01"}': GROWING,
    'progress_sse_delivery_seconds_bucket{le="10.0"}': GROWING,
    'progress_sse_delivery_seconds_bucket{le="+Inf"}': GROWING,
    'progress_sse_hook_up{hook="oncall"}': "1" + STEADY,
    'progress_sse_hook_notices_total{hook="oncall",result="failed"}': GROWING,
    'progress_sse_hook_notices_total{hook="oncall",result="dead"}': "0" + STEADY,
    'process_open_fds{job="progress_sse"}': "100" + STEADY,
    'process_max_fds{job="progress_sse"}': "1024" + STEADY,
    'process_start_time_seconds{job="progress_sse"}': "1" + STEADY,
}
"""The series of a server without a fault, in promtool's notation."""

FAULTS = {
    "ProgressSseDown": {'up{job="progress_sse"}': "0" + STEADY},
    "ProgressSseStoreUnavailable": {'progress_sse_sessions{status="running"}': "_" + STEADY},
    "ProgressSseCommandsFail": {'progress_sse_commands_total{outcome="failed"}': GROWING},
    "ProgressSseStoreFull": {'progress_sse_refusals_total{reason="store-full"}': GROWING},
    "ProgressSseWorkersLost": {'progress_sse_silent_workers_total{verdict="lost"}': GROWING},
    "ProgressSseErrors": {'progress_sse_streams_ended_total{reason="failed"}': GROWING},
    "ProgressSseFull": {'progress_sse_refusals_total{reason="streams-full"}': GROWING},
    "ProgressSseDescriptorsShort": {'process_open_fds{job="progress_sse"}': "1000" + STEADY},
    "ProgressSseCommitsSlow": {'progress_sse_commit_seconds_bucket{le="0.01"}': "0" + STEADY},
    "ProgressSseDeliveriesSlow": {'progress_sse_delivery_seconds_bucket{le="0.01"}': "0" + STEADY},
    "ProgressSseNotificationsMissed": {'progress_sse_resyncs_total{reason="gap"}': GROWING},
    "ProgressSseHookFails": {'progress_sse_hook_up{hook="oncall"}': "0" + STEADY},
    "ProgressSseRestarts": {'process_start_time_seconds{job="progress_sse"}': GROWING},
}


def test_every_alert_has_a_fault() -> None:
    """The next test shows that each fires."""
    assert ALERTS.keys() == FAULTS.keys()


def firing(faults: dict[str, str], alerts: list[str]) -> dict[str, Any]:
    """A test for promtool: exactly these alerts fire at the end."""
    series = {**HEALTHY, **faults}
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": f"{MINUTES}m",
                "exp_samples": [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in alerts],
            }
        ],
    }


@pytest.mark.full
def test_each_alert_fires_on_its_fault_alone(tmp_path: Path) -> None:
    """And none fires on a server without a fault."""
    tests = [firing({}, []), *(firing(faults, [alert]) for alert, faults in FAULTS.items())]
    tests.append(
        firing({'progress_sse_hook_notices_total{hook="oncall",result="dead"}': GROWING}, ["ProgressSseHookFails"])
    )
    path = tmp_path / "tests.yml"
    path.write_text(yaml.safe_dump({"rule_files": [str(FOLDER / "alerts.yml")], "tests": tests}), "utf-8")
    promtool("test", "rules", path)


async def test_prometheus_has_access_with_its_documented_token(serve: Serve) -> None:
    """The configuration names the command that makes the token."""
    text = (FOLDER / "prometheus.yml").read_text("utf-8")
    assert list(JOB["authorization"]) == ["credentials_file"]
    command = re.search(r"`progress-sse (token make .*)`", text)
    assert command is not None
    made = await asyncio.to_thread(CliRunner().invoke, main, [*shlex.split(command[1]), "--token-key", KEY])
    server = serve(read="token", token_key=KEY)
    async with httpx.AsyncClient(base_url=server.url) as client:
        for token, status in ((made.output.strip(), 200), (make_token(prefixes=[""]), 403)):
            assert (await client.get("/metrics", headers=bearer(token))).status_code == status
