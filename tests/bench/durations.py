"""Jobs whose steps take what published distributions say, for `finish_times`.

Where a kind says nothing else, a job has three to eight steps, from seconds to many minutes in the middle, which are
independent of each other. About every third step reports how far it is, at a rate that is not steady.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from random import Random
from typing import Final, NamedTuple, TypeAlias

UNITS: Final = 10
"""Units of a step that reports how far it is."""

UNIT_VARIATION: Final = 0.5
"""Standard deviation of what a unit takes, over its mean."""


class StepRun(NamedTuple):
    """A step of a run: the milliseconds of each unit. A single unit stands for a step that says nothing meanwhile."""

    name: str
    units: Sequence[int]

    @property
    def ms(self) -> int:
        """The milliseconds of them all."""
        return sum(self.units)


Run: TypeAlias = Sequence[StepRun]
Draw: TypeAlias = Callable[[Random], Iterator[Sequence[float]]]
"""Yields what the steps of a new job take, in seconds, run after run."""


def regular(random: Random) -> Iterator[Sequence[float]]:
    """The same work each time, on a machine of one's own."""
    typical = _typical_s(random)
    while True:
        yield [each * _noise(random, 0.05) for each in typical]


def lognormal(random: Random) -> Iterator[Sequence[float]]:
    """The speed of rented machines varies by a quarter [Schad et al., VLDB 2010]."""
    typical = _typical_s(random)
    while True:
        yield [each * _noise(random, 0.24) for each in typical]


def slow_machine(random: Random) -> Iterator[Sequence[float]]:
    """The same, where all steps of a run share the machine, and are equally long."""
    typical = _typical_s(random, shortest_s=60, longest_s=180)
    while True:
        speed = _noise(random, 0.24)
        yield [each * speed * _noise(random, 0.1) for each in typical]


def cached(random: Random) -> Iterator[Sequence[float]]:
    """A cache spares most of the work in 87.9 % of all builds [Gallaba et al., TSE 48(8), 2022]."""
    typical = _typical_s(random)
    while True:
        yield [each * _noise(random, 0.1) * (1 if random.random() < 0.879 else 4) for each in typical]


def drifting(random: Random) -> Iterator[Sequence[float]]:
    """Each week one percent more, and half as much again after nine weeks."""
    typical = _typical_s(random)
    for day in count():
        growth = 1.01 ** (day / 5) * (1.5 if day >= 45 else 1)
        yield [each * growth * _noise(random, 0.1) for each in typical]


def heavy_tailed(random: Random) -> Iterator[Sequence[float]]:
    """One process in T takes longer than T seconds [Harchol-Balter and Downey, TOCS 15(3), 1997]; here up to 1000."""
    typical = _typical_s(random)
    while True:
        yield [each * min(1000, random.paretovariate(1.0)) for each in typical]


def workflows(random: Random) -> Iterator[Sequence[float]]:
    """Scientific workflows, by what WfCommons fitted to recorded executions [Coleman et al., FGCS 128, 2022]."""
    steps = random.choice(WORKFLOWS)
    while True:
        yield [max(0.1, at + scale * _STANDARD[shape](random, *rest)) * most for shape, *rest, at, scale, most in steps]


_Fit: TypeAlias = tuple[str, float, float, float] | tuple[str, float, float, float, float]
"""A distribution of SciPy with its parameters, location and scale, and the most seconds that were recorded."""

GENOME_1000: Final[Sequence[_Fit]] = (
    ("argus", -0.692, 1.695, 192.2),
    ("rdist", 1.038, 0.886, 0.610, 157.3),
    ("norm", 0.204, 0.275, 22.7),
    ("argus", -0.708, 1.710, 92.2),
    ("dweibull", 1.371, 0.194, 0.232, 238.3),
)
"""individuals, individuals_merge, sifting, mutation_overlap, frequency."""

EPIGENOMICS: Final[Sequence[_Fit]] = (
    ("argus", -0.627, 1.628, 47.4),
    ("argus", -0.636, 1.637, 28.6),
    ("argus", -0.626, 1.627, 10.5),
    ("dweibull", 1.373, 0.189, 0.222, 122.6),
    ("arcsine", -0.099, 1.099, 37.3),
    ("arcsine", -0.304, 1.304, 120.3),
    ("arcsine", -0.111, 1.111, 99.6),
)
"""filterContams, sol2sanger, fast2bfq, map, mapMerge, chr21, pileup."""

SRA_SEARCH: Final[Sequence[_Fit]] = (
    ("wald", -0.178, 0.789, 33.3),
    ("fisk", 3.920, -0.304, 0.631, 4343.7),
    ("arcsine", -0.074, 1.074, 121.0),
)
"""bowtie2-build, fasterq-dump, bowtie2."""

WORKFLOWS: Final = (GENOME_1000, EPIGENOMICS, SRA_SEARCH)
"""The recipes of the package `wfcommons` 1.6 on PyPI whose steps come one after the other."""


def _wald(random: Random) -> float:
    square = random.gauss(0, 1) ** 2
    least = 1 + square / 2 - math.sqrt(4 * square + square**2) / 2
    return least if random.random() <= 1 / (1 + least) else 1 / least


def _fisk(random: Random, shape: float) -> float:
    share = random.random()
    return float((share / (1 - share)) ** (1 / shape))


_STANDARD: Final[Mapping[str, Callable[..., float]]] = {
    "arcsine": lambda random: math.sin(math.pi / 2 * random.random()) ** 2,
    "argus": lambda random: math.sqrt(1 - random.random() ** (2 / 3)),  # for its chi of about 0
    "dweibull": lambda random, shape: random.choice((-1, 1)) * random.weibullvariate(1, shape),
    "fisk": _fisk,
    "norm": lambda random: random.gauss(0, 1),
    "rdist": lambda random, shape: 2 * random.betavariate(shape / 2, shape / 2) - 1,
    "wald": _wald,
}

KINDS: Final[Mapping[str, Draw]] = {
    "regular": regular,
    "varying": lognormal,
    "slow machine": slow_machine,
    "cached": cached,
    "drifting": drifting,
    "heavy-tailed": heavy_tailed,
    "workflows": workflows,
}


def runs_of(draw: Draw, random: Random) -> Iterator[Run]:
    units = [UNITS if random.random() < 1 / 3 else 1 for _ in range(8)]
    for durations_s in draw(random):
        each = enumerate(zip(durations_s, units, strict=False), start=1)
        yield [StepRun(f"step {number}", _split(random, seconds, of)) for number, (seconds, of) in each]


def _split(random: Random, seconds: float, units: int) -> Sequence[int]:
    weights = [_noise(random, UNIT_VARIATION) for _ in range(units)]
    return [max(1, round(1000 * seconds * weight / sum(weights))) for weight in weights]


def _typical_s(random: Random, *, shortest_s: float = 2, longest_s: float = 1200) -> Sequence[float]:
    shortest, longest = math.log(shortest_s), math.log(longest_s)
    return [math.exp(random.uniform(shortest, longest)) for _ in range(random.randint(3, 8))]


def _noise(random: Random, variation: float) -> float:
    """Return a factor from the lognormal distribution of median 1 and this standard deviation over the mean."""
    return random.lognormvariate(0, math.sqrt(math.log(1 + variation**2)))
