"""The machines that a number of viewers needs: `python -m tests.bench.capacity --viewers 1000000`.

Arithmetic over measured costs; each is an option, so that figures of another machine can be used. In the model every
viewer holds one stream, and every watched session makes a fixed number of transitions a second. A node runs one server
process per core. A load balancer spreads the viewers of a session over all nodes, so that a node is notified of a
session if at least one of its viewers is there.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import click

VIEWERS = (100_000, 1_000_000, 10_000_000)
COMMENT_BYTES = 20
"""The most bytes of a heartbeat on the wire."""

HEADROOM = 0.6
"""The share of a resource that may be used on an ordinary day: other nodes must take a failed node's viewers."""


@dataclass(frozen=True, slots=True)
class Load:
    """The load. The defaults: two people watch each job, and it moves every two seconds."""

    viewers_per_session: float = 2
    transitions_per_s: float = 0.5
    event_bytes: float = 430
    heartbeat_s: float = 15


@dataclass(frozen=True, slots=True)
class Costs:
    """Costs as `make bench` measures them, and the resources of a node."""

    delivery_us: float = 17
    heartbeat_us: float = 16
    notification_us: float = 42
    update_us: float = 165
    connection_kib: float = 14
    process_mib: float = 60
    redis_update_us: float = 50
    node_cores: float = 4
    node_gib: float = 8
    node_gbit: float = 5
    connects_per_s: float = 3900


class Need(NamedTuple):
    """The number of nodes that a resource needs."""

    resource: str
    nodes: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The machines for a number of viewers."""

    viewers: int
    deliveries_per_s: float
    updates_per_s: float
    nodes: int
    node_limit: str
    shards: int
    gbit: float
    back_s: float


def plan(viewers: int, load: Load, costs: Costs) -> Plan:
    """Compute nodes and shards: as many as the scarcest resource needs."""
    sessions = viewers / load.viewers_per_session
    updates = sessions * load.transitions_per_s
    deliveries = viewers * load.transitions_per_s
    gbit = 8e-9 * (deliveries * load.event_bytes + viewers / load.heartbeat_s * COMMENT_BYTES)

    def needs(nodes: int) -> list[Need]:
        # A session's viewers are on this many of the processes, each of which is notified of every transition.
        processes = nodes * costs.node_cores
        listening = processes * (1 - (1 - 1 / processes) ** load.viewers_per_session)
        cpu_s = 1e-6 * (
            deliveries * costs.delivery_us
            + viewers / load.heartbeat_s * costs.heartbeat_us
            + updates * (costs.update_us + listening * costs.notification_us)
        )
        memory_gib = viewers * costs.connection_kib / 2**20
        per_node_gib = costs.node_gib * HEADROOM - costs.node_cores * costs.process_mib / 2**10
        return [
            Need("CPU", math.ceil(cpu_s / (costs.node_cores * HEADROOM))),
            Need("memory", math.ceil(memory_gib / per_node_gib)),
            Need("network", math.ceil(gbit / (costs.node_gbit * HEADROOM))),
        ]

    nodes = _settled(lambda count: max(need.nodes for need in needs(count)))
    limit = max(needs(nodes), key=lambda need: need.nodes)
    return Plan(
        viewers,
        deliveries,
        updates,
        nodes,
        limit.resource,
        max(1, math.ceil(1e-6 * updates * costs.redis_update_us / HEADROOM)),
        gbit,
        viewers / (nodes * costs.node_cores * costs.connects_per_s),
    )


def _settled(needed: Callable[[int], int]) -> int:
    """The smallest number of nodes that suffices for the load, part of which depends on that number."""
    nodes = 1
    while (more := needed(nodes)) > nodes:
        nodes = more
    return nodes


def table(plans: list[Plan]) -> str:
    head = (
        "viewers",
        "deliveries/s",
        "updates/s",
        "nodes",
        "limited by",
        "Redis shards",
        "Gbit/s out",
        "all back after",
    )
    rows = [
        (
            *(f"{number:,.0f}" for number in (each.viewers, each.deliveries_per_s, each.updates_per_s, each.nodes)),
            each.node_limit,
            f"{each.shards:,}",
            f"{each.gbit:.1f}",
            f"{each.back_s:.1f} s",
        )
        for each in plans
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ("---:",) * len(head), *rows))


def _options(command: Callable[..., None]) -> Callable[..., None]:
    for kind in (Costs, Load):
        for field in reversed(fields(kind)):
            flag = f"--{field.name.replace('_', '-')}"
            command = click.option(flag, field.name, type=float, default=field.default, show_default=True)(command)
    return command


@click.command()
@click.option("--viewers", type=int, multiple=True, default=VIEWERS, show_default=True)
@_options
def main(viewers: tuple[int, ...], **given: Any) -> None:
    """Print the nodes and Redis shards for a number of viewers."""
    load = Load(**{field.name: given[field.name] for field in fields(Load)})
    costs = Costs(**{field.name: given[field.name] for field in fields(Costs)})
    click.echo(table([plan(each, load, costs) for each in viewers]))


if __name__ == "__main__":
    main()
