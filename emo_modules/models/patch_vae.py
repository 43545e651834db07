"""The demo model's autoencoder: 8x, a linear projection of 8 x 8 patches, alone or with a small convolutional
correction, and a decoder that corrects what the projection has lost.

The linear path starts as the patches' principal components, so the picture is right within a blur from the
first step;
TAESD's architecture needed about ten times the arithmetic for the same picture on a CPU (docs/demo-model.md).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import Operations, zero_module
from .cpu import for_convolutions


class Residual(nn.Module):
    """Two convolutions around SiLU; starts as the identity."""

    def __init__(self, channels: int, operations: type[Operations] = Operations):
        super().__init__()
        self.conv1 = operations.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = operations.Conv2d(channels, channels, 3, padding=1)
        zero_module(self.conv2)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.silu(self.conv1(F.silu(x))))


def _encoder(latent_channels: int, low: int, middle: int, operations: type[Operations]) -> nn.Sequential:
    """Corrects the latents of the linear path; starts as nothing."""
    conv = operations.Conv2d
    return nn.Sequential(
        nn.PixelUnshuffle(4),
        conv(48, middle, 3, padding=1),
        Residual(middle, operations),
        conv(middle, low, 2, 2),
        Residual(low, operations),
        Residual(low, operations),
        nn.SiLU(),
        zero_module(conv(low, latent_channels, 3, padding=1)),
    )


class PatchVAE(nn.Module):
    """Images (N, 3, 8H, 8W) in -1..1 <-> latents (N, latent_channels, H, W) of about unit variance.

    `linear`: the components alone encode, which costs next to nothing, forwards and backwards; all art is in
    the decoder. `widths` and `depths`, in residual blocks, are the decoder's at an eighth, a quarter and half
    of the picture's size.
    """

    def __init__(
        self,
        latent_channels: int = 16,
        widths: tuple[int, int, int] = (128, 64, 32),
        depths: tuple[int, int, int] = (3, 2, 1),
        linear: bool = False,
        operations: type[Operations] = Operations,
    ):
        super().__init__()
        low, middle, high = widths
        conv = operations.Conv2d

        def blocks(level: int) -> list[nn.Module]:
            return [*(Residual(widths[level], operations) for _ in range(depths[level])), nn.SiLU()]

        def enlarge(a: int, b: int) -> list[nn.Module]:
            return [conv(a, b * 4, 1) if linear else conv(a, b * 4, 3, padding=1), nn.PixelShuffle(2)]

        self.patch_in = conv(3, latent_channels, 8, 8)
        self.encoder = None if linear else _encoder(latent_channels, low, middle, operations)
        self.patch_out = conv(latent_channels, 192, 1)
        self.decoder = nn.Sequential(
            conv(latent_channels, low, 3, padding=1),
            *blocks(0),
            *enlarge(low, middle),
            *blocks(1),
            *enlarge(middle, high),
            *blocks(2),
            conv(high, 12, 3, padding=1),
            nn.PixelShuffle(2),
        )
        zero_module(self.decoder[-2])

    def encode(self, images: Tensor) -> Tensor:
        latents = self.patch_in(images)
        return latents + self.encoder(images) if self.encoder else latents

    def decode(self, latents: Tensor) -> Tensor:
        latents = for_convolutions(latents)
        return self.sketch(latents) + self.decoder(latents)

    def sketch(self, latents: Tensor) -> Tensor:
        """The linear path alone: softer in fine detail, at a twentieth of the time."""
        return F.pixel_shuffle(self.patch_out(latents), 8)

    @torch.no_grad()
    def start_from_components(self, images: Tensor) -> None:
        """Set the linear path to the principal 8 x 8 patch components of images (N, 3, H, W) in -1..1.

        Each component is divided by the square root of its standard deviation: half way to whitening, so
        that fine detail is neither drowned by the diffusion noise nor as loud as the picture itself.
        """
        patches = F.pixel_unshuffle(images, 8).permute(0, 2, 3, 1).flatten(0, 2)
        mean = patches.mean(0)
        _, vectors = torch.linalg.eigh((patches - mean).T @ (patches - mean) / len(patches))
        basis = vectors.flip(1)[:, : self.patch_in.out_channels].T
        scale = ((patches - mean) @ basis.T).std(0).sqrt()
        scale = scale * scale.square().mean().sqrt()  # unit variance on average
        down, up = (basis / scale[:, None]).unflatten(1, (3, 8, 8)), (basis * scale[:, None]).T
        self.patch_in.load_state_dict({"weight": down, "bias": -(basis @ mean) / scale})
        self.patch_out.load_state_dict({"weight": up[:, :, None, None], "bias": mean})
