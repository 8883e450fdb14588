"""Ratios, medians and percentiles of what benchmarks find."""

import pytest

from pombal.bench.figures import Figure, percentile, summarize


def test_of_a_rate_more_is_better() -> None:
    assert Figure("ingest.rate", 600.0, "messages/s", 1000.0, "a bare loop").ratio == 0.6


def test_of_a_time_less_is_better() -> None:
    assert Figure("latency.p50", 20.0, "ms", 5.0, "a bare fsync").ratio == 0.25


@pytest.mark.parametrize("figure", [Figure("a", 1.0, "ms"), Figure("a", 0.0, "ms", 1.0), Figure("a", 1.0, "ms", 0.0)])
def test_nothing_to_compare_with_is_no_ratio(figure: Figure) -> None:
    assert figure.ratio is None


def test_the_ratio_is_the_median_of_those_within_each_run_and_not_of_the_medians() -> None:
    """A run on a slow moment of the machine has a slow limit as well."""
    runs = [(100.0, 200.0), (10.0, 100.0), (90.0, 100.0)]
    (summary,) = summarize(Figure("ingest.rate", value, "messages/s", limit, "bare") for value, limit in runs)
    assert (summary.value, summary.limit, summary.ratio) == (90.0, 100.0, 0.5)
    assert (summary.lowest, summary.highest, summary.runs) == (10.0, 100.0, 3)


def test_summaries_keep_the_order_of_the_figures() -> None:
    figures = [Figure("b", 1.0, "s"), Figure("a", 2.0, "s"), Figure("b", 3.0, "s")]
    assert [(each.name, each.value) for each in summarize(figures)] == [("b", 2.0), ("a", 2.0)]


def test_as_json_says_everything_by_name() -> None:
    (summary,) = summarize([Figure("sessions.ready", 1 / 3, "s", 0.1, "bare tasks")])
    assert summary.as_json() == {
        "name": "sessions.ready", "value": 0.3333, "unit": "s", "limit": 0.1, "limit_is": "bare tasks", "ratio": 0.3,
        "lowest": 0.3333, "highest": 0.3333, "runs": 1,
    }  # fmt: skip


def test_percentiles_are_values_that_there_were() -> None:
    values = [float(number) for number in range(1, 101)]
    assert [percentile(values, percent) for percent in (0, 50, 99, 100)] == [1.0, 50.0, 99.0, 100.0]
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 50)
