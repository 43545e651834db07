"""EMO's loop over clips with ComfyUI's guider, samplers and schedulers as the solver."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import comfy.model_management
import comfy.model_patcher
import comfy.samplers
import torch
from torch import Tensor
from torch.nn import functional

from ...emo_modules.config import EMOConfig
from ...emo_modules.models.emo import Conditions, VideoConditions, checked_motion
from ...emo_modules.sampling.chunks import Performance, noise_for, render_chunks
from ...emo_modules.schedule import TRAIN_STEPS
from .model import CONDITIONS, EMOModel, activation_bytes
from .reference import Reference

AS_TRAINED = "as trained"
SCHEDULERS = [AS_TRAINED, *comfy.samplers.KSampler.SCHEDULERS]
SEEDS = 2**64

OnStep = Callable[[int, int, int, Tensor], None]  # chunk, step (1 ..), steps, estimate (F, C, h, w)


@dataclass(frozen=True)
class Sampling:
    """How to denoise. `steps` and `cfg` of 0 stand for the model's own."""

    seed: int
    steps: int
    cfg: float
    sampler_name: str
    scheduler: str
    audio_scale: float


def emo_config(model: comfy.model_patcher.ModelPatcher) -> EMOConfig:
    """Raises ValueError when the MODEL is not EMO's."""
    found = getattr(model, "model", model)
    if not isinstance(found, EMOModel):
        raise ValueError(
            f"the model is {type(found).__name__}, an EMO model is needed: connect EMO Load Model"
        )
    return model.model.diffusion_model.config


def matching_config(model: comfy.model_patcher.ModelPatcher, reference: Reference) -> EMOConfig:
    """Raises ValueError when the MODEL is not EMO's, or not the one whose ReferenceNet saw the portrait."""
    config = emo_config(model)
    if reference.net.config != config:
        raise ValueError(
            f"the reference was encoded by {reference.net.config.name}, the model is {config.name} or of "
            "another configuration: use one EMO Load Model for both"
        )
    return config


def sigmas_for(model: comfy.model_patcher.ModelPatcher, sampling: Sampling) -> Tensor:
    """(steps+1,) noise levels, the last one 0."""
    steps = sampling.steps or emo_config(model).schedule.steps
    if sampling.scheduler != AS_TRAINED:
        device = model.load_device
        return comfy.samplers.KSampler(
            model, steps, device, sampling.sampler_name, sampling.scheduler, 1.0, model_options={}
        ).sigmas
    # the training timesteps that end equal parts of the range: the last one, all noise, comes first
    timesteps = torch.arange(TRAIN_STEPS, 0, -TRAIN_STEPS / steps).round().long()[:steps] - 1
    table = model.get_model_object("model_sampling").sigmas
    return torch.cat([table[timesteps.clamp(min=0)].cpu(), torch.zeros(1)])


class ManagedEMO:
    """What the loop asks of a model, with Backbone and ReferenceNet where ComfyUI puts them."""

    def __init__(
        self, model: comfy.model_patcher.ModelPatcher, reference: Reference, audio_scale: float = 1.0
    ):
        self.config = matching_config(model, reference)
        self.model, self.reference, self.audio_scale = model.clone(), reference, audio_scale
        # both stay loaded over all clips, if there is room
        self.model.set_additional_models("emo_reference_net", [reference.net.patcher])
        self.to = {"device": model.load_device, "dtype": model.model.get_dtype_inference()}

    def load(self) -> None:
        _, _, height, width = self.reference.portrait.shape
        comfy.model_management.load_models_gpu(
            [self.model, self.reference.net.patcher],
            memory_required=activation_bytes(
                self.config, self.config.clip_frames, height, width, self.to["dtype"]
            ),
        )

    def video_conditions(self, mask: Tensor | None) -> VideoConditions:
        """mask (1, 1, 8h, 8w) in 0..1, or None."""
        self.load()
        return self.model.model.diffusion_model.read_portrait(
            self.reference.portrait.to(**self.to),
            self.reference.written(**self.to),
            None if mask is None else mask.to(**self.to),
        )

    def clip_conditions(
        self,
        video: VideoConditions,
        frames: int,
        audio: Tensor | None,
        motion: Tensor | None,
        speeds: Tensor | None,
    ) -> Conditions:
        """As `EMO.clip_conditions`; motion as the guider left it, on the VAE's scale."""
        comfy.model_management.throw_exception_if_processing_interrupted()
        written = None
        if motion is not None:
            latents = checked_motion(motion, self.config)
            written = self.reference.net.write(self.model.model.process_latent_in(latents))
        self.load()  # after ReferenceNet, whose loading may have moved the Backbone out where memory is short
        conditions = self.model.model.diffusion_model.read_clip(
            video, frames, _to(audio, self.to), written, _to(speeds, self.to)
        )
        return conditions.scaled_audio(self.audio_scale)


