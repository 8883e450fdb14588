"""What grows is found, what only wavers is not; and what is drawn of it."""

import random
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from tests.soak.plot import CHARTS, svg
from tests.soak.samples import Sample
from tests.soak.slope import POINTS_MAX, Bound, Point, judge, judge_all, theil_sen, thinned

SAMPLE = Sample(
    at_s=0, blocks=500_000, anonymous_bytes=10**8, resident_bytes=12 * 10**7, descriptors=26, threads=4, cpu_s=0,
    wal_bytes=16_000_000, database_bytes=1, outbox_depth=0, recorder_depth=0, lag_events=0, restarts=0, sent=0, heard=0,
    send_ms=20.0, event_ms=30.0, bare_fsync_ms=None, event_cpu_ms=1.0,
)  # fmt: skip


def line(slope: float, noise: float = 0.0, count: int = 300) -> list[Point]:
    rng = random.Random(1)
    return [(float(at), 100 + slope * at + rng.uniform(-noise, noise)) for at in range(count)]


def test_a_line_has_its_slope() -> None:
    assert theil_sen(line(0.5)) == pytest.approx(0.5)
    assert theil_sen(line(0)) == 0
    assert theil_sen([(0.0, 1.0)]) == 0


def test_one_in_five_may_be_anything() -> None:
    points = [(at, 10_000.0 if at % 5 == 0 else value) for at, value in line(0.5, noise=3)]
    assert theil_sen(points) == pytest.approx(0.5, abs=0.1)


def test_many_points_are_thinned_and_keep_their_slope() -> None:
    many = line(0.01, count=7 * POINTS_MAX + 3)
    assert len(thinned(many)) <= POINTS_MAX
    assert theil_sen(many) == pytest.approx(0.01)


def test_verdicts() -> None:
    assert judge("x", line(0, noise=20), Bound(5)).holds
    assert not judge("x", line(0.1), Bound(5)).holds
    assert judge("x", line(0.1), Bound(5, share=0.5)).holds
    assert judge("x", line(-9), Bound(0)).holds, "what falls does not grow"
    assert not judge("x", line(0), Bound(5, most=99)).holds
    assert "grew by 29.9, allowed 5" in str(judge("x", line(0.1), Bound(5)))


def test_what_comes_before_the_warm_up_is_not_judged() -> None:
    samples = [replace(SAMPLE, at_s=at, blocks=max(0, 50 - at), send_ms=None if at % 2 else 1.0) for at in range(100)]
    (blocks, send) = judge_all(samples, {"blocks": Bound(1), "send_ms": Bound(1)}, 50)
    assert (blocks.growth, send.median) == (0, 1)
    assert judge_all(samples, {"blocks": Bound(1)}, 0)[0].growth < 0


def test_the_picture_is_one() -> None:
    samples = [replace(SAMPLE, at_s=at, blocks=at * 1000) for at in range(1, 60)]
    drawn = ElementTree.fromstring(svg(samples, 15))
    lines = [path.get("d") for path in drawn.iter("{http://www.w3.org/2000/svg}path")]
    assert len(lines) == sum(len(chart.lines) for chart in CHARTS)
    assert lines.pop() == "", "a figure that is not known is not drawn"
    assert all(path and path.startswith("M") for path in lines)
