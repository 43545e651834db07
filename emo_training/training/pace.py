"""How much a step of training learns, and how long the others take."""

import math
from dataclasses import dataclass

from .progress import TrainProgress
from .train_config import TrainConfig


@dataclass(frozen=True)
class Pace:
    """By the steps of a stage and, where it has one, by its clock."""

    config: TrainConfig
    progress: TrainProgress

    def rate(self, step: int) -> float:
        """The learning rate's share: it rises in `warmup` steps, then falls as a cosine to nothing."""
        warmup, steps = self.config.warmup, self.config.steps
        if step < warmup:
            return step / max(1, warmup)
        return 0.5 * (1 + math.cos(math.pi * max(self.passed, (step - warmup) / max(1, steps - warmup))))

    @property
    def passed(self) -> float:
        """The share of the stage's clock, 0..1."""
        clock = self.config.clock
        return 0.0 if clock is None else min(1.0, self.progress.seconds / (60 * clock))

    def seconds_left(self, seconds: float) -> float:
        """Until the last step, of so many seconds each, or the end of the clock, whichever comes first."""
        steps = (self.config.steps - self.progress.step) * seconds
        clock = self.config.clock
        return steps if clock is None else min(steps, max(0.0, 60 * clock - self.progress.seconds))
