"""Weights without motion frames: one run of ComfyUI's sampler over all frames, window by window."""

from collections.abc import Callable
from typing import Any

import comfy.model_management
import comfy.model_patcher
import comfy.samplers
import torch
from torch import Tensor

from ...emo_modules.models.conditions import Conditions
from ...emo_modules.sampling.windows import Windows, window_frames
from .model import CONDITIONS, ClipConditions

HOOKS = "sampler_post_cfg_function"

OnWindow = Callable[[int, int, Tensor], None]  # windows done (1 ..), all of them, estimate (F', C, h, w)


class WindowGuider(comfy.samplers.CFGGuider):
    """CFGGuider that denoises overlapping windows one after the other and averages them at every call.

    The whole video's latents stay where the noise is, only a window is on the model's device.
    """

    conds: dict[str, list[dict[str, Any]]]  # CFGGuider's

    def __init__(
        self, model: comfy.model_patcher.ModelPatcher, windows: Windows, noise: Tensor, on_window: OnWindow
    ):
        super().__init__(model)
        self.windows, self.noise, self.on_window = windows, noise, on_window
        self.sigmas = torch.zeros(0)
        self.set_conds([[None, {}]], [[None, {}]])

    def run(self, sampler: comfy.samplers.Sampler, sigmas: Tensor, seed: int) -> Tensor:
        """Latents (F, C, h, w) on the VAE's scale."""
        self.sigmas = sigmas.cpu()
        # what ComfyUI makes room for, and moves to the model's device
        window = torch.zeros_like(self.noise[: self.windows.config.frames])
        return self.sample(window, window, sampler, sigmas, disable_pbar=True, seed=seed)

    def inner_sample(
        self,
        noise: Tensor,
        latent_image: Tensor,
        device: torch.device,
        sampler: comfy.samplers.Sampler,
        sigmas: Tensor,
        *rest: Any,
        **more: Any,
    ) -> Tensor:
        whole = self.noise.float()
        place = whole.device
        return super().inner_sample(
            whole, torch.zeros_like(whole), place, sampler, sigmas.to(place), *rest, **more
        )

    def predict_noise(
        self,
        x: Tensor,
        timestep: Tensor,
        model_options: dict[str, Any] | None = None,
        seed: int | None = None,
    ) -> Tensor:
        """x (F, C, h, w) and its sigma (F,) -> the estimate of the clean latents, same shape."""
        options = dict(model_options or {})
        hooks = options.pop(HOOKS, [])
        if not hooks:
            return self.averaged(x, timestep, options, seed)
        # samplers look through them at guidance's two halves, of the same frames as x
        halves = ("denoised", "cond_denoised", "uncond_denoised")
        seen: dict[str, Any] = {}

        def keep(arguments: dict[str, Any]) -> Tensor:
            seen.update(arguments)
            return torch.cat([arguments[name] for name in halves], dim=1)

        stacked = self.averaged(x.repeat(1, len(halves), 1, 1), timestep, options | {HOOKS: [keep]}, seed)
        whole: dict[str, Any] = dict(zip(halves, stacked.chunk(len(halves), dim=1), strict=True))
        whole |= {"sigma": timestep, "input": x, "model_options": model_options}
        for hook in hooks:
            whole["denoised"] = hook(seen | whole)
        return whole["denoised"]

    def averaged(self, x: Tensor, timestep: Tensor, options: dict[str, Any], seed: int | None) -> Tensor:
        """Of x (F, n*C, h, w) the model reads the first C channels; n estimates come back beside each
        other."""
        step, channels = self.step_of(timestep[0].item()), self.noise.shape[1]
        count, done = len(window_frames(len(x), self.windows.config, step)), 0

        def predict(part: Tensor, conditions: Conditions) -> Tensor:
            nonlocal done
            comfy.model_management.throw_exception_if_processing_interrupted()
            self.conds = {
                "positive": _carrying(self.conds["positive"], conditions),
                "negative": _carrying(self.conds["negative"], conditions.uncond()),
            }
            sigma = timestep[: len(part)].to(part.device)
            estimate = super(WindowGuider, self).predict_noise(part[:, :channels], sigma, options, seed)
            done += 1
            self.on_window(step * count + done, (len(self.sigmas) - 1) * count, estimate[:, :channels])
            return estimate

        return self.windows.average(x, step, predict)

    def step_of(self, sigma: float) -> int:
        """How many of the run's steps have begun; samplers of higher order also stop between two."""
        begun = int((self.sigmas[:-1] >= sigma * (1 - 1e-5)).sum())
        return max(0, begun - 1)


def _carrying(conds: list[dict[str, Any]], conditions: Conditions) -> list[dict[str, Any]]:
    carried = {CONDITIONS: ClipConditions(conditions)}
    return [cond | {"model_conds": cond["model_conds"] | carried} for cond in conds]
