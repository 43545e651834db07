"""The demo's autoencoder: how it is trained."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from emo_modules.media.image import to_signed
from emo_modules.models.patch_vae import PatchVAE
from emo_modules.models.precision import fast_autocast

from ..filming.samples import Sample
from ..networks.fit import Log, WallClock, fit, write_weights

SAMPLES = 560  # that the VAE sees


def reconstruction_loss(output: Tensor, target: Tensor) -> Tensor:
    """Squared and absolute error, and the absolute error of the picture's gradients (sharp edges)."""
    gradients = sum((output.diff(dim=d) - target.diff(dim=d)).abs().mean() for d in (-1, -2))
    return F.mse_loss(output, target) * 4 + (output - target).abs().mean() * 0.2 + gradients * 0.2


def random_crops(frames: Tensor, batch: int, size: int, generator: torch.Generator) -> Tensor:
    """uint8 frames (N, H, W, 3) -> crops (batch, 3, size, size) in -1..1."""
    picks = torch.randint(len(frames), (batch,), generator=generator)
    limit = frames.shape[1] - size + 1
    corners = torch.randint(limit, (batch, 2), generator=generator).tolist()
    crops = [frames[i, y : y + size, x : x + size] for i, (y, x) in zip(picks, corners, strict=True)]
    return to_signed(torch.stack(crops)).contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def psnr(vae: PatchVAE, frames: Tensor) -> float:
    """Mean reconstruction PSNR in dB over uint8 frames (N, H, W, 3)."""
    images = to_signed(frames).contiguous(memory_format=torch.channels_last)
    outputs = torch.cat([vae.decode(vae.encode(x)).clamp(-1, 1) for x in images.split(8)])
    errors = ((outputs - images) / 2).square().flatten(1).mean(1)
    return float((-10 * errors.log10()).mean())


@dataclass(frozen=True)
class VAETraining:
    """`noise` lies on the latents that are decoded, as it will on those of the diffusion model."""

    minutes: float
    lr: float = 2e-3
    batch: int = 32
    crop: int = 64
    noise: float = 0.03


def train_vae(
    vae: PatchVAE, frames: Tensor, held_out: Tensor, file: Path, training: VAETraining, log: Log = print
) -> None:
    """Trains on uint8 frames (N, H, W, 3), logs the PSNR of `held_out`, and writes `file` at the end."""
    generator = torch.Generator().manual_seed(0)

    def loss() -> dict[str, Tensor]:
        images = random_crops(frames, training.batch, training.crop, generator)
        with fast_autocast("cpu"):
            latents = vae.encode(images)
            latents = latents + training.noise * torch.randn(latents.shape, generator=generator)
            output = vae.decode(latents)
        return {"loss": reconstruction_loss(output.float(), images)}

    pace = WallClock(training.minutes, training.lr, warmup=50, fused=True)
    fit(vae, loss, pace, "vae", log, lambda: f"psnr {psnr(vae, held_out):.2f} dB")
    write_weights(vae, file)


def to_vae_frames(samples: Iterable[Sample]) -> Tensor:
    """Some frames and portraits of each of the first samples: uint8 (N, H, W, 3)."""
    chosen = [
        np.concatenate([sample.portraits[:2], sample.frames[k % 7 :: 7]])
        for k, sample in enumerate(islice(samples, SAMPLES))
    ]
    return torch.from_numpy(np.concatenate(chosen))
