"""What is lost between a picture and what the decoder makes of its latents, above all in the eyes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from emo_modules.media.image import to_bytes, to_signed
from emo_modules.models.patch_vae import PatchVAE

from ..filming.sheets import lay_out

EYES = (slice(36, 42), slice(42, 48))  # of 68 landmarks
LARGER = 1.5  # than the landmarks' box
LEAST = 4  # px of a box that is looked at


@dataclass(frozen=True)
class DecoderFigures:
    """Mean PSNR in dB of the pictures and in their eyes, and the eyes' gradient energy against the truth's.

    Without landmarks nothing is known of eyes: NaN.
    """

    whole: float
    eyes: float
    energy: float


def reach_gate(unseen: DecoderFigures, photographs: DecoderFigures) -> bool:
    """Whether latents are good enough to train a denoiser on: unseen people and photographs of others."""
    return unseen.eyes >= 32 and unseen.energy >= 0.9 and photographs.whole >= 30


@torch.no_grad()
def round_trip(vae: PatchVAE, pictures: Tensor) -> Tensor:
    """uint8 (N, H, W, 3) encoded and decoded: (N, 3, H, W) in -1..1."""
    parts = (to_signed(part).contiguous(memory_format=torch.channels_last) for part in pictures.split(8))
    return torch.cat([vae.decode(vae.encode(part)).clamp(-1, 1) for part in parts])


def measure_decoder(vae: PatchVAE, pictures: Tensor, landmarks: Tensor | None = None) -> DecoderFigures:
    """Of uint8 pictures (N, H, W, 3), with landmarks (N, 68, 2) in px, on the device of `vae`."""
    truth, made = to_signed(pictures), round_trip(vae, pictures)
    whole = fmean(_psnr(a, b) for a, b in zip(made, truth, strict=True))
    if landmarks is None:
        return DecoderFigures(whole, np.nan, np.nan)
    eyes, energies = [], []
    for a, b, points in zip(made, truth, landmarks.cpu().numpy(), strict=True):
        for rows, columns in eye_boxes(points, pictures.shape[1:3]):
            eyes.append(_psnr(a[:, rows, columns], b[:, rows, columns]))
            energies.append(gradient_energy(a[:, rows, columns]) / gradient_energy(b[:, rows, columns]))
    return DecoderFigures(whole, fmean(eyes), fmean(energies))


def eye_boxes(landmarks: np.ndarray, size: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of both eyes of (68, 2), where the picture of height and width `size` has them."""
    for eye in EYES:
        low, high = landmarks[eye].min(0), landmarks[eye].max(0)
        centre, reach = (low + high) / 2, (high - low) / 2 * LARGER
        reach = np.maximum(reach, reach.max() / 2)  # a shut eye has no height
        limits = np.array(size[::-1])
        left, top = np.floor(centre - reach).clip(0, limits).astype(int)
        right, bottom = np.ceil(centre + reach).clip(0, limits).astype(int)
        if min(right - left, bottom - top) >= LEAST:
            yield slice(top, bottom), slice(left, right)


def draw_decoded(vae: PatchVAE, pictures: Tensor, landmarks: Tensor, side: int = 256) -> Image.Image:
    """A sheet: the pictures, what was decoded, the eyes of both, one column for each picture."""
    made = to_bytes(round_trip(vae, pictures).float().movedim(1, -1).cpu() / 2 + 0.5).numpy()
    cells = [*pictures.cpu().numpy(), *made]
    points = [*landmarks.cpu().numpy()] * 2
    cells += [_enlarge_eyes(picture, p, side) for picture, p in zip(cells, points, strict=True)]
    return lay_out(cells, len(pictures))


def _enlarge_eyes(picture: np.ndarray, landmarks: np.ndarray, side: int) -> np.ndarray:
    points = landmarks[36:48]
    x, y = ((points.min(0) + points.max(0)) / 2).tolist()
    reach = float(np.ptp(points, 0).max()) * 0.6
    eyes = Image.fromarray(picture).crop((int(x - reach), int(y - reach), int(x + reach), int(y + reach)))
    return np.asarray(eyes.resize((side, side), Image.Resampling.BICUBIC))


def _psnr(output: Tensor, truth: Tensor) -> float:
    return float(-10 * ((output - truth) / 2).square().mean().log10())


def gradient_energy(picture: Tensor) -> float:
    """Mean square of the differences of neighbours in (..., H, W): what blur takes away."""
    return float(sum(picture.diff(dim=d).square().mean() for d in (-1, -2)))
