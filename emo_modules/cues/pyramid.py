"""A small network that finds people's faces of every size: a box, five points and a score for each.

It knows faces of 17 to 66 px only. The picture is shown to it again and again at half the size, so that faces
of any size come by; where one is seen twice, both boxes count.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from .blocks import conv_block, fuse_norms
from .box import Box, iou

WIDTHS = (16, 32, 64, 96)
BLOCKS = 2  # residual ones at each of the two deeper scales
STRIDE = 8  # px of a level to a cell of its maps
DEEPEST = 16  # a level's sides are multiples of this
TYPICAL_SIDE = 40.0  # px of a level
SMALLEST, LARGEST = 14.0, 76.0  # px of a level: others are found in another one
FINEST = 416  # px of the picture's long side in the finest level
COARSEST = 24  # px of the long side in the last
MAGNIFIED = 2.0  # the most that a small picture is enlarged
MARGIN = 8  # px of grey around a level, so that a face at the edge has surroundings too
GREY = 0.5
NOTHING = -4.0  # the score's logit before training: hardly a cell is a face
SURE = 0.61  # by the rule of benchmarks/face_thresholds.py
TINY, TINY_SURE = 27.0, 0.61  # px of the finest level; the rule would let tiny faces pass from 0.58 on
SAME_FACE = 0.4  # overlap (IoU)
MOST_ROLL = 70.0  # degrees; a face that lies more is another's to turn first
MAYBE = 0.6  # of the score that a face needs: from here on it is looked at again
LOOKED_AT_AGAIN = 3  # faces of a picture; in a crowd, the surest others are taken as they are
CUT = 80  # px of the sides of what is cut out then
CLOSE = 40.0  # px of the face's longer side in it
CANDIDATES = 200  # peaks of a picture that are looked at


@dataclass(frozen=True)
class FoundFace:
    """A face's box from ear to ear and from hairline to chin, its score in 0..1, and five points (5, 2) in
    px: eye centres, nose tip, mouth corners, the viewer's left first."""

    box: Box
    score: float
    points: np.ndarray

    @property
    def roll(self) -> float:
        """Degrees, clockwise as the viewer sees it."""
        left, right, _, *mouth = self.points
        x, y = (right - left) + (mouth[1] - mouth[0])
        return math.degrees(math.atan2(y, x))

    def mapped(self, dx: float, dy: float, sx: float, sy: float) -> FoundFace:
        """Moved by (dx, dy), then multiplied by (sx, sy)."""
        points = (self.points + np.array([dx, dy])) * np.array([sx, sy])
        return FoundFace(self.box.mapped(dx, dy, sx, sy), self.score, points)

    def turned_back(self, quarters: int, width: int, height: int) -> FoundFace:
        """In the picture (height, width) that was turned by so many quarters to the left, as `rot90` does."""

        def back(points: np.ndarray) -> np.ndarray:
            x, y = points.T
            places = ((x, y), (width - y, x), (width - x, height - y), (y, height - x))
            return np.stack(places[quarters % 4], 1)

        corners = back(np.array([[self.box.x0, self.box.y0], [self.box.x1, self.box.y1]]))
        box = Box(*corners.min(0).tolist(), *corners.max(0).tolist())
        return FoundFace(box, self.score, back(self.points))


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = conv_block(width, width)
        self.outer = conv_block(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.outer(self.inner(x))


class PyramidFinder(nn.Module):
    """Pictures (N, 3, H, W) in 0..1, sides multiples of 16 -> maps at 1/8: the logit of a face's centre
    (N, H/8, W/8); how far the box's left, top, right and bottom are from the cell's centre in px
    (N, 4, H/8, W/8); where the five points are from there in px, x and y in turn (N, 10, H/8, W/8)."""

    def __init__(self, widths: tuple[int, ...] = WIDTHS, blocks: int = BLOCKS) -> None:
        super().__init__()
        a, b, c, d = widths
        self.fine = nn.Sequential(
            conv_block(3, a, 2),
            conv_block(a, b, 2),
            _Residual(b),
            conv_block(b, c, 2),
            *(_Residual(c) for _ in range(blocks)),
        )
        self.coarse = nn.Sequential(conv_block(c, d, 2), *(_Residual(d) for _ in range(blocks)))
        self.across = nn.Conv2d(d, c, 1)
        self.merge = nn.Sequential(conv_block(c, c), conv_block(c, c))
        self.out = nn.Conv2d(c, 15, 1)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        fine = self.fine(pictures - GREY)
        coarse = self.across(self.coarse(fine))
        out = self.out(self.merge(fine + F.interpolate(coarse, scale_factor=2.0, mode="nearest"))).float()
        reach = TYPICAL_SIDE / 2 * out[:, 1:5].clamp(-4, 4).exp()
        return out[:, 0] + NOTHING, reach, TYPICAL_SIDE / 2 * out[:, 5:]

    @classmethod
    def load(cls, path: Path) -> Self:
        """From safetensors, frozen, in evaluation mode."""
        finder = cls()
        stored = {name: value.float() for name, value in load_file(path).items()}
        finder.load_state_dict(finder.state_dict() | stored)
        return finder.requires_grad_(False).eval()

    def fused(self) -> Self:
        """Itself, each normalisation made part of the convolution before it, laid out as CPUs like it: it is
        fast now, and can learn no more."""
        fuse_norms(self)
        return self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stub

    @torch.no_grad()
    def find(self, picture: Tensor, least: float = SURE, least_tiny: float = TINY_SURE) -> list[FoundFace]:
        """Faces, surest first, that score `least`, tiny ones `least_tiny`, in a picture (H, W, 3) in 0..1;
        boxes may leave it.

        What may be a face is cut out and looked at twice more, once in the mirror: chance is not found again,
        and the mean of three boxes is a better one.
        """
        levels = list(_levels(picture))
        found = np.concatenate([self._look(level, scale) for level, scale in levels])
        found = found[found[:, 0] >= MAYBE * least]
        merged = _merged(found[np.argsort(-found[:, 0], kind="stable")][:CANDIDATES])
        rows = self._look_again(levels, merged[:LOOKED_AT_AGAIN])
        rows += [row for row in merged[LOOKED_AT_AGAIN:] if row[0] >= max(least, least_tiny)]
        rows.sort(key=lambda row: -row[0])
        faces = [FoundFace(Box(*row[1:5].tolist()), float(row[0]), row[5:].reshape(5, 2)) for row in rows]
        tiny = tiny_height(*picture.shape[:2])
        needed = [max(least, least_tiny) if face.box.height < tiny else least for face in faces]
        return [
            face
            for face, score in zip(faces, needed, strict=True)
            if face.score >= score and abs(face.roll) <= MOST_ROLL
        ]

    def _look(self, level: Tensor, scale: tuple[float, float]) -> np.ndarray:
        """Rows (K, 15) of score, box and points in the picture's px, for one level (1, 3, H, W)."""
        heat, reach, points = self(level)
        rows = read_maps(heat[0].sigmoid(), reach[0], points[0])
        rows[:, 1:] = (rows[:, 1:] - MARGIN) * np.tile(scale, 7)
        return rows

    def _look_again(
        self, levels: list[tuple[Tensor, tuple[float, float]]], rows: list[np.ndarray]
    ) -> list[np.ndarray]:
        """Faces' rows (15,), each averaged with what cuts around it show; one call for all costs half."""
        if not rows:
            return []
        cuts = [_cut_out(levels, row[1:5]) for row in rows]
        pictures = torch.cat([cut.both for cut in cuts]).contiguous(memory_format=torch.channels_last)
        heat, reach, points = self(pictures)
        maps = zip(heat.sigmoid().split(2), reach.split(2), points.split(2), strict=True)
        return [_averaged(row, cut, *seen) for row, cut, seen in zip(rows, cuts, maps, strict=True)]


@dataclass(frozen=True)
class _Cut:
    """The square around a face of a level, and its mirror image (2, 3, CUT, CUT); where its corner is in the
    picture, and how many px of the picture one px is, both x and y in turn for box and points (14,)."""

    both: Tensor
    corner: np.ndarray
    unit: np.ndarray


def _cut_out(levels: list[tuple[Tensor, tuple[float, float]]], box: np.ndarray) -> _Cut:
    """From the coarsest level that shows the face in this box of the picture well enough."""
    side = float((box[2:] - box[:2]).max())
    level, scale = next((each for each in reversed(levels) if side / each[1][0] >= CLOSE), levels[0])
    height, width = level.shape[-2:]
    there = box / np.tile(scale, 2) + MARGIN
    centre, zoom = (there[:2] + there[2:]) / 2, CLOSE / float((there[2:] - there[:2]).max())
    half = CUT / 2 / zoom
    x, y = 2 * centre / np.array([width, height]) - 1
    turn = torch.tensor([[2 * half / width, 0, x], [0, 2 * half / height, y]])[None].float()
    grid = F.affine_grid(turn, [1, 3, CUT, CUT], align_corners=False)
    cut = F.grid_sample(level - GREY, grid, align_corners=False) + GREY
    corner = (centre - half - MARGIN) * np.array(scale)
    return _Cut(torch.cat([cut, cut.flip(-1)]), np.tile(corner, 7), np.tile(scale, 7) / zoom)


def _averaged(row: np.ndarray, cut: _Cut, heat: Tensor, reach: Tensor, points: Tensor) -> np.ndarray:
    """A face's row (15,) and what its cut and the mirrored one show, by their scores; unseen counts as 0."""
    plain, mirrored = (read_maps(*each) for each in zip(heat, reach, points, strict=True))
    every = [row]
    for seen in (plain, _mirrored(mirrored)):
        seen[:, 1:] = seen[:, 1:] * cut.unit + cut.corner
        overlap = iou(seen[:, 1:5], row[1:5])
        every.append(seen[overlap.argmax()] if overlap.max(initial=0) >= SAME_FACE else np.zeros(15))
    mean = np.average(every, axis=0, weights=np.array(every)[:, 0] ** 2)
    mean[0] = np.mean(every, axis=0)[0]
    return mean


def _mirrored(rows: np.ndarray) -> np.ndarray:
    """Rows (K, 15) of a mirrored cut, as they are in the cut itself."""
    places = rows[:, 1:].reshape(-1, 7, 2) * [-1, 1] + [CUT, 0]
    low, high = places[:, :2].min(1), places[:, :2].max(1)
    points = places[:, 2:][:, [1, 0, 2, 4, 3]].reshape(-1, 10)
    return np.concatenate([rows[:, :1], low, high, points], 1)


def _levels(picture: Tensor) -> Iterator[tuple[Tensor, tuple[float, float]]]:
    """The picture (1, 3, H, W) with its margin at each size, and how many px of the picture one px is."""
    height, width = picture.shape[:2]
    longest, side = max(height, width), _finest(height, width)
    planes = picture.movedim(-1, 0)[None]
    for halvings in range(1 + max(0, math.floor(math.log2(side / COARSEST)))):
        size = [max(1, round(length * side / longest / 2**halvings)) for length in (height, width)]
        if list(planes.shape[-2:]) != size:
            planes = F.interpolate(planes, size=size, mode="bilinear", antialias=True)
        rest = (MARGIN, MARGIN + -size[1] % DEEPEST, MARGIN, MARGIN + -size[0] % DEEPEST)
        padded = F.pad(planes, rest, value=GREY).contiguous(memory_format=torch.channels_last)
        yield padded, (width / size[1], height / size[0])


def tiny_height(height: int, width: int) -> float:
    """Px of a picture's face that is tiny when it is less high."""
    return TINY * max(height, width) / _finest(height, width)


def _finest(height: int, width: int) -> float:
    """Px of the long side of the first level."""
    return min(FINEST, MAGNIFIED * max(height, width))


def read_maps(heat: Tensor, reach: Tensor, points: Tensor, least: float = 0.05) -> np.ndarray:
    """Rows (K, 15) of score, box and five points in px of the level, one for each peak of `least`, from
    scores (h, w), reach (4, h, w) and points (10, h, w)."""
    top = (heat == F.max_pool2d(heat[None], 3, 1, 1)[0]) & (heat >= least)
    rows, columns = top.nonzero(as_tuple=True)
    here = (torch.stack([columns, rows], 1).float() + 0.5) * STRIDE
    sides = reach[:, rows, columns].T
    boxes = torch.cat([here - sides[:, :2], here + sides[:, 2:]], 1)
    placed = points[:, rows, columns].T + here.repeat(1, 5)
    side = (boxes[:, 2:] - boxes[:, :2]).amax(1)
    fitting = (side >= SMALLEST) & (side <= LARGEST)
    return torch.cat([heat[rows, columns, None], boxes, placed], 1)[fitting].double().numpy()


def _merged(rows: np.ndarray) -> list[np.ndarray]:
    """One row for each face, of rows (K, 15), surest first; all of one face count, by their scores."""
    faces = []
    while len(rows):
        same = iou(rows[:, 1:5], rows[0, 1:5]) >= SAME_FACE
        mean = np.average(rows[same], axis=0, weights=rows[same, 0] ** 2)
        mean[0] = rows[0, 0]
        faces.append(mean)
        rows = rows[~same]
    return faces
