"""Trains a small SyncNet: lips and sound of one moment against those of others.

It learns from rendered people (see `mouths`), for photographs and films. Its confidences and distances do not
compare with those of the public network.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from emo_modules.models.precision import fast_autocast
from emo_training.perception.syncnet import (
    FRAMES,
    SyncNet,
    SyncNetConfig,
    measure_sync,
    sound_windows,
)

from ..filming.speakers import FPS
from ..speech.synthesis import SAMPLE_RATE
from .fit import Log, OneCycle, channels_last, create_net, fit

WEIGHTS = Path(__file__).with_name("people_syncnet.safetensors")
SHAPE = SyncNetConfig(
    side=96,
    window=56,
    kernel=5,
    strides=(2, 1),
    lip_channels=(24, 48, 64, 64, 96, 160),
    sound_channels=(24, 32, 48, 56, 64, 128),
    hidden=128,
    embedding=128,
    min_confidence=1.75,  # own sounds and others': 95 %, 34 % of rendered people pass, 72 %, 3 % of films
)
WINDOWS = 24  # successive windows of a sample in one step
SPAN = 15  # frames of shift that must be told apart
MARGIN = 8  # pixels by which the stored pictures exceed the network's window
SOUNDS = 3  # versions of each sample's sound
SHARPNESS = 2.0  # by which a sample's mean distances count in its choice; windows count once
NEARNESS = 0.05  # without it all distances grow by the same large amount


@dataclass(frozen=True)
class SyncSamples:
    """C samples: face crops' middles (C, F, 3, 64, 64) uint8 BGR; cepstra (C, versions, W, 1, 13, 20) of W
    windows, of which number `first` goes with the first picture."""

    pictures: Tensor
    sounds: Tensor
    first: int = 0

    def sample(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Lips (count, 3, 28, 56, 56) float and cepstra (count, 54, 1, 13, 20): sound window k + 15
        goes with lip window k."""
        samples = torch.randperm(len(self.pictures), generator=generator)[:count].tolist()
        heard = self.sounds.shape[2] - WINDOWS - SPAN
        seen = self.first + self.pictures.shape[1] - (WINDOWS + FRAMES - 1)
        least, most = max(SPAN, self.first), min(heard, seen)
        starts = torch.randint(least, most + 1, (count,), generator=generator)
        versions = torch.randint(SOUNDS, (count,), generator=generator).tolist()
        offsets = torch.randint(MARGIN + 1, (count, 2), generator=generator).tolist()
        lips, sounds = [], []
        for k, start, version, (dx, dy) in zip(samples, starts.tolist(), versions, offsets, strict=True):
            shown = start - self.first
            part = self.pictures[k, shown : shown + WINDOWS + FRAMES - 1]
            lips.append(part[..., dy : dy + SHAPE.window, dx : dx + SHAPE.window].transpose(0, 1).float())
            sounds.append(self.sounds[k, version, start - SPAN : start + WINDOWS + SPAN])
        changed = _alter(torch.stack(lips), generator)
        return changed.contiguous(memory_format=torch.channels_last_3d), torch.stack(sounds)


def middles_of(crops: np.ndarray) -> np.ndarray:
    """What is kept, (F, 3, 64, 64) BGR, of face crops (F, 96, 96, 3) RGB."""
    edge = (SHAPE.side - SHAPE.window - MARGIN) // 2
    return np.ascontiguousarray(crops[:, edge:-edge, edge:-edge, ::-1].transpose(0, 3, 1, 2))


def cepstra(sound: np.ndarray, windows: int, rng: np.random.Generator) -> np.ndarray:
    """With a noise floor of -100 to -40 dB for most: pauses of recordings are never digital silence."""
    level = 10 ** rng.uniform(-5, -2) if rng.random() < 0.8 else 0.0
    noisy = sound + level * rng.standard_normal(len(sound))
    return sound_windows(noisy, windows).astype(np.float32)


