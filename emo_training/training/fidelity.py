"""How near a student comes to what its teacher renders of people who are not trained on."""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from emo_modules.models.emo import EMO

from .distillation import Distillation
from .lora import STUDENT, use_lora
from .sample_set import Batch
from .sheets import generate_batch
from .stages import Stage


class Fidelity:
    """What `Trainer` calls at every save. The teacher renders once, guided and in all of its steps, and once
    in the student's few without guidance, which is what there was before the distillation."""

    def __init__(self, batches: Sequence[Batch], stage: Stage, distillation: Distillation) -> None:
        self.batches, self.stage, self.distillation = batches, stage, distillation
        self.teacher: list[Tensor] = []
        self.undistilled = 0.0

    @torch.no_grad()
    def __call__(self, model: EMO) -> dict[str, float]:
        """`distance` is the mean squared error of latents over the variance of the teacher's, from the same
        noise; `distance_before` that without the LoRA. What a student of dmd2 makes is another performance of
        the same sound, so that its distance stays above nothing however good it is."""
        model.eval()
        few = self.distillation.few_steps
        quick = partial(self.render, model, few.steps, few.solver, few.cfg)
        if not self.teacher:
            use_lora(model, None)
            own, given = model.config.schedule, self.distillation.guidance
            self.teacher = self.render(model, own.steps, own.solver, own.cfg if given is None else given)
            self.undistilled = distance(quick(), self.teacher)
        use_lora(model, STUDENT)
        return {"distance": distance(quick(), self.teacher), "distance_before": self.undistilled}

    def render(self, model: EMO, steps: int, solver: str, cfg: float) -> list[Tensor]:
        device = next(model.parameters()).device
        return [
            generate_batch(model, batch.to(device), steps, self.stage, solver, cfg) for batch in self.batches
        ]


def distance(made: Sequence[Tensor], wanted: Sequence[Tensor]) -> float:
    """Mean squared error over the variance of what is wanted."""
    true = torch.cat(list(wanted))
    return float((torch.cat(list(made)) - true).square().mean() / true.var())
