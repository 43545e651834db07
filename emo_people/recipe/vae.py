"""The demo's autoencoder: how it is trained."""

import time
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from emo_modules.media.image import to_signed
from emo_modules.models.patch_vae import PatchVAE
from emo_modules.writing.partial import whole_file

from ..filming.samples import Sample

LATENT_NOISE = 0.03  # latents are decoded under a little noise, as the diffusion model will hand them over


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


def train_vae(
    vae: PatchVAE,
    frames: Tensor,
    held_out: Tensor,
    folder: Path,
    minutes: float,
    *,
    lr: float = 2e-3,
    batch: int = 32,
    crop: int = 64,
    encoder: bool = True,
    noise: float = LATENT_NOISE,
    log: Callable[[str], None] = print,
) -> None:
    """Train on uint8 frames (N, H, W, 3) until the wall-clock budget ends; `vae.safetensors` is kept up to
    date.

    With `encoder=False` only the decoder learns, so that latents already made with this VAE stay valid.
    """
    generator = torch.Generator().manual_seed(0)
    trained = [vae] if encoder else [vae.patch_out, vae.decoder]
    parameters = [p for part in trained for p in part.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=lr, betas=(0.9, 0.98), weight_decay=0, fused=True)
    start, step, running = time.monotonic(), 0, 0.0
    while (progress := (time.monotonic() - start) / (minutes * 60)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = lr * min(1, (step + 1) / 50) * max(0.02, 1 - progress)
        images = random_crops(frames, batch, crop, generator)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            with torch.set_grad_enabled(encoder):
                latents = vae.encode(images)
            latents = latents + noise * torch.randn(latents.shape, generator=generator)
            output = vae.decode(latents)
        loss = reconstruction_loss(output.float(), images)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        step, running = step + 1, running * 0.98 + float(loss.detach()) * 0.02
        if step % 100 == 0:
            smooth = running / (1 - 0.98**step)
            log(f"vae step {step} {progress:.0%} loss {smooth:.4f} psnr {psnr(vae, held_out):.2f} dB")
            save(vae, folder)
    save(vae, folder)
    log(f"vae done: {step} steps, held-out psnr {psnr(vae, held_out):.2f} dB")


def save(vae: PatchVAE, folder: Path) -> None:
    with whole_file(folder / "vae.safetensors") as partial:
        save_file({name: value.contiguous() for name, value in vae.state_dict().items()}, partial)


def to_vae_frames(samples: Iterable[Sample], limit: int = 560) -> Tensor:
    """Some frames and portraits of each sample: uint8 (N, H, W, 3)."""
    chosen = [
        np.concatenate([sample.portraits[:2], sample.frames[k % 7 :: 7]])
        for k, sample in enumerate(islice(samples, limit))
    ]
    return torch.from_numpy(np.concatenate(chosen))
