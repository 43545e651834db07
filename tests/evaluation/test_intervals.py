"""Intervals of means and distances whose spread is known."""

import numpy as np
import pytest
import torch

from emo_training.evaluation.figures import LIKENESS, metric_figures
from emo_training.evaluation.frechet import FrechetDistance
from emo_training.evaluation.instruments import Instruments
from emo_training.evaluation.intervals import (
    _weighted_distance,
    draw_counts,
    frechet_interval,
    interval_of,
    mean_interval,
)

from .test_figures import instruments, pairs

SINGLE = [str(k) for k in range(400)]


def test_the_mean_of_a_normal_distribution_has_its_standard_error():
    values = np.random.default_rng(0).normal(5, 2, 400)
    low, high = mean_interval(values, SINGLE)
    assert (low + high) / 2 == pytest.approx(values.mean(), abs=0.02)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(400), rel=0.08)


def test_an_interval_holds_the_truth_in_nineteen_of_twenty_samples():
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(100):
        low, high = mean_interval(rng.normal(5, 2, 60), SINGLE[:60])
        held += low <= 5 <= high
    assert 89 <= held <= 99


def test_clips_of_one_person_count_as_one():
    """Ten clips of each of 40 persons who differ, while their own clips do not: 40 values, not 400."""
    persons = np.random.default_rng(2).normal(0, 1, 40)
    values, groups = np.repeat(persons, 10), [str(k) for k in np.repeat(np.arange(40), 10)]
    low, high = mean_interval(values, groups)
    assert high - low == pytest.approx(2 * 1.96 * persons.std() / np.sqrt(40), rel=0.12)
    one_by_one = mean_interval(values, SINGLE)
    assert high - low > 2.5 * (one_by_one[1] - one_by_one[0])


def test_persons_are_drawn_whole():
    counts = draw_counts(["a", "b", "a", "c"], 100)
    assert np.array_equal(counts[:, 0], counts[:, 2])
    assert (counts[:, [0, 1, 3]].sum(1) == 3).all() and len(np.unique(counts, axis=0)) > 5


def test_equal_values_have_no_width_and_one_person_has_no_interval():
    assert mean_interval([3.0] * 5, SINGLE[:5]) == (3, 3)
    assert mean_interval([1.0, 2.0], ["anna", "anna"]) is None
    assert interval_of(lambda clips: 1.0, ["anna"]) is None


def test_a_statistic_is_drawn_like_a_mean():
    values = np.random.default_rng(3).normal(0, 1, 50)
    whole = interval_of(lambda clips: float(values[clips].mean()), SINGLE[:50])
    assert whole == pytest.approx(mean_interval(values, SINGLE[:50]))


@pytest.mark.parametrize(("count", "other"), [(60, 40), (9, 70), (70, 9)])
def test_a_weighted_distance_is_that_of_repeated_features(count, other):
    generator = torch.Generator().manual_seed(0)
    true, made = (torch.randn(n, 12, generator=generator).double() for n in (count, other))
    weights = [torch.randint(1, 4, (n,), generator=generator) for n in (count, other)]
    plain = FrechetDistance()
    plain.update(true.repeat_interleave(weights[0], 0), real=True)
    plain.update(made.repeat_interleave(weights[1], 0), real=False)
    found = _weighted_distance((true, weights[0].double()), (made, weights[1].double()))
    assert found == pytest.approx(plain.compute(), rel=1e-6)


def test_a_shifted_mean_makes_a_distance_as_unsure_as_the_mean():
    """Clips of one feature each around 10 and 0 with spread 1: the distance's deviation is near 2 * 10 * that
    of the difference of the means."""
    generator = torch.Generator().manual_seed(1)
    true = [torch.randn(1, 1, generator=generator) for _ in range(200)]
    made = [10 + torch.randn(1, 1, generator=generator) for _ in range(200)]
    low, high = frechet_interval(100.0, true, made, SINGLE[:200])
    assert (low + high) / 2 == pytest.approx(100)
    assert (high - low) / 2 == pytest.approx(1.96 * 20 * np.sqrt(2 / 200), rel=0.25)


def test_equal_clips_have_equal_distances():
    clip = torch.randn(20, 3, generator=torch.Generator().manual_seed(2))
    low, high = frechet_interval(4.0, [clip] * 6, [clip + 2] * 6, SINGLE[:6])
    assert low == pytest.approx(4, abs=0.2) and high == pytest.approx(4, abs=0.2)


def test_clips_without_features_are_no_distance_of_nothing():
    empty, clip = torch.zeros(0, 2), torch.randn(9, 2, generator=torch.Generator().manual_seed(3))
    low, high = frechet_interval(1.0, [clip, empty], [clip + 1, empty], ["a", "b"])
    assert np.isfinite((low, high)).all()


def test_every_side_of_a_row_has_its_interval():
    tools: Instruments = instruments("syncnet")
    row = next(metric_figures(LIKENESS[:1], pairs(8), tools))
    for value, interval in (
        (row.value, row.interval),
        (row.true, row.true_interval),
        (row.control, row.control_interval),
    ):
        assert interval[0] < value < interval[1]
