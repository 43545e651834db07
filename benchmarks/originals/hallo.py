"""Hallo, Hallo2 and JoyHallo, run with their own code.

Hallo and Hallo2 are one network in two packages of the same name; JoyHallo has one audio attention per
block where they have three. All load one file net.pth. Sources: scripts/inference.py of
fudan-generative-vision/hallo and jdh-algo/JoyHallo, scripts/inference_long.py of hallo2.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from diffusers import DDIMScheduler
from omegaconf import OmegaConf
from torch import Tensor, nn

from benchmarks.originals.common import (
    SD15_UNET,
    SD15_UNET_3D,
    Job,
    Loaded,
    Scene,
    base_inputs,
    fill_trivial,
    fix_noise,
    he_convolutions,
    latent_size,
    load_vae,
    main,
    read_state,
    smooth_picture,
    use_checkout,
)

FILE = "net.pth"
MOTION_FRAMES = 2
LEVELS = 4

# Package and inference configuration of each code base.
LAYOUTS = {
    "hallo": ("hallo", "configs/inference/default.yaml"),
    "hallo2": ("hallo", "configs/inference/long.yaml"),
    "joyhallo": ("joyhallo", "configs/inference/inference.yaml"),
}


def write_weights(original: Path, variant: str, folder: Path, seed: int) -> None:
    """Writes folder/net.pth (float32, about 9.7 GB for Hallo): random weights in the released layout."""
    use_checkout(original, "xformers", "xformers.ops")
    torch.manual_seed(seed)
    net = _build(original, variant)
    he_convolutions(net.face_locator)
    fill_trivial(net, seed)
    torch.save(net.state_dict(), folder / FILE)


def make_inputs(variant: str, scene: Scene, image: bool) -> dict[str, Tensor]:
    """Random inputs of a scene: besides the common ones

    motion (2, 4, h, w) latents, windows (F, 5, 12, 768), identity (512,), region (3, H, W) 0..1 and for
    each level i of 0..3 full_i, face_i, lip_i (tokens,) 0..1 with tokens = h * w / 4**i.
    """
    inputs, draw = base_inputs(scene, image)
    height, width = latent_size(scene)
    inputs["motion"] = torch.randn(MOTION_FRAMES, 4, height, width, generator=draw)
    inputs["windows"] = torch.randn(scene["frames"], 5, 12, 768, generator=draw)
    inputs["identity"] = torch.randn(512, generator=draw)
    inputs["region"] = smooth_picture(draw, 3, scene["height"], scene["width"])
    for level in range(LEVELS):
        for part in ("full", "face", "lip"):
            tokens = (height >> level) * (width >> level)
            inputs[f"{part}_{level}"] = torch.rand(tokens, generator=draw)
    return inputs


def load(job: Job) -> Loaded:
    """The original's pipeline with the weights of job.weights / net.pth."""
    use_checkout(job.original, "xformers", "xformers.ops")
    net = _build(job.original, job.variant)
    net.requires_grad_(False)
    # The motion frames are only used where the blocks are in training mode with gradient checkpointing on.
    # The scripts leave the denoiser so: from_config does not call eval(), from_pretrained does.
    net.reference_unet.eval()
    net.reference_unet.enable_gradient_checkpointing()
    net.denoising_unet.enable_gradient_checkpointing()
    state = read_state(job.weights / FILE)
    net.load_state_dict(state)
    net.to(job.device, job.dtype)
    pipeline = _pipeline(job, net)
    return Loaded(
        scheduler=pipeline.scheduler,
        denoiser=pipeline.denoising_unet,
        vae=pipeline.vae,
        networks=[net, pipeline.vae],
        clip=lambda: _clip(job, net, pipeline),
        keys=len(state),
    )


def _build(original: Path, variant: str) -> Any:
    """A module that has the original's networks as attributes."""
    package, config_file = LAYOUTS[variant]
    extra = OmegaConf.to_container(OmegaConf.load(original / config_file).unet_additional_kwargs)

    def model(module: str, name: str) -> Any:
        return getattr(import_module(f"{package}.models.{module}"), name)

    net: Any = nn.Module()
    net.reference_unet = model("unet_2d_condition", "UNet2DConditionModel").from_config(SD15_UNET)
    net.denoising_unet = model("unet_3d", "UNet3DConditionModel").from_config(SD15_UNET_3D, **extra)
    net.face_locator = model("face_locator", "FaceLocator")(conditioning_embedding_channels=320)
    net.imageproj = model("image_proj", "ImageProjModel")(
        cross_attention_dim=768, clip_embeddings_dim=512, clip_extra_context_tokens=4
    )
    net.audioproj = model("audio_proj", "AudioProjModel")(
        seq_len=5, blocks=12, channels=768, intermediate_dim=512, output_dim=768, context_tokens=32
    )
    return net


def _scheduler(job: Job) -> DDIMScheduler:
    config = OmegaConf.load(job.original / LAYOUTS[job.variant][1])
    kwargs = OmegaConf.to_container(config.noise_scheduler_kwargs)
    # The three scripts force these three when enable_zero_snr is set, as it is in all three files.
    kwargs.update(rescale_betas_zero_snr=True, timestep_spacing="trailing", prediction_type="v_prediction")
    return DDIMScheduler(**kwargs)


def _pipeline(job: Job, net: Any) -> Any:
    package = LAYOUTS[job.variant][0]
    control = import_module(f"{package}.models.mutual_self_attention").ReferenceAttentionControl
    # Its default is float16, which would round the ReferenceNet's features in a float32 comparison.
    control.update.__defaults__ = (job.dtype,)
    pipeline = import_module(f"{package}.animate.face_animate").FaceAnimatePipeline(
        vae=load_vae(job, torch.cat([job.inputs["portrait"], job.inputs["motion"]])),
        reference_unet=net.reference_unet,
        denoising_unet=net.denoising_unet,
        face_locator=net.face_locator,
        image_proj=net.imageproj,
        scheduler=_scheduler(job),
    )
    fix_noise(pipeline, job.inputs["noise"])
    return pipeline


def _clip(job: Job, net: Any, pipeline: Any) -> Tensor:
    inputs, scene = job.inputs, job.scene
    with torch.no_grad():
        audio = net.audioproj(inputs["windows"][None])
    return pipeline(
        ref_image=_pictures(job),
        face_emb=inputs["identity"][None],
        audio_tensor=audio,
        face_mask=inputs["region"][None],
        pixel_values_full_mask=_masks(job, "full"),
        pixel_values_face_mask=_masks(job, "face"),
        pixel_values_lip_mask=_masks(job, "lip"),
        width=scene["width"],
        height=scene["height"],
        video_length=scene["frames"],
        num_inference_steps=scene["steps"],
        guidance_scale=scene["cfg"],
        # JoyHallo's script passes none, which its blocks take as the same plain sum.
        motion_scale=[1.0, 1.0, 1.0],
    ).videos


def _pictures(job: Job) -> Tensor:
    """Portrait and motion frames (1, 3, 3, H, W): the first clip repeats the portrait. Only their number
    matters to a stub VAE."""
    blank = torch.zeros(3, job.scene["height"], job.scene["width"])
    return job.inputs.get("image", blank).repeat(1, 1 + MOTION_FRAMES, 1, 1, 1)


def _masks(job: Job, part: str) -> list[Tensor]:
    return [job.inputs[f"{part}_{level}"].repeat(job.scene["frames"], 1) for level in range(LEVELS)]


if __name__ == "__main__":
    main(tuple(LAYOUTS), write_weights, make_inputs, load)