def jitter(boxes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Boxes (T, 4) as another tracker has them: another size and place, which also tremble."""
    side = (boxes[:, 2:] - boxes[:, :2]).mean(0)
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2 + side * rng.uniform(-0.07, 0.07, 2)
    half = (boxes[:, 2:] - boxes[:, :2]) / 2 * rng.uniform(0.82, 1.15) * rng.uniform(0.95, 1.05, 2)
    tremble = side.mean() * rng.uniform(0, 0.02) * rng.standard_normal(boxes.shape)
    return np.concatenate([centre - half, centre + half], 1) + tremble


def _alter(lips: Tensor, generator: torch.Generator) -> Tensor:
    """Mirrored, lit otherwise, softened and grained, each sample in its own way; lips (N, 3, T, H, W)."""
    n = len(lips)

    def amount(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(n, *shape, 1, 1, 1, generator=generator)

    mirrored = amount(0, 1, 1) < 0.5
    lips = torch.where(mirrored, lips.flip(-1), lips)
    soft = F.avg_pool3d(F.pad(lips, (1, 1, 1, 1, 0, 0), mode="replicate"), (1, 3, 3), 1)
    lips = torch.lerp(lips, soft, amount(-0.5, 1, 1).clamp(0))
    lips = lips * amount(0.7, 1.3, 3) + amount(-25, 25, 1)
    grain = torch.rand(lips.shape, generator=generator) - 0.5
    return (lips + grain * amount(-10, 25, 1).clamp(0)).clamp(0, 255)


def train_syncnet(
    pool: SyncSamples,
    seed: int = 0,
    steps: int = 1400,
    batch: int = 12,
    log: Log = print,
) -> SyncNet:
    """Fits a SyncNet."""
    generator = torch.Generator().manual_seed(seed)
    net = create_net(partial(SyncNet, SHAPE), seed)
    channels_last(net.netcnnaud)
    fit(net, lambda: _losses(net, *pool.sample(batch, generator)), OneCycle(steps, 2e-3), "syncnet", log)
    return net


def _losses(net: SyncNet, lips: Tensor, sounds: Tensor) -> dict[str, Tensor]:
    """Each window finds its shift among 31; each sample, by mean distances as they are measured, its shift
    among those of every sample, and each sound its sample; padding, which measures as the point 0, is as far
    as a wrong shift; what belongs together is near."""
    with fast_autocast("cpu"):
        shown, heard = net.embed_lips(lips), net.embed_sound(sounds.flatten(0, 1))
    shown, heard = shown.float(), heard.float().unflatten(0, sounds.shape[:2])  # (N, W, E), (N, W + 30, E)
    distances = _distances(shown, heard)
    n, windows = shown.shape[:2]
    every, right = torch.arange(n), torch.full((n * windows,), SPAN)
    own = distances[every, :, every]  # (N, W, shifts)
    means = distances.mean(1)  # (N, N, shifts)
    found = F.cross_entropy(-SHARPNESS * means.flatten(1), every * means.shape[2] + SPAN)
    back = F.cross_entropy(-SHARPNESS * means[..., SPAN].T, every)
    wrong = torch.cat([own[..., :SPAN], own[..., SPAN + 1 :]], 2).mean(2).detach()
    return {
        "window": F.cross_entropy(-own.flatten(0, 1), right),
        "sample": found + 0.5 * back,
        "padding": 0.02 * F.mse_loss(shown.norm(dim=2), wrong),
        "near": NEARNESS * own[..., SPAN].mean(),
    }


def _distances(shown: Tensor, heard: Tensor) -> Tensor:
    """Of lip windows (N, W, E) to sound windows (N, W + 30, E) of all samples, all shifts: (N, W, N, 31)."""
    n, windows, _ = shown.shape
    pairs = torch.cdist(shown.flatten(0, 1), heard.flatten(0, 1)).view(n, windows, n, -1)
    places = torch.arange(windows)[:, None] + torch.arange(2 * SPAN + 1)
    return pairs.gather(3, places[None, :, None].expand(n, windows, n, -1))


def check_clips(
    net: SyncNet, clips: Iterable[tuple[np.ndarray, np.ndarray]], log: Log = print
) -> dict[str, float]:
    """Face crops and their sounds, which are shifted by up to 10 frames either way.

    `within_one`: share of offsets at most one frame wrong. The others are confidences: the 1 % quantile in
    sync, and the largest with a stranger's sound and with silence.
    """
    close, right, strange, silent = [], [], [], []
    crops, sounds = zip(*clips, strict=True)
    for k, (lips, sound) in enumerate(zip(crops, sounds, strict=True)):
        for shift in (-10, -4, 0, 4, 10):
            found = measure_sync(net, lips, delay(sound, shift))
            close.append(abs(found.offset - shift) <= 1)
            right.append(found.confidence)
        strange.append(measure_sync(net, lips, np.resize(sounds[k - 1], len(sound))).confidence)
        silent.append(measure_sync(net, lips, np.zeros_like(sound)).confidence)
        if k % 10 == 9:
            log(f"syncnet: checked {k + 1} people")
    return {
        "within_one": float(np.mean(close)),
        "in_sync": float(np.quantile(right, 0.01)),
        "stranger": max(strange),
        "silence": max(silent),
    }


def delay(waveform: np.ndarray, frames: int) -> np.ndarray:
    """The sound (S,) so many frames late, or early where negative; silence fills the end that opens."""
    samples = round(abs(frames) * SAMPLE_RATE / FPS)
    if frames >= 0:
        return np.pad(waveform, (samples, 0))[: len(waveform)]
    return np.pad(waveform, (0, samples))[samples:]
