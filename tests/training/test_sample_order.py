"""One order for every number of processes, in which all seconds are as likely and people are bounded."""

from collections import Counter

import numpy as np
import pytest

from emo_training.footage.shards import SampleEntry, ShardIndex
from emo_training.training.sample_order import SampleOrder, bounded_rates


def entries_of(people: dict[str, list[int]], per_shard: int = 10) -> list[SampleEntry]:
    """Samples of so many frames."""
    samples = [(who, frames) for who, lengths in people.items() for frames in lengths]
    return [
        SampleEntry(f"clip{k:04d}", f"shard-{k // per_shard:06d}.tar", "train", who, frames, True, {})
        for k, (who, frames) in enumerate(samples)
    ]


def epoch(order: SampleOrder, number: int = 0) -> list[SampleEntry]:
    return [order[n] for n in range(number * len(order), (number + 1) * len(order))]


def shares(order: SampleOrder, epochs: int = 1) -> dict[str, float]:
    counts: Counter[str] = Counter()
    for number in range(epochs):
        for entry, draws in zip(order.entries, order.draws(number).tolist(), strict=True):
            counts[entry.identity] += draws
    return {who: count / (epochs * len(order)) for who, count in counts.items()}


def test_samples_of_one_length_come_once_in_every_epoch_whose_order_is_its_own(shards):
    index = ShardIndex.load(shards)
    order = SampleOrder(index.entries, seed=3)
    epochs = [[order[n].key for n in range(e * 6, e * 6 + 6)] for e in range(3)]
    assert all(Counter(epoch) == Counter(entry.key for entry in index.entries) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3
    assert [order[n].key for n in range(6)] == epochs[0]  # also when asked for again
    assert [SampleOrder(index.entries, seed=4)[n].key for n in range(6)] != epochs[0]


def test_every_second_is_as_likely_whatever_the_length_of_its_sample():
    rng = np.random.default_rng(0)
    entries = entries_of({f"person{k}": rng.integers(75, 301, 10).tolist() for k in range(8)})
    order = SampleOrder(entries, seed=0)
    frames = np.array([entry.frames for entry in entries])
    worth = frames / frames.min()
    counts = np.array([order.draws(e) for e in range(60)])
    assert counts.min() == 1
    assert (np.abs(counts - worth) < 1.1).all()
    assert np.allclose(counts.mean(0), worth, rtol=0.03)
    assert set(counts.sum(1)) == {len(order)} and 0 <= len(order) - worth.sum() < 1


def test_an_epoch_draws_what_it_counts():
    order = SampleOrder(entries_of({"a": [75, 110], "b": [300, 200, 90]}), seed=1)
    for number in range(4):
        drawn = Counter(entry.key for entry in epoch(order, number))
        assert [drawn[entry.key] for entry in order.entries] == order.draws(number).tolist()


def test_one_person_of_two_fifths_is_held_to_a_tenth_and_all_others_stay_in_proportion():
    rng = np.random.default_rng(1)
    people = {"star": rng.integers(75, 301, 400).tolist()}
    people |= {f"person{k:02d}": rng.integers(75, 301, 10).tolist() for k in range(60)}
    entries = entries_of(people)
    free, bound = (SampleOrder(entries, 0, share) for share in (1.0, 0.1))
    assert shares(free)["star"] == pytest.approx(0.4, abs=0.02)
    assert shares(bound)["star"] == pytest.approx(0.1, abs=0.001)
    before, after = shares(free, 30), shares(bound, 30)
    others, rise = [who for who in people if who != "star"], 0.9 / (1 - before["star"])
    assert all(after[who] == pytest.approx(rise * before[who], rel=0.01) for who in others)
    assert SampleOrder(entries, 0, 0.1).draws(0).min() == 1


@pytest.mark.parametrize(("people", "largest"), [(1, 1.0), (2, 0.9), (4, 0.5), (40, 0.1)])
def test_among_few_people_the_bound_is_two_even_shares(people, largest):
    hours = [9.0 * max(1, people - 1)] + [1.0] * (people - 1)
    rates = bounded_rates(np.array(hours), max(0.1, 2 / people))
    assert rates[0] * hours[0] / (rates * hours).sum() == pytest.approx(largest)
    assert (rates[1:] == 1).all()


def test_several_people_are_bounded_together():
    totals = np.array([50.0, 30.0, 5.0, 5.0, 5.0, 5.0])
    worth = bounded_rates(totals, 1 / 3) * totals
    assert worth[:2] / worth.sum() == pytest.approx([1 / 3, 1 / 3])
    assert worth[2:].tolist() == [5.0] * 4


def test_neighbours_in_the_order_lie_in_eight_shards():
    order = SampleOrder(entries_of({f"p{k}": [75] * 10 for k in range(32)}), seed=0)
    drawn = [entry.shard for entry in epoch(order)]
    assert all(len(set(drawn[k : k + 80])) == 8 for k in range(0, 320, 80))


@pytest.mark.parametrize("processes", [1, 4, 8, 16])
def test_processes_share_an_epoch_between_them(processes):
    entries = entries_of({f"person{k}": [75, 150, 300] for k in range(16)})
    ranks = [SampleOrder(entries, seed=5) for _ in range(processes)]
    order = SampleOrder(entries, seed=5)
    shared = [ranks[n % processes][n] for n in range(len(order))]
    assert Counter(shared_key.key for shared_key in shared) == Counter(e.key for e in epoch(order))
    assert len(order) == 16 * 7
