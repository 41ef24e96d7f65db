"""The arithmetic from measurements to tables."""

import random
from xml.etree import ElementTree

import pytest

from tests.bench.plan import STAMP_BYTES, Account, FanOut, Idle, Phase, lost, percentile, stamp
from tests.bench.report import Results, markdown, ratio, summed_up, svg
from tests.bench.workloads import WORKLOADS, fitted, readers_of

READERS_100 = next(each for each in WORKLOADS if each.name == "readers-100")
PEERS = {"progress_sse": 6.0, "nchan": 4.0, "sse-starlette, bytes": 15.0, "sse-starlette, naive": 30.0}


def measured() -> Results:
    results = Results()
    for name, cpu_us in PEERS.items():
        figures = {"one.cpu_us": cpu_us, "one.own_cpu_us": cpu_us, "one.lost": 0, "one.deliveries": 1000}
        results.add(READERS_100.name, name, figures)
    return results


def account(*seqs: int) -> Account:
    taken = Account()
    for seq in seqs:
        taken.add(seq)
    return taken


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (account(1, 2, 3), 0),
        (account(3, 1, 2), 0),
        (account(1, 2), 1),
        (account(), 3),
        (account(1, 2, 3, 3), 1),
        (account(1, 2, 2), 1),
    ],
)
def test_lost_counts_events_that_did_not_come_exactly_once(got: Account, expected: int) -> None:
    """It counts an event that is missing, repeated, or swapped for another; it does not check the order."""
    assert lost(account(1, 2, 3), got) == expected


def test_percentile_is_a_value_that_was_measured() -> None:
    """It is the nearest rank, for any number of values."""
    values = list(range(1, 1001))
    assert [percentile(values, per_mille) for per_mille in (0, 500, 990, 1000)] == [1, 500, 990, 1000]
    assert percentile([7], 500) == percentile([7], 990) == 7


def test_every_stamp_has_the_same_length() -> None:
    """The generator cuts stamps out of the stream by their length."""
    assert len(stamp(99_999_999, 2**63)) == STAMP_BYTES


def test_rounds_sum_up_to_medians_and_the_worst_loss() -> None:
    """One bad round affects the losses only."""
    rounds = [{"one.cpu_us": 9.0, "one.lost": 3.0}, {"one.cpu_us": 2.0, "one.lost": 0}, {"one.cpu_us": 3.0, "x": 1.0}]
    random.shuffle(rounds)
    assert summed_up(rounds) == {"one.cpu_us": 3.0, "one.lost": 3.0, "x": 1.0}


def test_ratio_is_to_the_best_reference() -> None:
    """A figure of zero, from a measurement shorter than the clock's ticks, is no reference."""
    assert ratio(6, [4, 3]) == 2
    assert ratio(6, [0, 3]) == 2
    assert ratio(6, []) is None


def test_table_compares_with_nchan_and_with_the_best_python_peer() -> None:
    """The two ratios stand beside the figure, and the losses in the same row."""
    lines = markdown([READERS_100], measured(), []).splitlines()
    head = next(line for line in lines if line.startswith("|  |"))
    ours = next(line for line in lines if line.startswith("| progress_sse"))
    cells = dict(zip(head.split(" | "), ours.split(" | "), strict=True))
    assert cells["CPU µs per delivery"] == "6.00"
    assert cells["\N{MULTIPLICATION SIGN} nchan"] == "1.50"
    assert cells["\N{MULTIPLICATION SIGN} best Python"] == "0.40"
    assert cells["lost"] == "0"


def test_table_names_what_is_missing_and_what_failed() -> None:
    """A peer without figures is in the table too, and a failure is reported even beside figures."""
    results = measured()
    results.missing["better-sse"] = "no npm"
    results.failures["readers-100", "raw uvloop (floor)"] = "it | fell\nover"
    results.failures["readers-100", "nchan"] = "in one round"
    text = markdown([READERS_100], results, [])
    assert "| better-sse | missing: no npm |" in text
    assert "| raw uvloop (floor) | failed: see below |" in text
    assert "- readers-100, raw uvloop (floor): it / fell over" in text
    assert "- readers-100, nchan: in one round" in text


def test_plot_has_a_bar_for_each_server() -> None:
    """The longest bar belongs to the most expensive server, and its length matches its figure."""
    root = ElementTree.fromstring(svg([READERS_100], measured()))  # noqa: S314  # written here
    bars = [each for each in root if each.tag.endswith("rect")][1:]
    lengths = [float(each.attrib["width"]) for each in bars]
    assert len(bars) == len(PEERS)
    assert [length / max(lengths) for length in lengths] == pytest.approx([0.2, 4 / 30, 0.5, 1], abs=0.001)


def test_tasks_shrink_to_the_descriptors_there_are() -> None:
    """A task takes as many readers as can be opened, and the readers of a session stay many."""
    many = FanOut(1000, 2, (Phase("many", 1),))
    assert fitted(many, 1501) == FanOut(750, 2, many.phases)
    assert readers_of(fitted(FanOut(1, 1000, many.phases), 800)) == 800
    assert fitted(Idle(10_000, 60), 800) == Idle(800, 60)
    assert fitted(many, 2000) == many
