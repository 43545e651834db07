"""Whether a film shows the person of its portrait, among others."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch

from emo_training.evaluation.identity_similarity import Embedder
from emo_training.evaluation.metrics import nearest
from emo_training.perception.faces import PeopleAnalyzer

from .person_films import Seen

STRIDE = 4  # frames


@dataclass(frozen=True, eq=False)
class Gallery:
    """Vectors (N, D) of the portraits of people with these seeds."""

    embedder: Embedder
    seeds: tuple[int, ...]
    vectors: np.ndarray

    @classmethod
    def of(cls, embedder: Embedder, analyzer: PeopleAnalyzer, portraits: Mapping[int, np.ndarray]) -> Self:
        """Of pictures (H, W, 3) uint8; people whose face is not found are left out."""
        vectors = {}
        for seed, picture in portraits.items():
            if len(found := _vectors(embedder, Seen.of(picture[None], analyzer), 1)):
                vectors[seed] = found[0]
        return cls(embedder, tuple(vectors), np.stack(list(vectors.values())))

    def is_top1(self, seed: int, seen: Seen) -> bool:
        """Whether the mean of the film's faces is nearest to the portrait of `seed`."""
        found = _vectors(self.embedder, seen, STRIDE)
        if not len(found):
            return False
        mean = torch.from_numpy(found.mean(0, keepdims=True))
        return self.seeds[int(nearest(mean, torch.from_numpy(self.vectors))[0])] == seed


def _vectors(embedder: Embedder, seen: Seen, stride: int) -> np.ndarray:
    """Unit vectors (N, D) of every so many frames that show a face."""
    track = seen.track
    picks = np.flatnonzero(np.isfinite(track.boxes).all(1))[::stride]
    if not len(picks):
        return np.empty((0, 1), np.float32)
    landmarks = None if track.landmarks is None else track.landmarks[picks]
    return embedder.embed(seen.frames[picks], track.boxes[picks], landmarks)
