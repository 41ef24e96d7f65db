"""Metrics of a server."""

from prometheus_client.parser import text_string_to_metric_families

from tests.harness.http1 import Connection


def parse_metrics(text: str) -> dict[str, float]:
    """Each sample by its name and labels, as in `progress_sse_polls_total{answer="304"}`."""
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {sample.name + _shown(sample.labels): sample.value for sample in samples}


def _shown(labels: dict[str, str]) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in sorted(labels.items())) + "}" if labels else ""


async def metrics_of(port: int) -> dict[str, float]:
    async with await Connection.open(port) as connection:
        response = await connection.request("GET", "/metrics")
    assert response.status == 200, response.body
    return parse_metrics(response.body.decode())
