"""The autoencoders a checkpoint can name, behind one interface."""

from typing import Any

from torch import Tensor, nn

from ..config import EMOConfig
from ..models.patch_vae import PatchVAE

DIFFUSERS = ("AutoencoderKL", "AutoencoderTiny")


class DiffusersVAE(nn.Module):
    """diffusers' AutoencoderKL or AutoencoderTiny: images (N, 3, 8H, 8W) in -1..1 <-> latents (N, C, H, W).

    Latents are multiplied by `scale`. Parameters keep diffusers' names, so its VAE files load one to one.
    """

    def __init__(self, model: nn.Module, scale: float):
        super().__init__()
        for name, child in model.named_children():
            self.add_module(name, child)
        self.scale = scale

    def encode(self, images: Tensor) -> Tensor:
        """The distribution's mean: encoding a picture twice gives the same latents."""
        latents = self.encoder(images)
        if hasattr(self, "quant_conv"):
            latents = self.quant_conv(latents).chunk(2, dim=1)[0]
        return latents * self.scale

    def decode(self, latents: Tensor) -> Tensor:
        latents = latents / self.scale
        return self.decoder(self.post_quant_conv(latents) if hasattr(self, "post_quant_conv") else latents)


def build_vae(config: EMOConfig) -> nn.Module:
    """The VAE that `config.vae` names, with random weights and `encode` and `decode` as in `DiffusersVAE`.

    Raises ValueError for a class other than PatchVAE, AutoencoderKL and AutoencoderTiny.
    """
    settings: dict[str, Any] = dict(config.vae)
    name = settings.pop("_class_name", None)
    if name == "PatchVAE":
        if config.latent_scale != 1:
            raise ValueError(f"PatchVAE scales its own latents: latent_scale is 1, not {config.latent_scale}")
        return PatchVAE(**settings)
    if name not in DIFFUSERS:
        raise ValueError(f"a VAE is a PatchVAE, {' or '.join(DIFFUSERS)}, {config.name} names {name!r}")
    import diffusers

    return DiffusersVAE(getattr(diffusers, name)(**settings), config.latent_scale)
