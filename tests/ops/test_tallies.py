"""Our own counters and histograms are shown as the library's would be."""

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from pombal.ops.tallies import TalliedCounter, TalliedHistogram

BOUNDS = (0.001, 0.5, 1, 3600)
VALUES = (0.0, 0.001, 0.0011, 0.5, 0.7, 1, 3600, 3601)


def test_a_page_is_that_of_the_library() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    counters = (
        TalliedCounter("a_total", "Of a.", ("link", "kind"), ours),
        Counter("a_total", "Of a.", ("link", "kind"), registry=theirs),
    )
    histograms = (
        TalliedHistogram("b_seconds", "Of b.", BOUNDS, ("link",), ours),
        Histogram("b_seconds", "Of b.", ("link",), buckets=BOUNDS, registry=theirs),
    )
    plain = TalliedCounter("c_total", "Of c.", (), ours), Counter("c_total", "Of c.", registry=theirs)
    lone = (
        TalliedHistogram("d_seconds", "Of d.", BOUNDS, (), ours),
        Histogram("d_seconds", "Of d.", buckets=BOUNDS, registry=theirs),
    )
    pages = [(generate_latest(ours), generate_latest(theirs))]
    for count in (1, 3):
        counters[0].add(("web", "x"), count)
        counters[1].labels("web", "x").inc(count)
    plain[0].add()
    plain[1].inc()
    for value in VALUES:
        histograms[0].observe(("web",), value)
        histograms[1].labels("web").observe(value)
        lone[0].observe((), value)
        lone[1].observe(value)
    pages.append((generate_latest(ours), generate_latest(theirs)))
    pages.append((generate_openmetrics(ours), generate_openmetrics(theirs)))  # type: ignore[no-untyped-call]  # theirs
    for shown, expected in pages:
        assert _without_created(shown) == _without_created(expected)


def _without_created(page: bytes) -> list[str]:
    """The library tells when a metric was made, unless somebody has switched that off in this process."""
    return [line for line in page.decode().splitlines() if "_created" not in line]
