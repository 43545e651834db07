"""EMO's loop over clips with ComfyUI's guider, samplers and schedulers as the solver."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import comfy.model_management
import comfy.model_patcher
import comfy.samplers
import torch
from torch import Tensor

from ...emo_modules.config import EMOConfig, ScheduleConfig
from ...emo_modules.cost.memory import activation_bytes, deep_cache_bytes
from ...emo_modules.cost.stopwatch import Stopwatch
from ...emo_modules.cues.locator import Cues
from ...emo_modules.models.conditions import Conditions, VideoConditions
from ...emo_modules.models.deep_cache import OFF, DeepCache
from ...emo_modules.models.emo import Conditioner
from ...emo_modules.models.reference import Past
from ...emo_modules.models.relatives.identity import IdentityTokens
from ...emo_modules.sampling.clips import Driving, noise_for, render_clips
from ...emo_modules.sampling.enlarge import Enlarger
from ...emo_modules.sampling.windows import Windows
from ...emo_modules.schedule import TRAIN_STEPS
from .deep_cache import CachingGuider, interval_of
from .kept import kept_clips
from .lora import check_same_loras, own_schedule
from .model import CONDITIONS, EMOModel
from .reference import Reference
from .values import describe
from .windows import WindowGuider

AS_TRAINED = "as trained"
DEFAULT_SAMPLER = "euler"
RENOISING = "lcm"  # called so in both worlds
SCHEDULERS = [AS_TRAINED, *comfy.samplers.KSampler.SCHEDULERS]
SEEDS = 2**64

# clip (0 ..), done (1 ..) of all its steps or windows, estimate (F, C, h, w) of the clean latents
OnStep = Callable[[int, int, int, Tensor], None]


@dataclass(frozen=True)
class Denoising:
    """How to denoise. `steps` and `cfg` of 0 stand for the model's own."""

    seed: int
    steps: int
    cfg: float
    sampler_name: str
    scheduler: str
    audio_scale: float


def as_made(model: comfy.model_patcher.ModelPatcher, denoising: Denoising) -> Denoising:
    """With the weights' own steps and cfg in place of 0. With the steps of a distillation comes its sampler,
    unless another than the node's default was chosen."""
    return made_for(own_schedule(model), denoising)


def made_for(own: ScheduleConfig, denoising: Denoising) -> Denoising:
    name = denoising.sampler_name
    if not denoising.steps and own.solver == RENOISING and name == DEFAULT_SAMPLER:
        name = RENOISING
    return replace(
        denoising, steps=denoising.steps or own.steps, cfg=denoising.cfg or own.cfg, sampler_name=name
    )


def emo_config(model: comfy.model_patcher.ModelPatcher) -> EMOConfig:
    """Raises ValueError when the MODEL is not EMO's."""
    found = getattr(model, "model", None)
    if not isinstance(found, EMOModel):
        came = type(found).__name__ if isinstance(found, torch.nn.Module) else describe(model)
        raise ValueError(f"the model is {came}, an EMO model is needed: connect EMO Load Model")
    return model.model.diffusion_model.config


def matching_config(model: comfy.model_patcher.ModelPatcher, reference: Reference) -> EMOConfig:
    """Raises ValueError when the MODEL is not EMO's, or not the one whose ReferenceNet saw the portrait, with
    the same LoRAs."""
    config = emo_config(model)
    if reference.net.config != config:
        raise ValueError(
            f"the reference was encoded by {reference.net.config.name}, the model is {config.name} or of "
            "another configuration: use one EMO Load Model for both"
        )
    check_same_loras(model, reference.net)
    return config


def sigmas_for(model: comfy.model_patcher.ModelPatcher, denoising: Denoising) -> Tensor:
    """(steps+1,) noise levels, the last one 0."""
    steps = denoising.steps or own_schedule(model).steps
    if denoising.scheduler != AS_TRAINED:
        device = model.load_device
        return comfy.samplers.KSampler(
            model, steps, device, denoising.sampler_name, denoising.scheduler, 1.0, model_options={}
        ).sigmas
    # the training timesteps that end equal parts of the range: the last one, all noise, comes first
    timesteps = torch.arange(TRAIN_STEPS, 0, -TRAIN_STEPS / steps).round().long()[:steps] - 1
    table = model.get_model_object("model_sampling").sigmas
    return torch.cat([table[timesteps.clamp(min=0)].cpu(), torch.zeros(1)])


