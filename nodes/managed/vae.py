"""A checkpoint's VAE as one that core's VAE nodes take."""

from dataclasses import replace

import comfy.model_management
import comfy.model_patcher
import comfy.sd
from comfy.taesd.taesd import TAESD
from torch import nn

from ...emo_modules.checkpoints.store import Checkpoint
from ...emo_modules.checkpoints.vae import build_vae
from ...emo_modules.config import EMOConfig


def load_vae(checkpoint: Checkpoint) -> comfy.sd.VAE | None:
    """None when the checkpoint has no VAE. Core's own class for Stable Diffusion's, which it knows."""
    if not checkpoint.has("vae"):
        return None
    with checkpoint.on_meta():
        # ComfyUI scales latents when it samples; the library's VAEs do it themselves
        module = build_vae(replace(checkpoint.config, latent_scale=1.0))
    if checkpoint.config.vae == EMOConfig.sd15().vae:
        checkpoint.check({"vae": module})
        prefix = "vae."
        return comfy.sd.VAE(
            sd={k.removeprefix(prefix): v for k, v in checkpoint.tensors.items() if k.startswith(prefix)}
        )
    vae = _around(module, checkpoint.config.latent_channels)
    checkpoint.load_into({"vae": module}, comfy.model_management.vae_offload_device(), vae.vae_dtype)
    return vae


def _around(module: nn.Module, latent_channels: int) -> comfy.sd.VAE:
    """core's VAE with the network replaced: TAESD's is also 8x, of any number of channels and tiny."""
    vae = comfy.sd.VAE(sd=TAESD(latent_channels=latent_channels).state_dict())
    vae.first_stage_model = module.eval()
    vae.patcher = comfy.model_patcher.ModelPatcher(
        module, load_device=vae.device, offload_device=comfy.model_management.vae_offload_device()
    )
    return vae
