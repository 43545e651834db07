"""The demo model's autoencoder: 8x, a linear projection of 8 x 8 patches plus a small convolutional
correction.

The linear path starts as the patches' principal components, so the picture is right within a blur from the
first step;
TAESD's architecture needed about ten times the arithmetic for the same picture on a CPU (docs/demo-model.md).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import Operations, zero_module


class Residual(nn.Module):
    """Two convolutions around SiLU; starts as the identity."""

    def __init__(self, channels: int, operations: type[Operations] = Operations):
        super().__init__()
        self.conv1 = operations.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = operations.Conv2d(channels, channels, 3, padding=1)
        zero_module(self.conv2)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.silu(self.conv1(F.silu(x))))


class PatchVAE(nn.Module):
    """Images (N, 3, 8H, 8W) in -1..1 <-> latents (N, latent_channels, H, W) of about unit variance."""

    def __init__(
        self,
        latent_channels: int = 16,
        widths: tuple[int, int, int] = (128, 64, 32),
        operations: type[Operations] = Operations,
    ):
        super().__init__()
        low, middle, high = widths

        def conv(a: int, b: int, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
            return operations.Conv2d(a, b, kernel, stride, padding=kernel // 2 if kernel % 2 else 0)

        self.patch_in = conv(3, latent_channels, 8, 8)
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(4),
            conv(48, middle),
            Residual(middle, operations),
            conv(middle, low, 2, 2),
            Residual(low, operations),
            Residual(low, operations),
            nn.SiLU(),
            conv(low, latent_channels),
        )
        self.patch_out = conv(latent_channels, 192, 1)
        self.decoder = nn.Sequential(
            conv(latent_channels, low),
            *(Residual(low, operations) for _ in range(3)),
            nn.SiLU(),
            conv(low, middle * 4),
            nn.PixelShuffle(2),
            *(Residual(middle, operations) for _ in range(2)),
            nn.SiLU(),
            conv(middle, high * 4),
            nn.PixelShuffle(2),
            Residual(high, operations),
            nn.SiLU(),
            conv(high, 12),
            nn.PixelShuffle(2),
        )
        for last in (self.encoder[-1], self.decoder[-2]):
            zero_module(last)

    def encode(self, images: Tensor) -> Tensor:
        return self.patch_in(images) + self.encoder(images)

    def decode(self, latents: Tensor) -> Tensor:
        return F.pixel_shuffle(self.patch_out(latents), 8) + self.decoder(latents)

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
