"""What films tell a model that moves portraits: none says where each of its places was in the portrait, but
its faces have been read. Not in the paper.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from emo_modules.cues.ibug import POINTS

from ..footage.shards import Sample
from ..perception.pose import smooth_poses
from ..perception.rates import FPS
from .motion_codes import lid_code, turn_code
from .relatives import bridged
from .sample_set import Batch

LIDS = slice(2, 4)  # of a sample's `openings`
HALF, SHUT = 0.55, 0.2  # of a film's median opening: below the one a blink begins, at the other it is done


class Acted(NamedTuple):
    """What is done in one clip's F frames, or stacked of B clips."""

    code: Tensor  # (F, MOTION_CODE), the motion code that would have been drawn for it
    speed: Tensor  # (F,) degrees per second, the sample's mean, which the code's turns are in units of
    points: Tensor  # (F, 68, 2) landmarks, in fractions of the picture
    portrait: Tensor  # (68, 2) those of the portrait


@dataclass(frozen=True)
class ReadFaces:
    """A sample's faces as they were read, without gaps: poses (T, 3), landmarks (T, 68, 2) in fractions."""

    poses: np.ndarray
    points: np.ndarray
    shut: np.ndarray
    speed: float

    @classmethod
    def of(cls, sample: Sample) -> Self:
        """Raises ValueError for a sample whose faces were read by something else than `faces`."""
        arrays, points = sample.arrays, sample.landmarks
        if points is None or points.shape[1] != POINTS or "openings" not in arrays:
            raise ValueError(
                f"{sample.key} has no {POINTS} landmarks and openings of lids, by which a model that moves "
                "portraits learns from films: prepare the footage with --analyzer faces"
            )
        lids = bridged(arrays["openings"][:, LIDS]).mean(1)
        opened = lids / max(float(np.median(lids)), 1e-6)
        speeds = arrays["speeds"][np.isfinite(arrays["speeds"])]
        return cls(
            bridged(smooth_poses(arrays["rotations"], FPS)),
            bridged(points / np.float32(sample.facts["size"])),
            np.clip((HALF - opened) / (HALF - SHUT), 0, 1).astype(np.float32),
            float(speeds.mean()) if len(speeds) else 0.0,
        )


def acted_in(
    sample: Sample, frames: Tensor, portrait: Sample, place: int, generator: torch.Generator
) -> Acted:
    """The frames (F,) of a sample, against frame `place` of it or another. Raises as `ReadFaces.of`."""
    faces, rows = ReadFaces.of(sample), frames.numpy()
    shown = faces if portrait is sample else ReadFaces.of(portrait)
    speed = torch.full((1, len(rows)), faces.speed)
    turned = torch.from_numpy(faces.poses[None, rows] - shown.poses[place])
    lids = lid_code(torch.from_numpy(faces.shut[None, rows]), generator)
    return Acted(
        torch.cat([turn_code(turned, speed), lids[..., None]], dim=2)[0],
        speed[0],
        torch.from_numpy(faces.points[rows]),
        torch.from_numpy(shown.points[place]),
    )


@dataclass(frozen=True)
class FilmedBatch(Batch):
    """With what a model that moves portraits reads and is compared with."""

    pixels: Tensor  # (B, 3, H, W) in -1..1, the portrait
    code: Tensor  # (B, F, MOTION_CODE)
    pictures: Tensor  # (B, F, 3, H, W) in -1..1, the frames
    landmarks: Tensor  # (B, F, 68, 2) px
    portrait_landmarks: Tensor  # (B, 68, 2) px

    def of_video(self) -> dict[str, Any]:
        return super().of_video() | {"pixels": self.pixels}

    def of_clip(self, speed: bool) -> dict[str, Any]:
        return super().of_clip(speed) | {"code": self.code}


def filmed_batch(batch: Batch, acted: Acted, pictures: Tensor) -> FilmedBatch:
    """`batch` with B clips' faces, stacked, and pictures (B, F+1, 3, H, W) uint8, the portrait last, all on
    its device."""
    shown, side = pictures.float() / 127.5 - 1, pictures.shape[-1]
    fields = vars(batch) | {"speeds": acted.speed}
    return FilmedBatch(
        **fields,
        pixels=shown[:, -1],
        code=acted.code,
        pictures=shown[:, :-1],
        landmarks=acted.points * side,
        portrait_landmarks=acted.portrait * side,
    )
