"""Where training clips come from, and the one order in which every number of processes reads them."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import torch

from emo_modules.config import EMOConfig

from .clip_set import Batch, ClipSet, Sampling, sample_batch

Drawn = tuple[Batch, torch.Generator]


class Source(Protocol):
    """`stream` yields the numbered microbatches in the order asked for, each with the generator that its
    noise is drawn from. What a microbatch holds follows from its number alone, so that a run goes on exactly
    where it stopped, and P processes read what one process with P times the accumulation reads."""

    def stream(self, microbatches: Sequence[int]) -> Iterator[Drawn]: ...


def microbatch_generator(seed: int, microbatch: int, use: int = 0) -> torch.Generator:
    """All randomness of a microbatch follows from its number; `use` tells independent draws apart."""
    return torch.Generator().manual_seed((seed * 1_000_003 + microbatch) * 1009 + use)


class ClipSource:
    """Encoded clips in memory."""

    def __init__(self, clips: ClipSet, config: EMOConfig, sampling: Sampling, seed: int) -> None:
        self.clips, self.config, self.sampling, self.seed = clips, config, sampling, seed

    def stream(self, microbatches: Sequence[int]) -> Iterator[Drawn]:
        for number in microbatches:
            generator = microbatch_generator(self.seed, number)
            yield sample_batch(self.clips, self.config, self.sampling, generator), generator
