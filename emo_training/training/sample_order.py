"""In which order samples are read: the same sequence for every number of processes."""

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from ..footage.shards import SampleEntry

SHARDS_TOGETHER = 8  # shards whose samples are mixed: reads stay close together, neighbours become rare
EVEN_SHARES = 2  # that one person may take where there are few of them
ONE_DRAW = 1 << 30  # draws are counted in whole numbers of this part, so that no rounding loses a sample
GOLDEN = (5**0.5 - 1) / 2  # steps of it fall evenly on 0..1, however many are taken


class SampleOrder:
    """The endless sequence of samples, epoch after epoch, each in an order of its own.

    An epoch has every sample at least once and the longer ones more often: each second of footage is as
    likely, wherever it was cut. Nobody takes more of it than `person_share`, or than two even shares where
    there are few people; what a bounded person lacks, all others have in proportion. A sample that is worth
    1.4 draws has one in some epochs and two in others, so that over many of them the shares are exact.
    """

    def __init__(self, entries: Sequence[SampleEntry], seed: int, person_share: float = 1.0) -> None:
        self.entries, self.seed = entries, seed
        people, who = np.unique([entry.identity for entry in entries], return_inverse=True)
        frames = np.array([entry.frames for entry in entries], float)
        totals = np.bincount(who, frames)
        worth = frames * bounded_rates(totals, max(person_share, EVEN_SHARES / len(people)))[who]
        draws = worth / worth.min()
        self._len = math.ceil(draws.sum())
        self._by_person = np.argsort(who, kind="stable")
        parts = (draws[self._by_person] * (self._len / draws.sum()) * ONE_DRAW).astype(np.int64)
        parts[-1] += (
            self._len * ONE_DRAW - parts.sum()
        )  # what rounding down has lost, less than a thousandth of a draw
        self._edges = np.concatenate([[0], np.cumsum(parts)])
        self._epoch, self._order = -1, np.empty(0, np.int64)

    def __len__(self) -> int:
        """Draws in an epoch."""
        return self._len

    def __getitem__(self, n: int) -> SampleEntry:
        epoch, place = divmod(n, len(self))
        if epoch != self._epoch:
            self._epoch, self._order = epoch, self._shuffle(epoch)
        return self.entries[self._order[place]]

    def draws(self, epoch: int) -> np.ndarray:
        """How often each of the samples comes in an epoch, (N,) whole numbers from 1 on."""
        shift = int(epoch * GOLDEN % 1 * ONE_DRAW)
        counts = np.empty(len(self.entries), np.int64)
        counts[self._by_person] = np.diff((self._edges + shift) // ONE_DRAW)
        return counts

    def _shuffle(self, epoch: int) -> np.ndarray:
        rng, counts = np.random.default_rng((self.seed, epoch)), self.draws(epoch)
        members = [np.repeat(samples, counts[samples]) for samples in self._by_shard]
        shards = rng.permutation(len(members))
        groups = [shards[k : k + SHARDS_TOGETHER] for k in range(0, len(shards), SHARDS_TOGETHER)]
        return np.concatenate([rng.permutation(np.concatenate([members[s] for s in g])) for g in groups])

    @cached_property
    def _by_shard(self) -> list[np.ndarray]:
        names = np.array([entry.shard for entry in self.entries])
        return [np.flatnonzero(names == name) for name in np.unique(names)]


def bounded_rates(totals: np.ndarray, most: float) -> np.ndarray:
    """By what the footage (N,) of each person counts, 0..1, so that nobody has more than `most` of the sum.

    `most` is at least 1 / N.
    """
    largest = np.sort(totals)[::-1]
    rest = largest.sum()
    for bounded, total in enumerate(largest):
        limit = most * rest / (1 - bounded * most)
        if total <= limit:
            break
        rest -= total
    return np.minimum(1, limit / totals)
