"""What a benchmark finds: a figure, and beside it what this host could do at best, taken in the same run."""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """One value of one run. ``limit``: the same quantity without Pombal, by ``limit_is``; None where nothing compares.

    ``unit`` says which way is better: of what is counted a second (``…/s``) more is, of all else less.
    """

    name: str
    value: float
    unit: str
    limit: float | None = None
    limit_is: str | None = None

    @property
    def more_is_better(self) -> bool:
        return self.unit.endswith("/s")

    @property
    def ratio(self) -> float | None:
        """How much of the host's best is reached: 1 is all of it."""
        if self.limit is None or not self.value or not self.limit:
            return None
        return self.value / self.limit if self.more_is_better else self.limit / self.value


@dataclass(frozen=True, slots=True)
class Summary:
    """A figure over several runs: medians, and from where to where it went."""

    name: str
    value: float
    unit: str
    limit: float | None
    limit_is: str | None
    ratio: float | None
    lowest: float
    highest: float
    runs: int

    def as_json(self) -> dict[str, Any]:
        shown = {name: getattr(self, name) for name in self.__slots__}
        return {name: round(value, 4) if isinstance(value, float) else value for name, value in shown.items()}


def summarize(figures: Iterable[Figure]) -> list[Summary]:
    """One summary a name, in the order of their first figures. Ratios are taken within each run, then their median."""
    by_name: dict[str, list[Figure]] = {}
    for figure in figures:
        by_name.setdefault(figure.name, []).append(figure)
    return [_summary(runs) for runs in by_name.values()]


def _summary(runs: Sequence[Figure]) -> Summary:
    values = [figure.value for figure in runs]
    return Summary(
        name=runs[0].name,
        value=statistics.median(values),
        unit=runs[0].unit,
        limit=_median(figure.limit for figure in runs),
        limit_is=runs[0].limit_is,
        ratio=_median(figure.ratio for figure in runs),
        lowest=min(values),
        highest=max(values),
        runs=len(runs),
    )


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest of values that so many percent are not above. Raises ValueError where there are none."""
    if not values:
        raise ValueError("a percentile of nothing")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
