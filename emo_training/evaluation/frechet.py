"""The Frechet distance between two sets of features, gathered batch by batch."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .intervals import Interval, frechet_interval

EXTRA = "pip install 'emo-portrait[evaluate]'"


class FrechetDistance:
    """Distance between Gaussians fitted to true and to generated features (Heusel et al. 2017, eq. 6):
    |m - m'|^2 + tr(C + C' - 2 (C C')^(1/2)), with covariances over N - 1.

    Sums are kept in float64. The accumulator and the formula are torchmetrics' `FrechetInceptionDistance`,
    given features instead of pictures. The features stay in memory for the interval: 8 kB a frame for FID.
    """

    def __init__(self) -> None:
        self._metric: Any = None
        self.dimensions = 0
        self.counts = {True: 0, False: 0}  # features, by whether they are real
        self.clips: dict[bool, list[Tensor]] = {True: [], False: []}  # what each update brought

    def update(self, features: Tensor, real: bool) -> None:
        """Adds features (N, D), those of one clip if there is to be an interval.

        Raises ValueError when D changes or a feature is not finite.
        """
        if self._metric is None:
            self.dimensions = features.shape[1]
            self._metric = _accumulator(self.dimensions)
        if features.shape[1] != self.dimensions:
            raise ValueError(f"features have {features.shape[1]} numbers, those before had {self.dimensions}")
        if not torch.isfinite(features).all():
            raise ValueError(f"features {tuple(features.shape)} hold NaN or infinite numbers: wrong weights?")
        self.clips[real].append(features.float())
        if len(features):
            self._metric.update(features.double(), real=real)
            self.counts[real] += len(features)

    def compute(self) -> float:
        """Raises ValueError for fewer than two features on either side."""
        if min(self.counts.values()) < 2:
            raise ValueError(
                f"a Frechet distance needs 2 features of each kind, got {self.counts[True]} true and "
                f"{self.counts[False]} generated: give more or longer videos"
            )
        return max(0.0, float(self._metric.compute()))  # rounding may leave a little less than nothing

    def interval(self, groups: Sequence[str]) -> Interval | None:
        """Of `compute`, by bootstrap over the clips, which belong to these groups (persons)."""
        return frechet_interval(self.compute(), self.clips[True], self.clips[False], groups)

    @property
    def rank_deficient(self) -> bool:
        """Whether there are too few features for covariances of full rank: distances come out too large."""
        return min(self.counts.values()) <= self.dimensions


def frechet_distance(true: Tensor, generated: Tensor) -> float:
    """Between features (N, D) and (M, D)."""
    distance = FrechetDistance()
    distance.update(true, real=True)
    distance.update(generated, real=False)
    return distance.compute()


def _accumulator(dimensions: int) -> Any:
    try:
        from torchmetrics.image.fid import FrechetInceptionDistance
    except ImportError as error:
        raise ValueError(f"Frechet distances need torchmetrics: {EXTRA}") from error
    return FrechetInceptionDistance(feature=_GivenFeatures(dimensions))


class _GivenFeatures(nn.Identity):
    """Takes the place of torchmetrics' own network."""

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        self.num_features = dimensions
