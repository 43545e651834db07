"""What a model of few steps learns from one of many: the sums behind both methods, and what is chosen.

Consistency (LCM, arXiv 2310.04378): from any noise a step reaches what it would reach from a little less of
it, a step of the teacher's further on. Distribution matching (DMD2, arXiv 2405.14867, without its
discriminator): what is made moves to where the teacher finds it more likely than a network does that has
learned what is made.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Tensor

from emo_modules.checked import Checked, Range
from emo_modules.schedule import FewSteps

SKIP = 20  # timesteps between the two sides of consistency, as in LCM's own training
HUBER = 1e-3  # below such an error it is squared (LCM's own training)
AGAIN = (20, 980)  # timesteps at which distributions are compared (DMD2 sec. 3)


@dataclass(frozen=True)
class Distillation(Checked):
    """How a model of few steps without guidance is made of the one that a training starts from."""

    method: Annotated[
        Literal["lcm", "dmd2"], "lcm: consistency (default); dmd2: distribution matching, one more LoRA"
    ] = "lcm"
    steps: Annotated[int, Range(1, 8), "that the student takes for a clip; default: 4"] = 4
    guidance: Annotated[float | None, "that is folded in; default: the teacher's own"] = None
    fake_updates: Annotated[
        int,
        Range(1, 100),
        "dmd2: of the network that learns what is made, for each of the student; default: 5",
    ] = 5

    def impossible(self) -> Iterator[str]:
        if self.method == "lcm" and self.fake_updates != type(self).fake_updates:
            yield f"fake_updates are of dmd2, got {self.fake_updates} with lcm: leave them out"

    @property
    def few_steps(self) -> FewSteps:
        return FewSteps.of(self.method, self.steps)

    def turn(self, update: int) -> tuple[bool, int]:
        """dmd2: whether an update is the student's, and how many of its steps come before the one that it is
        of. Student and network both go through all of them."""
        turns, place = divmod(update, self.fake_updates + 1)
        students = place == self.fake_updates
        return students, (turns if students else update - turns) % self.steps


def ddim_step(noisy: Tensor, clean: Tensor, alpha_bar: Tensor, later: Tensor) -> Tensor:
    """From the share of signal `alpha_bar` to the share `later`, along what the teacher says is clean (DDIM,
    arXiv 2010.02502, eq. 12)."""
    noise = (noisy - alpha_bar.sqrt() * clean) / (1 - alpha_bar).sqrt()
    return later.sqrt() * clean + (1 - later).sqrt() * noise


def consistency_loss(found: Tensor, goal: Tensor) -> Tensor:
    """Pseudo-Huber distance, which a few large errors do not rule."""
    return (((found - goal).square() + HUBER**2).sqrt() - HUBER).mean()


def distribution_loss(made: Tensor, real: Tensor, fake: Tensor) -> Tensor:
    """Its gradient by what was `made` (B, F, C, H, W) is the difference between what the network that learned
    what is made sees in it through noise, and what the teacher sees there, by how far the teacher is from it
    (arXiv 2311.18828, eq. 8)."""
    scale = (made.detach() - real).abs().mean(dim=(1, 2, 3, 4), keepdim=True).clamp(min=1e-6)
    goal = made.detach() - (fake - real) / scale
    return 0.5 * torch.nn.functional.mse_loss(made, goal)
