"""What a training step minimises."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from emo_modules.config import EMOConfig

from .losses import LossConfig, Noised, denoising_loss
from .own_motion import with_own_motion
from .relatives import learned_schedule
from .stages import Stage


class Objective(Protocol):
    """What is minimised. `model` is the model as `accelerate` wraps it."""

    def prepare(self, forward: Callable[[Noised], Any], noised: Noised, generator: torch.Generator) -> Noised:
        """What is denoised instead; `forward` is `Objective.forward` of the model, which may be a graph, and
        `generator` the microbatch's."""

    def forward(self, model: nn.Module, noised: Noised) -> Any: ...

    def losses(self, model: nn.Module, noised: Noised) -> dict[str, Tensor]:
        """The parts, which are added up."""


@dataclass(frozen=True)
class Denoising:
    """The paper's objective, and the extras of `LossConfig`."""

    config: EMOConfig
    stage: Stage
    loss: LossConfig

    def prepare(self, forward: Callable[[Noised], Any], noised: Noised, generator: torch.Generator) -> Noised:
        if not (self.loss.own_motion and self.stage.clips):
            return noised
        schedule = learned_schedule(self.config)
        return with_own_motion(forward, noised, self.loss.own_motion, schedule, generator)

    def forward(self, model: nn.Module, noised: Noised) -> Tensor:
        given = noised.batch.conditions(self.stage.clips, self.stage.speed)
        prediction: Tensor = model(noised.noisy, noised.timesteps, **given)
        return prediction

    def losses(self, model: nn.Module, noised: Noised) -> dict[str, Tensor]:
        prediction = self.forward(model, noised)
        return {"denoise": denoising_loss(prediction, noised, self.config.schedule, self.loss)}
