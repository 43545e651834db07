"""What a training amounts to, told before it starts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from ..footage.shards import SampleEntry
from ..perception.rates import FPS
from .sample_set import SampleSet
from .train_config import TrainConfig


@dataclass(frozen=True)
class Footage:
    """What there is to train on; of encoded samples nobody knows whose they are."""

    samples: int
    frames: int
    people: int | None = None

    @classmethod
    def of_entries(cls, entries: Sequence[SampleEntry]) -> Self:
        people = {entry.identity for entry in entries}
        return cls(len(entries), sum(entry.frames for entry in entries), len(people))

    @classmethod
    def of_samples(cls, samples: SampleSet) -> Self:
        return cls(len(samples), samples.latents.shape[0] * samples.latents.shape[1])

    def __str__(self) -> str:
        people = "" if self.people is None else f" of {counted(self.people, 'person', 'people')}"
        return f"{counted(self.samples, 'sample')}, {hours(self.frames)}{people}"


def describe_run(config: TrainConfig, footage: Footage, trained: int, parameters: int, batch: int) -> str:
    """One line: the footage, what of it the steps see, and how many parameters they train.

    batch: clips of one update, of all processes.
    """
    drawn = config.steps * batch
    frames = drawn * config.sampling.frames
    seen = counted(frames, "picture") if config.sampling.still else hours(frames)
    return (
        f"{config.stage}: {footage}; {trained / 1e6:.1f} of {parameters / 1e6:.1f} million parameters train; "
        f"{counted(config.steps, 'update')} of {batch} see {seen}, {short(drawn / footage.samples)} epochs"
    )


def hours(frames: int) -> str:
    return f"{short(frames / FPS / 3600)} hours"


def short(number: float) -> str:
    return f"{number:.3g}" if number < 1000 else f"{number:.0f}"


def counted(number: int, one: str, many: str | None = None) -> str:
    """3, "clip" -> "3 clips"."""
    return f"{number} {one if number == 1 else many or one + 's'}"
