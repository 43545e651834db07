"""The average of what is trained, which is what a stage leaves behind."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from emo_modules.models.emo import EMO

from .optimizers import Named

if TYPE_CHECKING:
    from diffusers.training_utils import EMAModel


def take_in(ema: "EMAModel", named: Named, device: torch.device) -> None:
    """The parameters as they are after an update; `device` is the average's."""
    # what needs no gradient is copied, not averaged, as a student's LoRA would be in the turns of another
    moved: list[Any] = [p.detach().to(device).requires_grad_() for _, p in named]
    ema.step(moved)


def averaged_parameters(named: Named, ema: "EMAModel | None") -> dict[str, Tensor]:
    """What is trained, averaged, or as it is where no average is kept."""
    values = [p.detach() for _, p in named] if ema is None else ema.shadow_params
    return {name: value for (name, _), value in zip(named, values, strict=True)}


def averaged_weights(model: EMO, named: Named, ema: "EMAModel | None") -> dict[str, Tensor]:
    """All weights by name, on the CPU: what is trained averaged, or as it is where no average is kept."""
    weights = {name: p.detach() for name, p in model.named_parameters()} | averaged_parameters(named, ema)
    return {name: value.contiguous().cpu() for name, value in weights.items()}


@contextmanager
def averaged(named: Named, ema: "EMAModel | None") -> Iterator[None]:
    """The model has its averaged weights in this block, if an average is kept."""
    parameters = [p for _, p in named]
    if ema is not None:
        ema.store(parameters)
        ema.copy_to(parameters)
    yield
    if ema is not None:
        ema.restore(parameters)
