"""Where training samples come from, and the one order in which every number of processes reads them."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import torch

from emo_modules.config import EMOConfig

from .sample_set import Batch, Draw, SampleSet, draw_batch, draw_picks
from .summary import Footage

Drawn = tuple[Batch, torch.Generator]


class BatchSource(Protocol):
    """`stream` yields the numbered microbatches in the order asked for, each with the generator that its
    noise is drawn from. What a microbatch holds follows from its number alone, so that a run goes on exactly
    where it stopped, and P processes read what one process with P times the accumulation reads."""

    def stream(self, microbatches: Sequence[int]) -> Iterator[Drawn]: ...

    def names(self, microbatch: int) -> list[str]:
        """The samples that its clips are of, as people can find them."""


def microbatch_generator(
    seed: int, microbatch: int, use: int = 0, device: torch.device | str = "cpu"
) -> torch.Generator:
    """All randomness of a microbatch follows from its number; `use` tells independent draws apart."""
    return torch.Generator(device).manual_seed((seed * 1_000_003 + microbatch) * 1009 + use)


class MemorySource:
    """Encoded samples in memory."""

    def __init__(self, samples: SampleSet, config: EMOConfig, draw: Draw, seed: int) -> None:
        self.samples, self.config, self.draw, self.seed = samples, config, draw, seed

    def stream(self, microbatches: Sequence[int]) -> Iterator[Drawn]:
        for number in microbatches:
            generator = microbatch_generator(self.seed, number)
            yield draw_batch(self.samples, self.config, self.draw, generator), generator

    @property
    def footage(self) -> Footage:
        return Footage.of_samples(self.samples)

    def names(self, microbatch: int) -> list[str]:
        picks = draw_picks(len(self.samples), self.draw, microbatch_generator(self.seed, microbatch))
        return [f"number {pick}" for pick in picks.tolist()]
