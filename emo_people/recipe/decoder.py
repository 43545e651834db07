"""The decoder of a linear `PatchVAE`: how it is trained, on any device that has the pictures."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from emo_modules.checkpoints.vae import build_vae
from emo_modules.config import EMOConfig
from emo_modules.media.image import to_signed
from emo_modules.models.patch_vae import PatchVAE
from emo_modules.models.precision import fast_autocast

from ..networks.fit import Log, WallClock, channels_last, create_net
from ..networks.pool import Pool
from .components import face_patches

FEATURES = (slice(36, 42), slice(42, 48), slice(48, 68))  # of 68 landmarks: the eyes, the mouth
NEAR = 0.5  # share of the crops that lie about one of them
NOISY = 0.5  # share of the crops whose latents are disturbed
GAIN = 0.2  # of a colour, at most
FOR_COMPONENTS = 3000  # pictures
EVERY = 200  # steps between two lines of the log


@dataclass(frozen=True)
class DecoderTraining:
    """`noise`, at most, lies on latents: a generator errs by some. `energy` weighs the strength of edges."""

    minutes: float
    lr: float = 2e-3
    batch: int = 96
    crop: int = 128
    noise: float = 0.1
    energy: float = 4.0


class Crops:
    """Crops of uint8 pictures (N, S, S, 3), half of them about an eye or the mouth of landmarks (N, 68, 2) in
    px: turned round, recoloured, on the pictures' device."""

    def __init__(self, pictures: Tensor, landmarks: Tensor, size: int):
        self.pictures, self.size = pictures, size
        self.places = torch.stack([landmarks[:, part].mean(1) for part in FEATURES], 1)
        self.generator = torch.Generator(pictures.device).manual_seed(0)

    def uniform(self, *shape: int) -> Tensor:
        return torch.rand(shape, generator=self.generator, device=self.pictures.device)

    def noise(self, latents: Tensor, most: float) -> Tensor:
        """Latents under noise whose strength differs from crop to crop."""
        count, device = len(latents), latents.device
        strength = (self.uniform(count) < NOISY) * self.uniform(count) * most
        noise = torch.randn(latents.shape, generator=self.generator, device=device)
        return latents + strength[:, None, None, None] * noise

    def corners(self, picks: Tensor) -> Tensor:
        """Upper left corners (batch, 2), x and y."""
        count, limit = len(picks), self.pictures.shape[1] - self.size
        which = (self.uniform(count) * len(FEATURES)).long()
        near = self.places[picks, which] - (0.25 + 0.5 * self.uniform(count, 2)) * self.size
        anywhere = self.uniform(count, 2) * (limit + 1)
        return torch.where(self.uniform(count, 1) < NEAR, near, anywhere).long().clamp(0, limit)

    def draw(self, batch: int) -> Tensor:
        """(batch, 3, size, size) in -1..1."""
        picks = (self.uniform(batch) * len(self.pictures)).long()
        x, y = self.corners(picks).unsqueeze(-1).unbind(1)
        steps = torch.arange(self.size, device=x.device)
        columns = x + torch.where(self.uniform(batch, 1) < 0.5, steps, steps.flip(0))
        pictures = self.pictures[picks[:, None, None], (y + steps)[:, :, None], columns[:, None]]
        gains = 1 + GAIN * (2 * self.uniform(batch, 3, 1, 1) - 1)
        images = ((to_signed(pictures) + 1) * gains - 1).clamp(max=1)
        return images.contiguous(memory_format=torch.channels_last)


def reconstruction_loss(output: Tensor, target: Tensor, energy: float) -> Tensor:
    """Absolute error of pictures (N, 3, H, W), of their gradients at two sizes, and of how strong these are.

    What is not known of the finest detail comes out as its mean, too soft. `energy` weighs the strength of
    gradients about each place, wherever they are, which has no such mean.
    """
    error = output - target
    half = F.avg_pool2d(error, 2)
    edges = sum(part.diff(dim=d).abs().mean() for part in (error, half) for d in (-1, -2))
    strength = sum((_strength(output, d) - _strength(target, d)).abs().mean() for d in (-1, -2))
    return error.abs().mean() + 0.5 * edges + energy * strength


def _strength(picture: Tensor, axis: int) -> Tensor:
    """Root mean square of the gradients along one axis in windows of 8 px."""
    return (F.avg_pool2d(picture.diff(dim=axis).square(), 8, 4) + 1e-5).sqrt()


def make_vae(
    config: EMOConfig, pool: Pool, training: DecoderTraining, device: torch.device, log: Log = print
) -> PatchVAE:
    """A linear autoencoder from a pool of rendered people: its components, then its decoder."""
    vae = create_net(partial(build_vae, config), 0)
    assert isinstance(vae, PatchVAE)  # as the configuration says
    pictures, boxes = (torch.from_numpy(part[:FOR_COMPONENTS]) for part in (pool.picture, pool.box))
    vae.start_from_components(face_patches(pictures, boxes))
    train_decoder(
        vae, torch.from_numpy(pool.picture).to(device), torch.from_numpy(pool.landmarks), training, log
    )
    return vae.eval()


def train_decoder(
    vae: PatchVAE, pictures: Tensor, landmarks: Tensor, training: DecoderTraining, log: Log = print
) -> None:
    """Trains the decoder alone on uint8 pictures (N, S, S, 3) with landmarks (N, 68, 2) in px, and leaves it
    frozen with averaged weights.

    Everything lies on the pictures' device, in bf16 on a GPU; `vae` is moved there. The components stay.
    """
    device = pictures.device
    channels_last(vae.to(device)).requires_grad_(False)
    decoder, average = vae.decoder.requires_grad_(True).train(), copy.deepcopy(vae.decoder)
    crops = Crops(pictures, landmarks.to(device), training.crop)
    pace = WallClock(training.minutes, training.lr, warmup=50, fused=True)
    optimizer, step = pace.optimizer(decoder), 0
    for progress in pace.progress(optimizer):
        images = crops.draw(training.batch)
        latents = crops.noise(vae.encode(images), training.noise)
        with fast_autocast(device):
            output = vae.decode(latents)
        loss = reconstruction_loss(output.float(), images, training.energy)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(decoder.parameters(), pace.max_norm)
        optimizer.step()
        step += 1
        _follow(average, decoder, step)
        if step % EVERY == 0:  # seldom: a GPU has to be waited for
            log(f"decoder: step {step} at {progress:.0%}, loss {loss.item():.4f}")
    decoder.load_state_dict(average.state_dict())
    decoder.requires_grad_(False).eval()
    log(f"decoder: {step} steps")


@torch.no_grad()
def _follow(average: nn.Module, net: nn.Module, step: int) -> None:
    """Forgets the first steps soon, later ones slowly."""
    share = max(0.001, 9 / (step + 9))
    for kept, now in zip(average.parameters(), net.parameters(), strict=True):
        kept.lerp_(now, share)
