"""Denoise one clip with a diffusers scheduler, with classifier-free guidance, progress and cancelling."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from ..models.conditions import Conditions
from ..models.deep_cache import OFF, DeepCache, check_deep_cache
from ..models.denoiser import Denoiser
from ..schedule import alphas_cumprod, build_scheduler, clean_estimate
from .windows import Windows

STATELESS = ("ddim-diffusers",)  # each step follows from the one before alone


@dataclass(frozen=True)
class Step:
    """What a progress callback sees after each denoising step of a clip."""

    index: int  # 1 .. total
    total: int
    # (F, C, H, W): the clean latents as they look now; of a whole video perhaps the first clip's
    estimate: Tensor


class Cancelled(RuntimeError):
    """Raise it from a progress callback to stop within one step; nothing catches it but the caller."""


def check_steps(steps: int, guided: tuple[float, float]) -> None:
    """Raises ValueError for less than one step, and for what is no part of them."""
    if steps < 1:
        raise ValueError(f"denoising needs at least 1 step, got {steps}")
    first, last = guided
    if not 0 <= first <= last <= 1:
        raise ValueError(f"guided steps are a share from 0 to 1 and a larger one, got {first} and {last}")


@dataclass(frozen=True)
class Solver:
    """`solve(noise, conditions, clip)`: from noise (F, C, H, W) to clean latents of one clip, number 0 .., or
    of a whole video in windows, whose noise may be overwritten."""

    model: Denoiser
    name: str = "ddim"
    steps: int = 40
    cfg: float = 3.5
    on_step: Callable[[Step], None] | None = None
    # of the noise between steps, which only "lcm" draws; another for each clip, whether or not the ones
    # before it were computed in this run
    seed: int = 0
    # guidance only from this share of the steps to that one (limited interval, arXiv 2404.07724); the other
    # steps take half the time
    guided_steps: tuple[float, float] = (0.0, 1.0)
    deep_cache: int = OFF  # of so many steps one computes the deep layers

    def __post_init__(self) -> None:
        check_steps(self.steps, self.guided_steps)
        check_deep_cache(self.deep_cache, self.model.config)

    def guided(self, cfg: float, timestep: Tensor, x: Tensor, conditions: Conditions) -> Tensor:
        """The prediction, moved away from that without portrait and sound; one pass when cfg is 1. `timestep`
        () is where the model is."""
        if cfg == 1:
            return self.model.predict(x, timestep.expand(len(x)), conditions)
        if conditions.few:
            both = self.model.predict(torch.cat([x, x]), timestep.expand(2 * len(x)), conditions.both)
            cond, uncond = both.chunk(2)
        else:
            each = timestep.expand(len(x))
            cond = self.model.predict(x, each, conditions)
            uncond = self.model.predict(x, each, conditions.uncond())
        return uncond + cfg * (cond - uncond)

    @torch.no_grad()
    def __call__(self, noise: Tensor, conditions: Conditions | Windows, clip: int = 0) -> Tensor:
        schedule = self.model.config.schedule
        scheduler = build_scheduler(self.name, schedule)
        # In main memory: what the scheduler reads of its tables at every step would wait for a GPU. The model
        # has timesteps of its own.
        scheduler.set_timesteps(self.steps)
        alphas = alphas_cumprod(schedule).float()
        place = conditions.device if isinstance(conditions, Windows) else noise.device
        timesteps = scheduler.timesteps.to(place)
        generator = torch.Generator().manual_seed((self.seed + clip) % 2**64)
        draws = {"generator": generator} if self.name == "lcm" else {}
        # a method without memory needs no room for a whole video's step
        size = self.model.config.clip_frames if self.name in STATELESS else len(noise)
        parts = [slice(start, start + size) for start in range(0, len(noise), size)]
        first, last = (round(share * self.steps) for share in self.guided_steps)
        cache = DeepCache(self.deep_cache)
        if self.deep_cache > OFF and isinstance(conditions, Conditions):
            conditions = conditions.keeping_deep(cache)
        x = noise.float()  # half precision would add grain
        if scheduler.init_noise_sigma != 1:
            x = x * scheduler.init_noise_sigma
        for i, t in enumerate(scheduler.timesteps):
            cache.begin_step()
            model_input = scheduler.scale_model_input(x, t)
            guided = partial(self.guided, self.cfg if first <= i < last else 1.0, timesteps[i])
            if isinstance(conditions, Windows):
                prediction = conditions.average(model_input.to(noise.dtype), i, guided).float()
            else:
                prediction = guided(model_input.to(noise.dtype), conditions).float()
            if self.on_step is not None:
                shown = parts[0]
                estimate = clean_estimate(model_input[shown], prediction[shown], alphas[t.long()], schedule)
            if len(parts) == 1:
                x = scheduler.step(prediction, t, x, **draws, return_dict=False)[0]
            else:
                for part in parts:
                    x[part] = scheduler.step(prediction[part], t, x[part], return_dict=False)[0]
            del model_input, prediction  # of a whole video they are large
            if self.on_step is not None:
                self.on_step(Step(i + 1, self.steps, estimate))
        return x.to(noise.dtype)
