"""Percentiles out of histograms are within 2 % of the exact nearest rank."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pombal.model.latency import PERCENTILES, bucket_of, percentiles, value_of

latencies = st.one_of(st.integers(0, 50), st.integers(0, 100_000), st.integers(0, 2**62))


def percentile(buckets: list[tuple[int, int]], fraction: float, max_ms: int) -> float | None:
    (found,) = percentiles(buckets, [fraction], max_ms)
    return found


def nearest_rank(values: list[int], fraction: float) -> int:
    return sorted(values)[max(1, math.ceil(fraction * len(values) - 1e-9)) - 1]


@given(st.lists(latencies, min_size=1, max_size=300))
def test_percentiles_are_within_two_percent_of_the_exact_ones(values: list[int]) -> None:
    buckets = Counter(map(bucket_of, values)).items()
    fractions = (*PERCENTILES.values(), 0.001, 1.0)
    for fraction, found in zip(fractions, percentiles(buckets, fractions, max(values)), strict=True):
        exact = nearest_rank(values, fraction)
        assert found is not None
        assert abs(found - exact) <= 0.02 * exact


@pytest.mark.parametrize("value", range(34))
def test_tiny_values_are_exact(value: int) -> None:
    assert percentile([(bucket_of(value), 3)], 0.5, 10**9) == value


@given(latencies, latencies)
def test_buckets_keep_the_order(one: int, other: int) -> None:
    assert (one <= other) <= (bucket_of(one) <= bucket_of(other))


@given(st.integers(1, 2**62))
def test_a_buckets_value_stands_for_all_in_it(value: int) -> None:
    assert abs(value_of(bucket_of(value)) - value) <= 0.016 * value


def test_what_is_not_above_zero_has_a_bucket_of_its_own() -> None:
    assert bucket_of(0) == bucket_of(-5) == -1 != bucket_of(1)
    assert value_of(-1) == 0


def test_nothing_measured_has_no_percentile() -> None:
    assert percentile([], 0.5, 0) is None
    assert percentile([(3, 0)], 0.5, 0) is None


def test_no_percentile_is_above_the_maximum() -> None:
    assert percentile([(bucket_of(1000), 1)], 0.99, 1000) == 1000 or value_of(bucket_of(1000)) <= 1000
    assert (percentile([(bucket_of(997), 1)], 0.99, 997) or 0) <= 997
