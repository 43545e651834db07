"""EchoMimic's four models (audio, acc, pose, pose_acc), run with their own code.

All four are the same two networks with a face locator in front. acc and pose_acc are distilled to a few
steps without guidance; the pose pair takes a picture of landmarks per frame where the others take one face
mask. Source: infer_audio2vid{,_acc,_pose,_pose_acc}.py of antgroup/echomimic.

The released files, float32, and what they hold:
  denoising_unet*.pth  the denoiser without its motion modules, attn2 of width 384 for the audio. The scripts
                       load it with strict=False. 3.40 GB, which is what the network has without them.
  motion_module*.pth   keys with "motion_modules", loaded by from_pretrained_2d, which takes what matches. The
                       pos_encoder.pe tables are among them: the code would do without, but the published
                       size is 1.82 GB, which is what the file has with them (1.81 GB without).
  reference_unet*.pth  the whole 2D network, loaded strictly: no attn2, no norm2, no output layers.
  face_locator*.pth    the whole locator, loaded strictly.
"""

import json
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from diffusers import DDIMScheduler
from diffusers.models import embeddings
from omegaconf import OmegaConf
from torch import Tensor, nn

from benchmarks.originals.common import (
    SD15_UNET,
    Job,
    Loaded,
    Scene,
    base_inputs,
    fill_trivial,
    fix_noise,
    load_vae,
    main,
    read_state,
    smooth_picture,
    use_checkout,
)

AUDIO_TOKENS = 50
AUDIO_WIDTH = 384
NOISE_LIMIT = 1.5
WINDOW = {"context_frames": 12, "context_overlap": 3}

# Ending of the pipeline's module and of the prompt configuration that names the files.
ENDINGS = {"audio": "", "acc": "_acc", "pose": "_pose", "pose_acc": "_pose_acc"}
FILES = ("denoising_unet", "motion_module", "reference_unet", "face_locator")

# The code was written for diffusers 0.24, which called these two so; no model of the SD1.5 shape has them.
RENAMED = {
    "PositionNet": "GLIGENTextBoundingboxProjection",
    "CaptionProjection": "PixArtAlphaTextProjection",
}


class AudioChunks:
    """Stands in for Whisper: gives the same features (F, 50, 384) for whatever file."""

    def __init__(self, chunks: Tensor):
        self.chunks = chunks

    def audio2feat(self, path: str) -> None:
        """Nothing: feature2chunks does not need it."""

    def feature2chunks(self, feature_array: None, fps: int) -> np.ndarray:
        """The features (F, 50, 384)."""
        return self.chunks.float().cpu().numpy()


def write_weights(original: Path, variant: str, folder: Path, seed: int) -> None:
    """Writes the four files of a variant (float32, about 8.5 GB) with random weights."""
    _use(original)
    torch.manual_seed(seed)
    paths = _paths(original, variant, folder)
    torch.save(fill_trivial(_reference(), seed).state_dict(), paths["reference_unet"])
    locator = _keep_strength(fill_trivial(_locator(variant), seed))
    torch.save(locator.state_dict(), paths["face_locator"])
    with TemporaryDirectory() as base:
        denoiser = _denoiser(original, variant, Path(base), Path(base) / "no motion module")
    state = fill_trivial(denoiser, seed).state_dict()
    motion = {key: value for key, value in state.items() if "motion_modules" in key}
    torch.save(motion, paths["motion_module"])
    torch.save({key: value for key, value in state.items() if key not in motion}, paths["denoising_unet"])


def make_inputs(variant: str, scene: Scene, image: bool) -> dict[str, Tensor]:
    """Random inputs of a scene: besides the common ones audio (F, 50, 384) and region 0..1, a mask (1, H, W)
    or for the pose models a picture per frame (F, 3, H, W).

    The audio models' pipelines clamp their first noise, so theirs comes clamped.
    """
    inputs, draw = base_inputs(scene, image)
    frames, size = scene["frames"], (scene["height"], scene["width"])
    inputs["audio"] = torch.randn(frames, AUDIO_TOKENS, AUDIO_WIDTH, generator=draw)
    if _has_pose(variant):
        inputs["region"] = smooth_picture(draw, frames, 3, *size)
    else:
        inputs["region"] = smooth_picture(draw, 1, *size)
        inputs["noise"] = inputs["noise"].clamp(-NOISE_LIMIT, NOISE_LIMIT)
    return inputs


def load(job: Job) -> Loaded:
    """The original's pipeline with the weights of the four files in job.weights."""
    _use(job.original)
    paths = _paths(job.original, job.variant, job.weights)
    reference, locator = _reference().eval(), _locator(job.variant)
    with TemporaryDirectory() as base:
        # Left in training mode, as the scripts leave it: nothing in it depends on that.
        denoiser = _denoiser(job.original, job.variant, Path(base), paths["motion_module"])
    keys = len(read_state(paths["motion_module"]))
    keys += _fill(reference, paths["reference_unet"], strict=True)
    keys += _fill(denoiser, paths["denoising_unet"], strict=False)
    keys += _fill(locator, paths["face_locator"], strict=True)
    for network in (reference, denoiser, locator):
        network.to(job.device, job.dtype)
    pipeline = _pipeline(job, reference, denoiser, locator)
    return Loaded(
        scheduler=pipeline.scheduler,
        denoiser=denoiser,
        vae=pipeline.vae,
        networks=[reference, denoiser, locator, pipeline.vae],
        clip=lambda: _clip(job, pipeline),
        keys=keys,
    )


