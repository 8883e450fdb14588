"""Whether a figure grows: the Theil-Sen estimate of its slope, held against a bound that is named beforehand."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median
from typing import Any

Point = tuple[float, float]
POINTS_MAX = 400  # pairs grow with the square: of more points, medians of neighbours are taken


def theil_sen(points: Sequence[Point]) -> float:
    """The median of the slopes between all pairs (Theil 1950, Sen 1968): up to 29 % of the points may be outliers."""
    slopes = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(thinned(points), 2) if x2 > x1]
    return median(slopes) if slopes else 0.0


def thinned(points: Sequence[Point]) -> list[Point]:
    """At most POINTS_MAX of them, each the median of as many neighbours."""
    size = -(-len(points) // POINTS_MAX)
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [(median(x for x, _ in group), median(y for _, y in group)) for group in groups]


@dataclass(frozen=True, slots=True)
class Bound:
    """What a figure may grow over the time that is measured: so much, or that share of its median, whichever is more.

    most: what no single sample may exceed; None: anything.
    """

    grow: float
    share: float = 0.0
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """growth: the slope times the time measured."""

    name: str
    median: float
    highest: float
    growth: float
    allowed: float
    most: float | None

    @property
    def holds(self) -> bool:
        return self.growth <= self.allowed and (self.most is None or self.highest <= self.most)

    def __str__(self) -> str:
        most = "" if self.most is None else f", at most {self.most:g}"
        return (
            f"{self.name}: median {self.median:g}, highest {self.highest:g}{most}; "
            f"grew by {self.growth:.4g}, allowed {self.allowed:.4g}"
        )


def judge(name: str, points: Sequence[Point], bound: Bound) -> Verdict:
    """points: (seconds, value), of which there is one at least."""
    values = [value for _, value in points]
    growth = theil_sen(points) * (points[-1][0] - points[0][0])
    allowed = max(bound.grow, bound.share * median(values))
    return Verdict(name, median(values), max(values), growth, allowed, bound.most)


def judge_all(samples: Sequence[Any], bounds: dict[str, Bound], warm_up_s: float) -> list[Verdict]:
    """Each bound names an attribute of the samples. What is None, and samples before warm_up_s, are left out."""
    measured = [sample for sample in samples if sample.at_s >= warm_up_s]
    return [
        judge(name, [(each.at_s, value) for each in measured if (value := getattr(each, name)) is not None], bound)
        for name, bound in bounds.items()
    ]