def _to(tensor: Tensor | None, where: dict) -> Tensor | None:
    return None if tensor is None else tensor.to(**where)


class GuiderSolver:
    """`solve(noise, conditions)` for the loop: one clip through ComfyUI's guider."""

    def __init__(self, model: comfy.model_patcher.ModelPatcher, sampling: Sampling, on_step: OnStep):
        self.guider = comfy.samplers.CFGGuider(model)
        self.guider.set_cfg(sampling.cfg or emo_config(model).schedule.cfg)
        self.sampler = comfy.samplers.sampler_object(sampling.sampler_name)
        self.sigmas = sigmas_for(model, sampling)
        self.seed, self.on_step, self.chunk = sampling.seed, on_step, 0

    def __call__(self, noise: Tensor, conditions: Conditions) -> Tensor:
        """noise (F, C, h, w) of unit variance -> latents, same shape, on the VAE's scale."""

        def on_step(step: int, estimate: Tensor, _: Tensor, total: int) -> None:
            self.on_step(self.chunk, step + 1, total, estimate)

        self.guider.set_conds(
            [[None, {CONDITIONS: conditions}]], [[None, {CONDITIONS: conditions.unconditional()}]]
        )
        latents = self.guider.sample(
            noise,
            torch.zeros_like(noise),
            self.sampler,
            self.sigmas,
            callback=on_step,
            disable_pbar=True,
            # samplers that draw noise as they go get another one for each clip, and not the first once more
            seed=(self.seed + 1 + self.chunk) % SEEDS,
        )
        self.chunk += 1
        return latents


def render(
    model: comfy.model_patcher.ModelPatcher,
    reference: Reference,
    performance: Performance,
    mask: Tensor | None,
    sampling: Sampling,
    on_step: OnStep,
) -> Iterator[Tensor]:
    """Latents (F', C, h, w) on the VAE's scale, clip after clip, computed as they are asked for.

    mask (B, H, W) in 0..1 of any size; several are united (EMO sec. 3.2). Raises OutOfMemoryError that says
    what to lower when not even one clip fits.
    """
    emo = ManagedEMO(model, reference, sampling.audio_scale)
    size = tuple(reference.portrait.shape[-2:])
    video = emo.video_conditions(None if mask is None else region(mask, size))
    noise = noise_for(
        emo.config, len(performance.audio), size, sampling.seed, torch.device("cpu"), torch.float32
    )
    try:
        yield from render_chunks(emo, video, performance, GuiderSolver(emo.model, sampling, on_step), noise)
    except torch.OutOfMemoryError as error:
        raise torch.OutOfMemoryError(
            f"not enough memory for {emo.config.clip_frames} frames of {8 * size[1]} x {8 * size[0]} pixels: "
            "use a smaller crop in EMO Face Region, fp16 or bf16 in EMO Load Model, or ComfyUI's --lowvram"
        ) from error


def region(mask: Tensor, size: tuple[int, int]) -> Tensor:
    """Masks (B, H, W) -> their union (1, 1, 8h, 8w) for latents of size (h, w)."""
    union = mask.float().amax(dim=0)[None, None]
    return functional.interpolate(union, size=(8 * size[0], 8 * size[1]), mode="bilinear").clamp(0, 1)
