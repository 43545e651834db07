"""The network that measures drawn avatars: reads mouth, head pose, face box and identity of a face.

It knows faces as it was trained on: its own drawings, never what a generator learned from.
"""

from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from emo_modules.weights.reading import read_weights
from emo_modules.weights.rename import load_strict
from emo_modules.writing.partial import whole_file

SIZE = 128  # side of the pictures it reads
MOUTH_SIDE = 48  # px: the mouth is read from a crop at full resolution (a whole-frame reader saw much less)
EMBEDDING = 64
POSE_UNIT = 10.0  # degrees per unit of the network's output


@dataclass(frozen=True)
class AvatarReading:
    """What was read from N frames: mouth_open and mouth_width (N,) 0..1; yaw, pitch, roll (N,) in degrees;
    face_box and mouth_centre (N, 4), (N, 2) in fractions of the side; identity (N, D) of length 1."""

    mouth_open: Tensor
    mouth_width: Tensor
    yaw: Tensor
    pitch: Tensor
    roll: Tensor
    face_box: Tensor
    mouth_centre: Tensor
    identity: Tensor

    @classmethod
    def join(cls, parts: list[Self]) -> Self:
        return cls(**{f.name: torch.cat([getattr(part, f.name) for part in parts]) for f in fields(cls)})


class AvatarReader(nn.Module):
    """Frames (N, 3, 128, 128) in 0..1 -> `AvatarReading`. Three small trunks share nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.geometry = _trunk((3, 16, 48, 96, 128), first_stride=2, side=SIZE, out=9)
        self.mouth = _trunk((3, 24, 48, 64, 96), first_stride=1, side=MOUTH_SIDE, out=2)
        self.face = _trunk((3, 24, 48, 96, 128), first_stride=2, side=SIZE // 2, out=EMBEDDING)

    def forward(self, frames: Tensor) -> AvatarReading:
        pose, box, centre = self.read_geometry(frames)
        opening, width = self.read_mouth(crop_mouth(frames, centre)).clamp(0, 1).unbind(1)
        yaw, pitch, roll = pose.unbind(1)
        return AvatarReading(opening, width, yaw, pitch, roll, box, centre, self.read_identity(frames))

    def read_geometry(self, frames: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Yaw, pitch, roll (N, 3) in degrees; face box (N, 4) and mouth centre (N, 2) in fractions."""
        pose, box, centre = self.geometry(frames - 0.5).float().split((3, 4, 2), 1)
        # Near the average face, so that a fresh network starts in the right place.
        typical = box.new_tensor([0.21, 0.17, 0.79, 0.85])
        return pose * POSE_UNIT, typical + 0.1 * box, 0.1 * centre + centre.new_tensor([0.5, 0.7])

    def read_mouth(self, crops: Tensor) -> Tensor:
        """Opening and width (N, 2) from crops (N, 3, 48, 48)."""
        return self.mouth(crops - 0.5).float()

    def read_identity(self, frames: Tensor) -> Tensor:
        return F.normalize(self.face(F.avg_pool2d(frames, 2) - 0.5).float(), dim=1)


def crop_mouth(frames: Tensor, centre: Tensor) -> Tensor:
    """The 48 px square (N, 3, 48, 48) around `centre` (N, 2), fractions of the side, at full resolution."""
    side = MOUTH_SIDE / frames.shape[-1]
    scale = torch.eye(2).to(centre) * side
    theta = torch.cat([scale.expand(len(centre), 2, 2), (2 * centre - 1)[:, :, None]], 2)
    grid = F.affine_grid(theta, [len(centre), 3, MOUTH_SIDE, MOUTH_SIDE], align_corners=False)
    return F.grid_sample(frames, grid, padding_mode="border", align_corners=False)


def _trunk(widths: tuple[int, ...], first_stride: int, side: int, out: int) -> nn.Sequential:
    """Halves the picture at every convolution (but the first, where asked), then looks at it whole."""
    layers: list[nn.Module] = []
    for k, (a, b) in enumerate(pairwise(widths)):
        stride = first_stride if k == 0 else 2
        side //= stride
        layers += [nn.Conv2d(a, b, 3, stride, 1), nn.BatchNorm2d(b), nn.SiLU()]
    layers += [nn.Flatten(), nn.Linear(widths[-1] * side * side, 128), nn.SiLU(), nn.Linear(128, out)]
    return nn.Sequential(*layers)


@torch.no_grad()
def read_frames(reader: AvatarReader, frames: np.ndarray, batch: int = 64) -> AvatarReading:
    """Reads frames (N, 128, 128, 3) uint8, of any number. Raises ValueError for another size."""
    if frames.shape[1:] != (SIZE, SIZE, 3):
        raise ValueError(f"the reader takes frames (N, {SIZE}, {SIZE}, 3), got {frames.shape}: resize them")
    images = torch.from_numpy(frames).permute(0, 3, 1, 2)
    return AvatarReading.join([reader(part / 255) for part in images.split(batch)])


def save_reader(reader: AvatarReader, path: Path) -> None:
    """Writes the weights as half precision safetensors."""
    with whole_file(path) as partial:
        save_file({name: value.half().contiguous() for name, value in reader.state_dict().items()}, partial)


def load_reader(path: Path) -> AvatarReader:
    """A file of `save_reader`; frozen, in evaluation mode."""
    reader = AvatarReader()
    load_strict(reader, read_weights(path, "the reader that train-reader makes"), str(path))
    return reader.requires_grad_(False).eval()