class ManagedConditioner(Conditioner):
    """Backbone and ReferenceNet are where ComfyUI puts them."""

    def __init__(
        self, model: comfy.model_patcher.ModelPatcher, reference: Reference, audio_scale: float = 1.0
    ):
        config = matching_config(model, reference)
        self.model, self.reference = model.clone(), reference
        self.patchers = [self.model]
        if config.motion_frames:  # both stay loaded over all clips, if there is room
            self.patchers.append(reference.net.patcher)
            self.model.set_additional_models("emo_reference_net", [reference.net.patcher])
        self.to = {"device": model.load_device, "dtype": model.model.get_dtype_inference()}
        super().__init__(self.model.model.diffusion_model, lambda: reference.net.patcher.model, audio_scale)

    def load(self) -> None:
        _, _, height, width = self.reference.portrait.shape
        size = self.config, self.config.clip_frames, height, width, self.to["dtype"]
        kept = deep_cache_bytes(*size) if interval_of(self.model) > OFF else 0
        comfy.model_management.load_models_gpu(self.patchers, memory_required=activation_bytes(*size) + kept)

    def video_of(self, cues: Cues) -> VideoConditions:
        """Of the portrait that was read before, in another node."""
        self.load()
        reference, cues = self.reference.to(**self.to), cues.to(**self.to)
        return self.denoiser.read_portrait(
            reference.portrait,
            list(reference.written),
            cues.picture,
            reference.tokens,
            cues.regions,
            reference.pixels,
        )

    def past(self, motion: Tensor, tokens: IdentityTokens | None) -> Past:
        comfy.model_management.throw_exception_if_processing_interrupted()
        past = self.reference.net.past(motion, tokens)
        self.load()  # after ReferenceNet, whose loading may have moved the Backbone out of short memory
        return past

    def keep(self, motion: Tensor) -> Tensor:
        """The last latents (M, C, h, w) of a clip, on the VAE's scale -> as the next one reads them, on the
        model's."""
        if self.config.quirks.motion_pixels:
            vae = self.reference.vae
            motion = vae.encode(vae.decode(motion))
        return self.model.model.process_latent_in(motion)

    def enlarge(self, latents: Tensor, conditions: Conditions) -> Tensor:
        """A clip's latents on the VAE's scale, as large as the portrait was given."""
        reference = self.reference
        if reference.large is None:
            return latents
        self.load()

        def encode(planes: Tensor) -> Tensor:
            pictures = ((planes + 1) / 2).movedim(1, -1)
            return self.model.model.process_latent_in(reference.vae.encode(pictures)).to(**self.to)

        def decode(small: Tensor) -> Tensor:
            pictures = reference.vae.decode(self.model.model.process_latent_out(small))
            return pictures.movedim(-1, 1).to(**self.to) * 2 - 1

        enlarger = Enlarger(self.denoiser, encode, decode, reference.large.to(**self.to))
        large = enlarger(self.model.model.process_latent_in(latents).to(**self.to), conditions)
        return self.model.model.process_latent_out(large).to(latents)


class GuiderSolver:
    """`solve(noise, conditions, clip)` for the loop: one clip, or all windows of a video, through ComfyUI's
    guider."""

    def __init__(self, model: comfy.model_patcher.ModelPatcher, denoising: Denoising, on_step: OnStep):
        self.model, self.cfg = model, denoising.cfg or own_schedule(model).cfg
        self.sampler = comfy.samplers.sampler_object(denoising.sampler_name)
        self.sigmas = sigmas_for(model, denoising)
        self.deep_cache = interval_of(model)
        self.seed, self.on_step = denoising.seed, on_step

    def __call__(self, noise: Tensor, conditions: Conditions | Windows, clip: int = 0) -> Tensor:
        """noise (F, C, h, w) of unit variance -> latents, same shape, on the VAE's scale."""
        # samplers that draw noise as they go get another one for each clip, and not the first once more
        seed = (self.seed + 1 + clip) % SEEDS
        if isinstance(conditions, Windows):
            return self.windows(noise, conditions, seed)
        return self.clip(noise, conditions, clip, seed)

    def clip(self, noise: Tensor, conditions: Conditions, clip: int, seed: int) -> Tensor:
        def on_step(step: int, estimate: Tensor, _: Tensor, total: int) -> None:
            self.on_step(clip, step + 1, total, estimate)

        guider = comfy.samplers.CFGGuider(self.model)
        if self.deep_cache > OFF:
            cache = DeepCache(self.deep_cache)
            guider, conditions = CachingGuider(self.model, cache), conditions.keeping_deep(cache)
        guider.set_cfg(self.cfg)
        guider.set_conds([[None, {CONDITIONS: conditions}]], [[None, {CONDITIONS: conditions.uncond()}]])
        start = torch.zeros_like(noise)
        return guider.sample(
            noise, start, self.sampler, self.sigmas, callback=on_step, disable_pbar=True, seed=seed
        )

    def windows(self, noise: Tensor, windows: Windows, seed: int) -> Tensor:
        guider = WindowGuider(self.model, windows, noise, partial(self.on_step, 0))
        guider.set_cfg(self.cfg)
        return guider.run(self.sampler, self.sigmas, seed)


def render(
    model: comfy.model_patcher.ModelPatcher,
    reference: Reference,
    driving: Driving,
    frames: int,
    cues: Cues,
    denoising: Denoising,
    on_step: OnStep,
    before: Tensor | None = None,
    watch: Stopwatch | None = None,
) -> Iterator[Tensor]:
    """Latents (F', C, h, w) on the VAE's scale, clip after clip, computed as they are asked for. `before` are
    the last ones of a video that this one goes on from; `watch` is told where the time goes.

    Raises OutOfMemoryError that says what to lower when not even one clip fits.
    """
    conditioner = ManagedConditioner(model, reference, denoising.audio_scale)
    config, (height, width) = conditioner.config, reference.portrait.shape[-2:]
    video = conditioner.video_of(cues)
    noise = noise_for(config, frames, (height, width), denoising.seed, torch.device("cpu"), torch.float32)
    try:
        solve = GuiderSolver(conditioner.model, denoising, on_step)
        yield from render_clips(
            conditioner,
            video,
            driving,
            frames,
            watch.solving(solve) if watch else solve,
            noise,
            conditioner.keep,
            conditioner.enlarge,
            kept_clips(model, reference, cues, denoising, solve.sigmas),
            before,
        )
    except torch.OutOfMemoryError as error:
        raise torch.OutOfMemoryError(
            f"not enough memory for {config.clip_frames} frames of {8 * width} x {8 * height} pixels: "
            "use a smaller crop in EMO Face Region, fp16 or bf16 in EMO Load Model, or ComfyUI's --lowvram"
        ) from error
