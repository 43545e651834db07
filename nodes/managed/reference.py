"""ReferenceNet under a patcher of its own, and what it knows of one portrait."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import comfy.latent_formats
import comfy.model_management
import comfy.model_patcher
import comfy.ops
import torch
from torch import Tensor

from ...emo_modules.checkpoints.store import Checkpoint
from ...emo_modules.config import EMOConfig
from ...emo_modules.models.spatial import Layer
from ...emo_modules.models.unet import UNet
from .model import activation_bytes, attend, latent_format, patcher_class, present


@dataclass(frozen=True)
class ReferenceNet:
    """The EMO_REFERENCE_NET on a wire. ComfyUI finds the patcher of an object by this name."""

    patcher: comfy.model_patcher.ModelPatcher
    config: EMOConfig
    dtype: torch.dtype  # of the arithmetic
    latent_format: comfy.latent_formats.LatentFormat

    def write(self, latents: Tensor) -> list[Layer]:
        """Clean latents (N, C, h, w) on the model's scale, on any device -> what each layer wrote."""
        frames, _, height, width = latents.shape
        comfy.model_management.load_models_gpu(
            [self.patcher],
            memory_required=activation_bytes(self.config, frames, height, width, self.dtype),
        )
        return self.patcher.model.write(latents.to(self.patcher.load_device, self.dtype))


class Reference(NamedTuple):
    """The EMO_REFERENCE on a wire: a tuple of plain tensors, so that ComfyUI's cache can weigh it."""

    net: ReferenceNet
    vae: Any
    portrait: Tensor  # (1, C, h, w) on the model's scale
    features: tuple[Tensor | None, ...]  # (1, L, D) of every layer that writes any
    shapes: tuple[torch.Size, ...]  # (1, C, h, w) of every layer's map

    def written(self, device: torch.device, dtype: torch.dtype) -> list[Layer]:
        """As ReferenceNet left it, but without the maps: of the portrait only their shapes are read."""
        return [
            Layer(
                reference=None if feature is None else feature.to(device, dtype),
                motion=torch.empty(shape, device="meta"),
            )
            for feature, shape in zip(self.features, self.shapes, strict=True)
        ]


def load_reference_net(
    checkpoint: Checkpoint, weights: torch.dtype, arithmetic: torch.dtype | None
) -> ReferenceNet:
    """Raises ValueError when keys are missing, left over or of another shape."""
    offload_device = comfy.model_management.unet_offload_device()
    operations = comfy.ops.pick_operations(weights, arithmetic)
    with torch.device("meta"):
        net = UNet(checkpoint.config.reference_net, present(operations), attend).to(weights)
    # not in ComfyUI 0.3.64; for the Backbone, BaseModel does it
    getattr(comfy.model_management, "archive_model_dtypes", lambda module: None)(net)
    checkpoint.load_into({"reference_net": net}, offload_device, weights)
    patcher = patcher_class()(
        net.eval(), load_device=comfy.model_management.get_torch_device(), offload_device=offload_device
    )
    return ReferenceNet(patcher, checkpoint.config, arithmetic or weights, latent_format(checkpoint.config))


@torch.no_grad()
def encode_reference(net: ReferenceNet, vae: Any, image: Tensor) -> Reference:
    """One portrait (1, H, W, 3) in 0..1, its sides multiples of 8.

    Raises ValueError when the VAE's latents are not those the model reads.
    """
    latent = vae.encode(image)
    if latent.ndim != 4 or latent.shape[1] != net.config.latent_channels:
        raise ValueError(
            f"{net.config.name} reads latents (1, {net.config.latent_channels}, h, w), this VAE gives "
            f"{tuple(latent.shape)}: connect the VAE of EMO Load Model, or load the one it was trained with"
        )
    portrait = net.latent_format.process_in(latent)
    device = comfy.model_management.intermediate_device()
    written = net.write(portrait)
    return Reference(
        net,
        vae,
        portrait.to(device),
        tuple(None if layer.reference is None else layer.reference.to(device) for layer in written),
        tuple(layer.motion.shape for layer in written),
    )
