"""The arithmetic of capacity."""

from dataclasses import replace

from tests.bench.capacity import VIEWERS, Costs, Load, plan, table
from tests.bench.peers.base import ROOT


def test_the_documentation_shows_the_computed_tables() -> None:
    """With the defaults, which are the costs that the page names."""
    shown = table([plan(viewers, Load(), Costs()) for viewers in VIEWERS])
    assert shown in (ROOT / "docs" / "explanation" / "performance.md").read_text("utf-8")


def test_one_node_is_enough_for_few() -> None:
    """One node and one Redis suffice for a hundred viewers."""
    small = plan(100, Load(), Costs())
    assert (small.nodes, small.shards) == (1, 1)
    assert small.deliveries_per_s == 100 * Load().transitions_per_s


def test_the_scarcest_resource_sets_the_number_of_nodes() -> None:
    """Silent streams need memory, busy jobs need processors, long events need the network."""
    assert plan(10**7, Load(transitions_per_s=0.001), Costs()).node_limit == "memory"
    assert plan(10**7, Load(), Costs()).node_limit == "CPU"
    assert plan(10**7, Load(event_bytes=100_000), Costs()).node_limit == "network"


def test_a_session_with_many_viewers_costs_each_process_one_notification() -> None:
    """A million viewers of one job need fewer nodes than a million viewers with a job each."""
    one_session = plan(10**6, Load(viewers_per_session=10**6), Costs())
    own_sessions = plan(10**6, Load(viewers_per_session=1), Costs())
    assert one_session.nodes < own_sessions.nodes
    assert one_session.shards == 1
    free = replace(Costs(), notification_us=0)
    assert plan(10**6, Load(viewers_per_session=10**6), free).nodes == one_session.nodes
    assert plan(10**6, Load(viewers_per_session=1), free).nodes < own_sessions.nodes
