"""Turns figures into tables and a plot. Nothing here measures, starts or reads anything."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from statistics import median

from tests.bench.peers.ours import NAME
from tests.bench.plan import Figures
from tests.bench.workloads import Table, Workload

LABEL_PX, BAR_PX, VALUE_PX, ROW_PX, TITLE_PX = 170, 430, 180, 22, 44
OURS_FILL, PEER_FILL, TEXT_FILL, BACKGROUND = "#1f6feb", "#9aa4b2", "#24292f", "#ffffff"

TIMES, DASH = "\N{MULTIPLICATION SIGN}", "\N{EN DASH}"

Row = list[str]


@dataclass(slots=True)
class Results:
    """The results and the failures of all measurements.

    Attributes:
        figures: By workload and peer, one per round.
        missing: By peer, why it was not measured at all.
        failures: By workload and peer, why a measurement failed.
    """

    figures: dict[tuple[str, str], list[Figures]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    failures: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, workload: str, peer: str, figures: Figures) -> None:
        self.figures.setdefault((workload, peer), []).append(figures)

    def of(self, workload: Workload, phase: str) -> dict[str, Figures]:
        """The figures of one phase by peer, summarised over the rounds, without peers that have none."""
        prefix = f"{phase}." if phase else ""
        found = {}
        for peer in workload.peers:
            figures = summed_up(self.figures.get((workload.name, peer.name), []))
            chosen = {name.removeprefix(prefix): value for name, value in figures.items() if name.startswith(prefix)}
            if chosen:
                found[peer.name] = chosen
        return found


def summed_up(rounds: Sequence[Figures]) -> Figures:
    """The median of each figure over the rounds; for losses, the worst."""
    names = dict.fromkeys(name for figures in rounds for name in figures)
    values = {name: [figures[name] for figures in rounds if name in figures] for name in names}
    return {
        name: max(each) if name.rpartition(".")[2] == "lost" else float(median(each)) for name, each in values.items()
    }


def ratio(value: float, references: Iterable[float]) -> float | None:
    """A value over the least of its references; `None` where there is no reference."""
    least = min((each for each in references if each > 0), default=None)
    return None if least is None else value / least


def markdown(workloads: Sequence[Workload], results: Results, preface: Sequence[str]) -> str:
    tables = (
        f"## {table.title}\n\n{_grid(_rows(workload, table, results))}"
        for workload in workloads
        for table in workload.tables
        if results.of(workload, table.phase)
    )
    failures = [f"- {name}, {peer}: {_one_line(why)}" for (name, peer), why in results.failures.items()]
    ending = ["## Measurements that came to nothing\n\n" + "\n".join(failures)] if failures else []
    return "\n\n".join(["# Benchmark", *preface, *tables, *ending]) + "\n"


def _one_line(text: str) -> str:
    return " ".join(text.replace("|", "/").split())


def _rows(workload: Workload, table: Table, results: Results) -> Iterator[Row]:
    by_peer = results.of(workload, table.phase)
    best_python = [peer.name for peer in workload.peers if peer.is_python and peer.name != table.reference]
    compared = {f"{TIMES} {table.reference}": [table.reference]} if table.ratio else {}
    if table.ratio and best_python:
        compared[f"{TIMES} best Python"] = best_python
    first, *others = table.columns
    yield ["", first.title, *compared, *(column.title for column in others)]
    for peer in workload.peers:
        figures = by_peer.get(peer.name)
        if figures is None:
            if peer.name in results.missing:
                yield [peer.name, f"missing: {_one_line(results.missing[peer.name])}"]
            elif (workload.name, peer.name) in results.failures:
                yield [peer.name, "failed: see below"]
            continue
        ratios = [_ratio_text(table, figures, by_peer, names) for names in compared.values()]
        yield [
            peer.name,
            _number(figures.get(first.figure), first.digits),
            *ratios,
            *(_number(figures.get(column.figure), column.digits) for column in others),
        ]


def _ratio_text(table: Table, figures: Figures, by_peer: dict[str, Figures], names: list[str]) -> str:
    assert table.ratio is not None
    references = [by_peer[name].get(table.ratio, 0) for name in names if name in by_peer]
    return _number(ratio(figures.get(table.ratio, 0), references), 2)


def _number(value: float | None, digits: int) -> str:
    return DASH if value is None else f"{value:.{digits}f}"


def _grid(rows: Iterable[Row]) -> str:
    head, *body = rows
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *(row + [""] * (len(head) - len(row)) for row in body)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def svg(workloads: Sequence[Workload], results: Results) -> str:
    parts: list[str] = []
    top = 0
    for workload in workloads:
        for table in (each for each in workload.tables if each.is_plotted and each.ratio):
            assert table.ratio is not None
            values = {name: each.get(table.ratio, 0) for name, each in results.of(workload, table.phase).items()}
            if values:
                parts += _panel(f"{table.title}: CPU µs per delivery", values, table.reference, top)
                top += TITLE_PX + ROW_PX * len(values)
    width, height = LABEL_PX + BAR_PX + VALUE_PX, top + ROW_PX
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'font-family="sans-serif" font-size="13" fill="{TEXT_FILL}">',
            f'<rect width="{width}" height="{height}" fill="{BACKGROUND}"/>',
            *parts,
            "</svg>\n",
        ]
    )


def _panel(title: str, values: dict[str, float], reference_name: str, top: int) -> Iterator[str]:
    reference = values.get(reference_name)
    most = max(*values.values(), 0.001)
    yield f'<text x="8" y="{top + TITLE_PX - 14}" font-weight="bold">{escape(title)}</text>'
    for number, (name, value) in enumerate(values.items()):
        y = top + TITLE_PX + ROW_PX * number
        length = BAR_PX * max(0.0, value) / most
        fill = OURS_FILL if name == NAME else PEER_FILL
        shown = f"{value:.2f}" + (f" ({value / reference:.2f} {TIMES} {reference_name})" if reference else "")
        yield f'<text x="{LABEL_PX - 8}" y="{y + 14}" text-anchor="end">{escape(name)}</text>'
        yield f'<rect x="{LABEL_PX}" y="{y + 2}" width="{length:.1f}" height="{ROW_PX - 6}" fill="{fill}"/>'
        yield f'<text x="{LABEL_PX + length + 6:.1f}" y="{y + 14}">{shown}</text>'
