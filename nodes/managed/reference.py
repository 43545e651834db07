"""ReferenceNet under a patcher of its own, and what it knows of one portrait."""

from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import comfy.latent_formats
import comfy.model_management
import comfy.model_patcher
import comfy.ops
import torch
from torch import Tensor

from ...emo_modules.checkpoints.store import Checkpoint
from ...emo_modules.config import EMOConfig
from ...emo_modules.cost.memory import activation_bytes
from ...emo_modules.cues.face import resize
from ...emo_modules.media.finite import check_finite
from ...emo_modules.models.reads import Written
from ...emo_modules.models.reference import Past
from ...emo_modules.models.reference import ReferenceNet as Network
from ...emo_modules.models.relatives.identity import IdentityTokens
from ...emo_modules.writing.digest import digest
from .model import latent_format, managed_operations, patcher_class


@dataclass(frozen=True)
class ReferenceNet:
    """The EMO_REFERENCE_NET on a wire. ComfyUI finds the patcher of an object by this name."""

    patcher: comfy.model_patcher.ModelPatcher
    config: EMOConfig
    dtype: torch.dtype  # of the arithmetic
    latent_format: comfy.latent_formats.LatentFormat
    weights_digest: str  # of the files they come from
    loras: tuple[str, ...] = ()  # those that change it, by `AdapterUse.digest`

    @property
    def to(self) -> dict[str, Any]:
        """Where it computes, and in which type."""
        return {"device": self.patcher.load_device, "dtype": self.dtype}

    def load(self, frames: int, height: int, width: int) -> Network:
        """With room to read that many latents of that size."""
        room = activation_bytes(self.config, frames, height, width, self.dtype)
        comfy.model_management.load_models_gpu([self.patcher], memory_required=room)
        return self.patcher.model

    def read(self, portrait: Tensor, identity: Tensor | None) -> tuple[list[Written], IdentityTokens | None]:
        """Latent (1, C, h, w) on the model's scale and face embedding (1, D), on any device -> what each
        layer wrote, and the embedding's tokens where the weights have a projection for it."""
        # tiled: read twice, as guidance has two halves
        net = self.load(2 if self.config.quirks.identity else 1, *portrait.shape[-2:])
        portrait = portrait.to(**self.to)
        tokens = net.identity_tokens(None if identity is None else identity.to(**self.to), portrait)
        return net.portrait(portrait, tokens), tokens

    def past(self, motion: Tensor, tokens: IdentityTokens | None) -> Past:
        """Motion latents (1, M, C, h, w) on the model's scale, on any device -> what each layer wrote.

        Raises ValueError for another number of frames than the model's.
        """
        net = self.load(motion.shape[1], *motion.shape[-2:])
        return net.past(motion.to(**self.to), tokens)


class Reference(NamedTuple):
    """The EMO_REFERENCE on a wire: a tuple of plain tensors, so that ComfyUI's cache can weigh it."""

    net: ReferenceNet
    vae: Any
    portrait: Tensor  # (1, C, h, w) on the model's scale
    written: tuple[Written, ...]  # without the maps, which are read of motion frames only
    tokens: IdentityTokens | None  # of the face embedding
    points: Tensor | None = None  # (68, 2) of the largest face, px of the portrait, if the family reads them
    pixels: Tensor | None = None  # (1, 3, 8h, 8w) in -1..1, if the model moves them
    large: Tensor | None = None  # (1, 3, H, W) likewise, if the video is to be larger than the model draws

    def to(self, device: torch.device, dtype: torch.dtype | None = None) -> Self:
        """There, in that type or its own."""
        return self._replace(
            portrait=self.portrait.to(device, dtype),
            written=tuple(
                Written(None if tokens is None else tokens.to(device, dtype), None)
                for tokens, _ in self.written
            ),
            tokens=self.tokens and IdentityTokens(*(tensor.to(device, dtype) for tensor in self.tokens)),
            pixels=None if self.pixels is None else self.pixels.to(device, dtype),
        )


def load_reference_net(
    checkpoint: Checkpoint, weights: torch.dtype, arithmetic: torch.dtype | None
) -> ReferenceNet:
    """Raises ValueError when keys are missing, left over or of another shape."""
    offload_device = comfy.model_management.unet_offload_device()
    operations = comfy.ops.pick_operations(weights, arithmetic)
    with torch.device("meta"):
        net = Network(checkpoint.config, managed_operations(operations)).to(weights)
    # not in ComfyUI 0.3.64; for the Backbone, BaseModel does it
    getattr(comfy.model_management, "archive_model_dtypes", lambda module: None)(net)
    checkpoint.load_into({"reference_net": net}, offload_device, weights)
    patcher = patcher_class()(
        net.eval(), load_device=comfy.model_management.get_torch_device(), offload_device=offload_device
    )
    return ReferenceNet(
        patcher,
        checkpoint.config,
        arithmetic or weights,
        latent_format(checkpoint.config),
        digest(checkpoint.files_digest, weights),
    )


def at_models_size(planes: Tensor, config: EMOConfig) -> Tensor:
    """Pictures (1, 3, H, W) whose shorter side is the model's, or as they are where it is not longer."""
    height, width = planes.shape[-2:]
    scale, places = min(config.width, config.height) / min(width, height), 8 * config.backbone.patch
    if scale >= 1:
        return planes
    return resize(planes, *(round(side * scale / places) * places for side in (height, width)))


@torch.no_grad()
def encode_reference(
    net: ReferenceNet,
    vae: Any,
    image: Tensor,
    identity: Tensor | None = None,
    points: Tensor | None = None,
) -> Reference:
    """One portrait (1, H, W, 3) in 0..1, its sides multiples of the UNet's places, its face embedding (1, D)
    and landmarks (68, 2) if known. A model that moves portraits reads a larger one at its own size.

    Raises ValueError when the VAE's latents are not those the model reads, or what is read is not finite.
    """
    planes = image.movedim(-1, 1)
    small = at_models_size(planes, net.config) if net.config.moving else planes
    latent = vae.encode(small.movedim(1, -1))
    if latent.ndim != 4 or latent.shape[1] != net.config.latent_channels:
        raise ValueError(
            f"{net.config.name} reads latents (1, {net.config.latent_channels}, h, w), this VAE gives "
            f"{tuple(latent.shape)}: connect the VAE of EMO Load Model, or load the one it was trained with"
        )
    portrait = net.latent_format.process_in(latent)
    written, tokens = net.read(portrait, identity)
    for layer in written:
        if layer.tokens is not None:
            check_finite(layer.tokens, "what ReferenceNet reads in the portrait")
    pixels = small * 2 - 1 if net.config.moving else None
    large = planes * 2 - 1 if small.shape != planes.shape else None
    reference = Reference(net, vae, portrait, tuple(written), tokens, points, pixels, large)
    return reference.to(comfy.model_management.intermediate_device())
