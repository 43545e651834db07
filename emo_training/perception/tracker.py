"""A tracker of one kind of faces: finds them in whole frames and reads how the head turns, also slowly.

Two small networks. The finder looks at each frame at 192 px for faces and their boxes; the pose network looks
at a crop around the box, which is smoothed over time so that the crop does not shake. They are trained on
drawn people of their own (emo_people/networks/tracker.py) and know no other faces.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from emo_modules.cues.finder import DEEPEST, FINDER_SIDE, FaceFinder, conv_block, read_peaks
from emo_modules.weights.reading import read_weights
from emo_modules.weights.rename import load_strict
from emo_modules.writing.partial import whole_file

from .face_track import FaceTrack, largest

CROP = 128  # px
CROP_MARGIN = 1.25  # crop's side over the face box's longer one
POSE_UNIT = 10.0  # degrees per unit of the network's output
REACH = 12  # frames to each side over which boxes are averaged
SMOOTHING = 6.0  # frames, the Gaussian's standard deviation
BATCH = 16


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = conv_block(width, width)
        self.outer = nn.Conv2d(width, width, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.outer(self.inner(x))


class PoseNet(nn.Module):
    """Crops (N, 3, 128, 128) in 0..1 -> yaw, pitch, roll (N, 3) in degrees."""

    def __init__(self, widths: tuple[int, ...] = (16, 32, 64, 96), hidden: int = 160) -> None:
        super().__init__()
        a, b, c, d = widths
        self.features = nn.Sequential(
            conv_block(3, a, 2),
            conv_block(a, b, 2),
            _Residual(b),
            conv_block(b, c, 2),
            _Residual(c),
            conv_block(c, d, 2),
        )
        side = CROP // 16
        self.head = nn.Sequential(
            nn.Flatten(), nn.Linear(d * side * side, hidden), nn.SiLU(), nn.Linear(hidden, 3)
        )

    def forward(self, crops: Tensor) -> Tensor:
        return POSE_UNIT * self.head(self.features(crops - 0.5)).float()


@dataclass(frozen=True)
class Tracker:
    """The two networks as a `FaceAnalyzer`; holds few frames at a time."""

    finder: FaceFinder
    reader: PoseNet
    name: str = "tracker"

    @torch.no_grad()
    def analyze(self, frames: Iterable[np.ndarray]) -> FaceTrack:
        source = iter(frames)
        held: deque[np.ndarray] = deque()
        faces: list[np.ndarray] = []
        rotations: list[np.ndarray] = []
        while batch := list(islice(source, BATCH)):
            held.extend(batch)
            faces += self.find(np.stack(batch))
            self._read(held, faces, rotations, len(held) - REACH)
        self._read(held, faces, rotations, len(held))
        counts = np.array([len(boxes) for boxes in faces], np.int64)
        boxes = np.array([largest(boxes) for boxes in faces], np.float32).reshape(-1, 4)
        return FaceTrack(counts, boxes, np.array(rotations, np.float32).reshape(-1, 3))

    def find(self, frames: np.ndarray) -> list[np.ndarray]:
        """The boxes (K, 4) in px, surest first, of the faces in each of frames (N, H, W, 3) uint8."""
        pictures = torch.from_numpy(frames).permute(0, 3, 1, 2)
        height, width = pictures.shape[-2:]
        scale = FINDER_SIDE / max(height, width)
        size = [max(1, round(side * scale)) for side in (height, width)]
        small = F.interpolate(pictures, size=size, mode="bilinear", antialias=True).float() / 255
        rest = [-side % DEEPEST for side in size]
        heat, reach = self.finder(F.pad(small, (0, rest[1], 0, rest[0]), value=0.5))
        back = np.array([width / size[1], height / size[0]] * 2, np.float32)
        return [back * read_peaks(*maps)[0] for maps in zip(heat.sigmoid(), reach, strict=True)]

    def _read(
        self, held: deque[np.ndarray], faces: list[np.ndarray], rotations: list[np.ndarray], ready: int
    ) -> None:
        """Reads the pose in the first `ready` frames of `held`, the last ones of `faces`, and drops them."""
        if ready < 1:
            return
        first = len(rotations)
        main = np.array([largest(boxes) for boxes in faces[max(first - REACH, 0) :]])
        steady = _steady_boxes(main)[min(first, REACH) :][:ready]
        frames = np.stack([held.popleft() for _ in range(ready)])
        seen = [len(boxes) > 0 for boxes in faces[first : first + ready]]
        poses = np.full((ready, 3), np.nan, np.float32)
        if any(seen):
            pictures = torch.from_numpy(frames[seen]).permute(0, 3, 1, 2)
            poses[seen] = self.read_poses(cut_faces(pictures, torch.from_numpy(steady[seen]))).numpy()
        rotations.extend(poses)

    def read_poses(self, crops: Tensor) -> Tensor:
        """Yaw, pitch, roll (N, 3) in degrees from crops (N, 3, 128, 128): the mean with their mirror images,
        in which the errors are others."""
        there, back = self.reader(torch.cat([crops, crops.flip(-1)])).chunk(2)
        return (there + back * torch.tensor([-1.0, 1.0, -1.0])) / 2


def _steady_boxes(boxes: np.ndarray) -> np.ndarray:
    """Boxes (T, 4) averaged over time with a Gaussian, NaN skipped."""
    from scipy.ndimage import gaussian_filter1d

    known = np.isfinite(boxes)
    smooth = partial(gaussian_filter1d, sigma=SMOOTHING, axis=0, mode="constant", radius=REACH)
    share = smooth(known.astype(np.float32))
    return smooth(np.where(known, boxes, 0)) / np.maximum(share, 1e-6)


def cut_faces(pictures: Tensor, boxes: Tensor) -> Tensor:
    """Crops (N, 3, 128, 128) in 0..1: squares around boxes (N, 4) in px of pictures (N, 3, H, W) uint8.

    Outside the picture its edge is repeated.
    """
    sides = CROP_MARGIN * (boxes[:, 2:] - boxes[:, :2]).amax(1)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    # Only what the crops show becomes floats.
    low = (centres - sides[:, None] / 2 - 2).amin(0).floor().clamp(min=0).int().tolist()
    high = (centres + sides[:, None] / 2 + 2).amax(0).ceil().int().tolist()
    pictures = pictures[:, :, low[1] : max(high[1], low[1] + 1), low[0] : max(high[0], low[0] + 1)]
    height, width = pictures.shape[-2:]
    # Several samples to a pixel where the crop is larger, since single ones would flicker.
    finer = max(1, round(float(sides.median()) / CROP))
    unit = torch.tensor([2.0 / width, 2.0 / height])
    middle = (centres - torch.tensor(low)) * unit - 1
    theta = torch.cat([torch.diag_embed(sides[:, None] / 2 * unit), middle[:, :, None]], 2)
    grid = F.affine_grid(theta, [len(boxes), 3, CROP * finer, CROP * finer], align_corners=False)
    fine = F.grid_sample(pictures.float() / 255, grid, padding_mode="border", align_corners=False)
    return F.avg_pool2d(fine, finer)


def save_tracker(tracker: Tracker, path: Path) -> None:
    """Writes the weights of both networks as half precision safetensors."""
    tensors = {f"finder.{name}": value for name, value in tracker.finder.state_dict().items()}
    tensors |= {f"reader.{name}": value for name, value in tracker.reader.state_dict().items()}
    with whole_file(path) as unfinished:
        save_file({name: value.half().contiguous() for name, value in tensors.items()}, unfinished)


def load_tracker(path: Path) -> Tracker:
    """A file of `save_tracker`; frozen, in evaluation mode."""
    tensors = read_weights(path, "the tracker that train-tracker makes")
    tracker = Tracker(FaceFinder(), PoseNet())
    for name in ("finder", "reader"):
        net: nn.Module = getattr(tracker, name)
        own = {k.removeprefix(f"{name}."): v for k, v in tensors.items() if k.startswith(name)}
        load_strict(net, own, str(path))
        net.requires_grad_(False).eval()
        net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stub
    return tracker
