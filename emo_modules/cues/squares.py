"""Turned squares around a face or a part of it: where they lie, cutting them out, and the way back.

Pixels are counted from the picture's upper left corner, so that the middle of its first pixel is (0.5, 0.5).
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

# Of a grown face, in millimetres; only how they relate to each other counts.
EYES_APART = 62.0  # from one eye's centre to the other's
EYES_TO_MOUTH = 68.0  # from the middle between the eyes to the middle of the mouth
BELOW_EYES = (
    46.0  # from there to the middle of what is to be seen: from the brows to the chin of an open mouth
)
FACE_MM = 235.0  # side of the square around a face
BOX_MM = 185.0  # height of a face's box, from hairline to chin
BOX_RISE = 0.03  # the square's middle lies that share of the box's height below the box's


@dataclass(frozen=True)
class Squares:
    """N squares: centres (N, 2) in px, sides (N,) in px, angles (N,) in radians, clockwise, by which what is
    upright in the square is turned in the picture."""

    centres: Tensor
    sides: Tensor
    angles: Tensor

    def __len__(self) -> int:
        return len(self.sides)

    @property
    def axes(self) -> Tensor:
        """(N, 2, 2): takes a place in the square, -1..1 to the right and down, to px from its centre."""
        cos, sin = self.angles.cos(), self.angles.sin()
        turn = torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)
        return turn * (self.sides / 2)[:, None, None]

    def to_picture(self, places: Tensor) -> Tensor:
        """Px (N, K, 2) of places (N, K, 2) in the squares, -1..1 to the right and down."""
        return places @ self.axes.mT + self.centres[:, None]

    def to_square(self, points: Tensor) -> Tensor:
        """Places (N, K, 2) in the squares, -1..1, of points (N, K, 2) in px."""
        turn_back = self.axes / (self.sides / 2)[:, None, None]
        return (points - self.centres[:, None]) @ turn_back / (self.sides / 2)[:, None, None]

    def part(self, middle: Tensor, millimetres: float) -> Self:
        """Squares of so many millimetres, turned alike, around `middle` (N, 2) in px."""
        return type(self)(middle, self.sides * (millimetres / FACE_MM), self.angles)

    def mapped(self, shift: tuple[float, float], scale: float) -> Self:
        """The squares in other pixels: (x, y) becomes ((x - shift_x) * scale, (y - shift_y) * scale)."""
        centres = (self.centres - torch.tensor(shift)) * scale
        return type(self)(centres, self.sides * scale, self.angles)


def around_five(five: Tensor) -> Squares:
    """Around faces of which five points (N, 5, 2) are known: eye centres, the viewer's left first, nose tip,
    mouth corners, the viewer's left first. A face seen from the side or from above keeps its size."""
    eyes, mouth = five[:, :2].mean(1), five[:, 3:].mean(1)
    across, down = five[:, 1] - five[:, 0], mouth - eyes
    apart, high = across.norm(dim=1) / EYES_APART, down.norm(dim=1) / EYES_TO_MOUTH
    # Eyes and mouth each know the upright; together they err less.
    upright = down / EYES_TO_MOUTH + torch.stack([-across[:, 1], across[:, 0]], 1) / EYES_APART
    upright = upright / upright.norm(dim=1, keepdim=True).clamp(min=1e-6)
    unit = torch.maximum(apart, high).clamp(min=1e-6)
    centres = eyes + upright * (unit * BELOW_EYES)[:, None]
    return Squares(centres, unit * FACE_MM, torch.atan2(-upright[:, 0], upright[:, 1]))


def around_points(points: Tensor) -> Squares:
    """Around faces of which 68 landmarks (N, 68, 2) are known, in iBUG's order."""
    corners = points[:, [48, 54]]
    eyes = torch.stack([points[:, 36:42].mean(1), points[:, 42:48].mean(1)], 1)
    return around_five(torch.cat([eyes, points[:, 30:31], corners], 1))


def around_boxes(boxes: Tensor) -> Squares:
    """Around faces of which only boxes (N, 4) are known, from ear to ear and hairline to chin; x0, y0, x1, y1
    in px. They are taken to be upright."""
    sides = (boxes[:, 2:] - boxes[:, :2]).amax(1)
    down = torch.stack([torch.zeros_like(sides), BOX_RISE * sides], 1)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2 + down
    return Squares(centres, sides * (FACE_MM / BOX_MM), torch.zeros_like(sides))


def cut(pictures: Tensor, squares: Squares, size: int) -> Tensor:
    """(N, C, size, size): square n out of picture n, or out of the only one, of pictures (N or 1, C, H, W).

    Outside the picture its edge is repeated. Where a pixel of the result covers several of the picture, the
    picture should be made smaller first.
    """
    height, width = pictures.shape[-2:]
    unit = torch.tensor([2.0 / width, 2.0 / height])
    place = torch.cat([squares.axes * unit[:, None], (squares.centres * unit - 1)[..., None]], 2)
    grid = functional.affine_grid(place, [len(squares), 3, size, size], align_corners=False)
    source = pictures.expand(len(squares), -1, -1, -1)
    return functional.grid_sample(source, grid, padding_mode="border", align_corners=False)
