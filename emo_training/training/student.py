"""The objective of a distillation: student, teacher and, for dmd2, what learned the student's clips are one
network under different LoRAs, so that all of it fits where the teacher's LoRA training does."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from emo_modules.config import EMOConfig
from emo_modules.models.emo import EMO
from emo_modules.sampling.noise import first_noise
from emo_modules.schedule import add_noise, alphas_cumprod, clean_estimate

from .distillation import AGAIN, SKIP, Distillation, consistency_loss, ddim_step, distribution_loss
from .lora import FAKE, STUDENT, use_lora
from .losses import LossConfig, Noised, denoising_loss, draw_timesteps, noised_at
from .own_motion import with_own_motion
from .progress import TrainProgress
from .sample_set import Batch
from .stages import DISTILLING

Forward = Callable[[Noised], Tensor]


@dataclass(frozen=True)
class Aimed(Noised):
    """What a consistency step is made of, and where it is to lead."""

    goal: Tensor  # (B, F, C, H, W) clean latents


@dataclass(frozen=True)
class Judged(Noised):
    """What the student's step is made of, and the noise in which the outcome is judged."""

    again: Tensor  # (B, F) timesteps
    noise: Tensor  # (B, F, C, H, W)


@dataclass(frozen=True)
class Distilling:
    """Whose turn it is follows from `progress`, so that a run goes on as it would have.

    The noise is that of the model's inference, which the student is for; not that of its training, which may
    be another (`relatives.learned_schedule`).
    """

    config: EMOConfig
    loss: LossConfig
    distillation: Distillation
    emo: EMO  # with its LoRAs, and not as `accelerate` wraps it
    progress: TrainProgress

    def forward(self, model: nn.Module, noised: Noised) -> Tensor:
        """Of whichever LoRA is in use."""
        prediction: Tensor = model(
            noised.noisy, noised.timesteps, **noised.batch.conditions(DISTILLING.clips, DISTILLING.speed)
        )
        return prediction.float()

    def prepare(self, forward: Forward, noised: Noised, generator: torch.Generator) -> Noised:
        use_lora(self.emo, STUDENT)
        if self.loss.own_motion and noised.batch.motion.shape[1]:
            schedule = self.config.schedule
            noised = with_own_motion(forward, noised, self.loss.own_motion, schedule, generator)
        if self.distillation.method == "lcm":
            return self.aimed(forward, noised.batch, generator)
        return self.made(forward, noised, generator)

    def losses(self, model: nn.Module, noised: Noised) -> dict[str, Tensor]:
        """Whichever LoRA learns stays in use, for layers that are computed again on the way back."""
        forward = partial(self.forward, model)
        if isinstance(noised, Aimed):
            use_lora(self.emo, STUDENT)
            return {"consistency": consistency_loss(self.clean(forward, noised), noised.goal)}
        if isinstance(noised, Judged):
            return {"distribution": self.judge(forward, noised)}
        use_lora(self.emo, FAKE)
        return {"fake": denoising_loss(forward(noised), noised, self.config.schedule, LossConfig())}

    def clean(self, forward: Forward, noised: Noised) -> Tensor:
        """The clean latents that the LoRA in use sees."""
        return clean_estimate(noised.noisy, forward(noised), noised.alpha_bar, self.config.schedule)

    @torch.no_grad()
    def guided(self, forward: Forward, noised: Noised) -> Tensor:
        """The clean latents that the teacher sees, guided as it is when it renders."""
        use_lora(self.emo, None)
        given = self.distillation.guidance
        scale = self.config.schedule.cfg if given is None else given
        prediction = forward(noised)
        if scale != 1:
            uncond = forward(replace(noised, batch=without_portrait_and_sound(noised.batch)))
            prediction = uncond + scale * (prediction - uncond)
        return clean_estimate(noised.noisy, prediction, noised.alpha_bar, self.config.schedule)

    @torch.no_grad()
    def aimed(self, forward: Forward, batch: Batch, generator: torch.Generator) -> Aimed:
        """Consistency (LCM alg. 1): what the student sees a step of the guided teacher further on, and at the
        end what that sees; the student's own weights, not averaged, set the goal, as in LCM-LoRA (arXiv
        2311.05556)."""
        size, frames = batch.latents.shape[:2]
        visits = replace(self.loss, inference_steps=self.distillation.steps)
        timesteps = draw_timesteps((size, 1), visits, generator).expand(size, frames)
        start = self.noised(batch, timesteps, generator)
        clean = self.guided(forward, start)
        further = start.timesteps - SKIP
        alpha_bar = self.alpha_bar(further.clamp(min=0))
        noisy = ddim_step(start.noisy, clean, start.alpha_bar, alpha_bar)
        use_lora(self.emo, STUDENT)
        seen = replace(start, noisy=noisy, timesteps=further.clamp(min=0), alpha_bar=alpha_bar)
        at_the_end = (further < 0)[..., None, None, None]
        return Aimed(**vars(start), goal=torch.where(at_the_end, clean, self.clean(forward, seen)))

    @torch.no_grad()
    def made(self, forward: Forward, noised: Noised, generator: torch.Generator) -> Noised:
        """In the student's turn a step as it comes up when it renders, after those before it (DMD2 sec. 4.5);
        in the others its outcome through noise, to learn."""
        students, last = self.distillation.turn(self.progress.step)
        seen = self.solved(forward, noised, last, generator)
        size, frames = seen.timesteps.shape
        again = torch.randint(*AGAIN, (size, 1), generator=generator, device=generator.device)
        again = again.expand(size, frames)
        if students:
            noise = self.randn(seen.noisy, generator)
            return Judged(**vars(seen), again=again.to(noise.device), noise=noise)
        batch = replace(seen.batch, latents=self.clean(forward, seen))
        return self.noised(batch, again, generator)

    def solved(self, forward: Forward, noised: Noised, last: int, generator: torch.Generator) -> Noised:
        """All noise, after `last` of the student's steps, as the solver lcm takes them."""
        noisy = first_noise(self.config, noised.noisy.shape, generator).to(noised.noisy)
        first, *others = self.distillation.few_steps.timesteps
        seen = self.at(noised, noisy, first)
        for timestep in others[:last]:
            clean = self.clean(forward, seen)
            later = self.at(noised, noisy, timestep)
            seen = replace(later, noisy=add_noise(clean, self.randn(clean, generator), later.alpha_bar))
        return seen

    def judge(self, forward: Forward, noised: Judged) -> Tensor:
        use_lora(self.emo, STUDENT)
        made = self.clean(forward, noised)
        alpha_bar = self.alpha_bar(noised.again)
        noisy = add_noise(made.detach(), noised.noise, alpha_bar)
        seen = replace(noised, noisy=noisy, timesteps=noised.again, alpha_bar=alpha_bar)
        real = self.guided(forward, seen)
        with torch.no_grad():
            use_lora(self.emo, FAKE)
            fake = self.clean(forward, seen)
        use_lora(self.emo, STUDENT)
        return distribution_loss(made, real, fake)

    def noised(self, batch: Batch, timesteps: Tensor, generator: torch.Generator) -> Noised:
        schedule = self.config.schedule
        return noised_at(timesteps, batch, schedule, alphas_cumprod(schedule), generator)

    def at(self, noised: Noised, noisy: Tensor, timestep: int) -> Noised:
        """The same clips with these latents; nothing reads the target."""
        timesteps = torch.full_like(noised.timesteps, timestep)
        return replace(noised, noisy=noisy, timesteps=timesteps, alpha_bar=self.alpha_bar(timesteps))

    def alpha_bar(self, timesteps: Tensor) -> Tensor:
        """(B, F) -> (B, F, 1, 1, 1)."""
        alphas = alphas_cumprod(self.config.schedule).float().to(timesteps.device)
        return alphas[timesteps][..., None, None, None]

    def randn(self, like: Tensor, generator: torch.Generator) -> Tensor:
        return torch.randn(like.shape, generator=generator, device=generator.device).to(like)


def without_portrait_and_sound(batch: Batch) -> Batch:
    """Guidance's other half."""
    none = torch.zeros_like(batch.reference_kept)
    return replace(batch, reference_kept=none, audio_kept=none)
