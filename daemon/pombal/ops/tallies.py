"""Counters and histograms that one thread alone adds to, the one that shows them: so they need no lock.

The library's own take one at each addition, and that is most of what an addition costs; a send that is read has six
latencies.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

Labels = tuple[str, ...]


class TalliedCounter(Collector):
    """A counter by the values of its labels, which are given in their order."""

    def __init__(self, name: str, text: str, labels: Sequence[str], registry: CollectorRegistry) -> None:
        self.name, self.labels = name, tuple(labels)
        self._text = text
        self._counts: dict[Labels, float] = {} if labels else {(): 0.0}
        registry.register(self)

    def add(self, labels: Labels = (), count: float = 1) -> None:
        self._counts[labels] = self._counts.get(labels, 0.0) + count

    def describe(self) -> Iterator[CounterMetricFamily]:
        yield CounterMetricFamily(self.name, self._text, labels=self.labels)

    def collect(self) -> Iterator[CounterMetricFamily]:
        for family in self.describe():
            for labels, count in self._counts.items():
                family.add_metric(labels, count)
            yield family


@dataclass(slots=True)
class _Series:
    """How many fell into each bucket, the last of which has no bound, and the sum of all."""

    buckets: list[int]
    total: float = 0.0


class TalliedHistogram(Collector):
    """A histogram by the values of its labels. bounds: rising; a value that equals one counts to it."""

    def __init__(
        self, name: str, text: str, bounds: Sequence[float], labels: Sequence[str], registry: CollectorRegistry
    ) -> None:
        self.name, self.labels = name, tuple(labels)
        self._text = text
        self._bounds = bounds
        self._names = [*map(floatToGoString, bounds), "+Inf"]
        self._series: dict[Labels, _Series] = defaultdict(self._none_yet)
        if not labels:
            self._series[()] = self._none_yet()
        registry.register(self)

    def observe(self, labels: Labels, value: float) -> None:
        series = self._series[labels]
        series.buckets[bisect_left(self._bounds, value)] += 1
        series.total += value

    def describe(self) -> Iterator[HistogramMetricFamily]:
        yield HistogramMetricFamily(self.name, self._text, labels=self.labels)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        for family in self.describe():
            for labels, series in self._series.items():
                family.add_metric(labels, self._cumulative(series), series.total)
            yield family

    def _none_yet(self) -> _Series:
        return _Series([0] * len(self._names))

    def _cumulative(self, series: _Series) -> list[tuple[str, float]]:
        reached, found = 0, []
        for name, count in zip(self._names, series.buckets, strict=True):
            reached += count
            found.append((name, float(reached)))
        return found