def _fill(net: nn.Module, path: Path, strict: bool) -> int:
    """Loads a file into a network; returns the number of tensors in the file."""
    state = read_state(path)
    net.load_state_dict(state, strict=strict)
    return len(state)


def _use(original: Path) -> None:
    use_checkout(original)
    for old, new in RENAMED.items():
        setattr(embeddings, old, getattr(embeddings, new))


def _has_pose(variant: str) -> bool:
    return variant.startswith("pose")


def _prompt_config(original: Path, variant: str) -> OmegaConf:
    return OmegaConf.load(original / f"configs/prompts/animation{ENDINGS[variant]}.yaml")


def _inference_config(original: Path, variant: str) -> OmegaConf:
    return OmegaConf.load(original / _prompt_config(original, variant).inference_config)


def _paths(original: Path, variant: str, folder: Path) -> dict[str, Path]:
    config = _prompt_config(original, variant)
    return {name: folder / Path(config[f"{name}_path"]).name for name in FILES}


def _reference() -> nn.Module:
    return import_module("src.models.unet_2d_condition").UNet2DConditionModel.from_config(SD15_UNET)


def _locator(variant: str) -> nn.Module:
    return import_module("src.models.face_locator").FaceLocator(
        320, conditioning_channels=3 if _has_pose(variant) else 1, block_out_channels=(16, 32, 96, 256)
    )


def _keep_strength(locator: nn.Module) -> nn.Module:
    """Three times each matrix: eight default layers with a SiLU between them let next to nothing of the mask
    through, 1e-4 of the latents' size after three steps."""
    with torch.no_grad():
        for weight in locator.parameters():
            if weight.ndim > 1:
                weight.mul_(3)
    return locator


def _denoiser(original: Path, variant: str, base: Path, motion: Path) -> nn.Module:
    """The denoiser with the motion modules of a file, if there is one, over a base without weights.

    `base` is an empty folder to put that base in. The configuration is that of SD1.5 for the scripts'
    sd-image-variations: no width that is kept differs.
    """
    (base / "config.json").write_text(json.dumps(SD15_UNET))
    torch.save({}, base / "diffusion_pytorch_model.bin")
    extra = OmegaConf.to_container(_inference_config(original, variant).unet_additional_kwargs)
    model = import_module("src.models.unet_3d_echo").EchoUNet3DConditionModel
    return model.from_pretrained_2d(base, motion, unet_additional_kwargs=extra)


def _pipeline(job: Job, reference: nn.Module, denoiser: nn.Module, locator: nn.Module) -> Any:
    control = import_module("src.models.mutual_self_attention").ReferenceAttentionControl
    # Defaults, in the functions' order: the features' type is float16, which would round them in a float32
    # comparison, and the guidance mask's device is cuda.
    control.update.__defaults__ = (False, job.dtype)
    control.register_reference_hooks.__defaults__ = (job.dtype, 1, 1, torch.device(job.device), "midup")
    module = import_module(f"src.pipelines.pipeline_echo_mimic{ENDINGS[job.variant]}")
    kind = module.AudioPose2VideoPipeline if _has_pose(job.variant) else module.Audio2VideoPipeline
    settings = _inference_config(job.original, job.variant).noise_scheduler_kwargs
    pipeline = kind(
        vae=load_vae(job, job.inputs["portrait"]),
        reference_unet=reference,
        denoising_unet=denoiser,
        audio_guider=AudioChunks(job.inputs["audio"]),
        face_locator=locator,
        scheduler=DDIMScheduler(**OmegaConf.to_container(settings)),
    )
    fix_noise(pipeline, job.inputs["noise"])
    return pipeline


def _clip(job: Job, pipeline: Any) -> Tensor:
    inputs, scene = job.inputs, job.scene
    region = inputs["region"]
    # A picture in 0..1, which the pipeline's image processor maps to -1..1 as it does the scripts' PIL one.
    # A stub VAE does not look at it.
    blank = torch.zeros(3, scene["height"], scene["width"])
    return pipeline(
        inputs.get("image", blank)[None] / 2 + 0.5,
        "",
        (region.transpose(0, 1) if _has_pose(job.variant) else region[None])[None],
        scene["width"],
        scene["height"],
        scene["frames"],
        scene["steps"],
        scene["cfg"],
        **{name: scene.get(name, default) for name, default in WINDOW.items()},
    ).videos


if __name__ == "__main__":
    main(tuple(ENDINGS), write_weights, make_inputs, load)
