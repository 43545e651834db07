"""Squares around faces, mouths and eyes of rendered people, with what is to be read there."""

import math
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from emo_modules.cues.face_reader import (
    EYE_SIDE,
    FACE_SIDE,
    LEFT_EYE,
    MIRRORED,
    MIRRORED_MOUTH,
    MOUTH,
    MOUTH_SIDE,
    RIGHT_EYE,
    eye_square,
    mouth_square,
)
from emo_modules.cues.squares import Squares, around_points, cut
from emo_training.perception.face_identity import SIDE as IDENTITY_SIDE
from emo_training.perception.face_identity import identity_squares

from .degrade import degrade, relight
from .disturb import disturb
from .lips import colour_lips
from .pool import Pool

MADE_UP = 0.3  # of the mouths: their lips have another colour
NOISE = 0.05  # of white, the most in a picture whose person is to be told


class View(NamedTuple):
    """N squares: pictures (N, 3, S, S) in 0..1, places of the points (N, K, 2), -1..1, and numbers (N, V)."""

    pictures: Tensor
    places: Tensor
    numbers: Tensor


@dataclass(frozen=True)
class FaceViews:
    """Rendered pictures (N, 256, 256, 3) uint8 and their truth; every view of them is another."""

    pictures: Tensor
    points: Tensor  # (N, 70, 2) px, irises last
    boxes: Tensor  # (N, 4)
    poses: Tensor  # (N, 3)
    mouths: Tensor  # (N, 2), opening and width
    eyes: Tensor  # (N, 2), opening

    @classmethod
    def of(cls, pool: Pool) -> Self:
        points = np.concatenate([pool.landmarks, pool.irises], 1)
        mouths = np.stack([pool.mouth_open, pool.mouth_width], 1)
        arrays = (pool.picture, points, pool.box, pool.pose, mouths, pool.eye_open)
        return cls(*map(torch.from_numpy, arrays))

    def draw_faces(self, count: int, generator: torch.Generator) -> View:
        """The whole face; numbers are yaw, pitch and roll in the square, in degrees, and the box as centre,
        width and height in half sides."""
        chosen = self._choose(count, generator)
        points, boxes = self.points[chosen], self.boxes[chosen]
        squares = _shaken(around_points(points), generator, shift=0.05, zoom=0.1, turn=7.0)
        wide = torch.rand(count, generator=generator) < 0.15
        turns = torch.where(wide, math.radians(100) * (torch.rand(count, generator=generator) - 0.5), 0.0)
        squares = Squares(squares.centres, squares.sides, squares.angles + turns)
        yaw, pitch, roll = self.poses[chosen].unbind(1)
        roll = roll - squares.angles.rad2deg()
        centres = squares.to_square((boxes[:, None, :2] + boxes[:, None, 2:]) / 2)[:, 0]
        sizes = 2 * (boxes[:, 2:] - boxes[:, :2]) / squares.sides[:, None]
        numbers = torch.cat([torch.stack([yaw, pitch, roll], 1), centres, sizes], 1)
        places, pictures = squares.to_square(points), self._cut(chosen, squares, FACE_SIDE)
        mirrored = torch.rand(count, generator=generator) < 0.5
        back = torch.tensor([-1.0, 1.0])
        pictures = torch.where(mirrored[:, None, None, None], pictures.flip(-1), pictures)
        places = torch.where(mirrored[:, None, None], places[:, MIRRORED] * back, places)
        signs = torch.tensor([-1.0, 1.0, -1.0, -1.0, 1.0, 1.0, 1.0])
        numbers = torch.where(mirrored[:, None], numbers * signs, numbers)
        return View(disturb(pictures, generator), places, numbers)

    def draw_mouths(self, count: int, generator: torch.Generator) -> View:
        """The mouth; numbers are opening and width."""
        chosen = self._choose(count, generator, MOUTH)
        points = self.points[chosen]
        squares = mouth_square(around_points(points), points)
        squares = _shaken(squares, generator, shift=0.06, zoom=0.12, turn=6.0)
        places, pictures = squares.to_square(points[:, MOUTH]), self._cut(chosen, squares, MOUTH_SIDE)
        mirrored = torch.rand(count, generator=generator) < 0.5
        pictures = torch.where(mirrored[:, None, None, None], pictures.flip(-1), pictures)
        places = torch.where(
            mirrored[:, None, None], places[:, MIRRORED_MOUTH] * torch.tensor([-1.0, 1.0]), places
        )
        made_up = round(MADE_UP * count)
        pictures[:made_up] = colour_lips(pictures[:made_up], places[:made_up], generator)
        return View(disturb(pictures, generator, covered=0.1), places, self.mouths[chosen])

    def draw_eyes(self, count: int, generator: torch.Generator) -> View:
        """The viewer's left eye, or the right one in the mirror; the number is its opening."""
        chosen = self._choose(count, generator, LEFT_EYE + RIGHT_EYE)
        points, right = self.points[chosen], torch.rand(count, generator=generator) < 0.5
        faces = around_points(points)
        left_one, right_one = (eye_square(faces, points, eye) for eye in (LEFT_EYE, RIGHT_EYE))
        centres = torch.where(right[:, None], right_one.centres, left_one.centres)
        squares = Squares(centres, left_one.sides, left_one.angles)
        squares = _shaken(squares, generator, shift=0.07, zoom=0.12, turn=6.0)
        pictures = self._cut(chosen, squares, EYE_SIDE)
        pictures = torch.where(right[:, None, None, None], pictures.flip(-1), pictures)
        there, mirrored = (squares.to_square(points[:, eye]) for eye in (LEFT_EYE, RIGHT_EYE))
        places = torch.where(right[:, None, None], mirrored * torch.tensor([-1.0, 1.0]), there)
        openings = self.eyes[chosen].gather(1, right.long()[:, None])
        return View(disturb(pictures, generator, covered=0.1), places, openings)

    def draw_identities(self, chosen: Tensor, generator: torch.Generator) -> Tensor:
        """Faces (N, 3, 96, 96) of the chosen pictures as a face embedding sees them, some mirrored."""
        squares = identity_squares(around_points(self.points[chosen]))
        squares = _shaken(squares, generator, shift=0.02, zoom=0.04, turn=3.0)
        pictures = F.avg_pool2d(self._cut(chosen, squares, 2 * IDENTITY_SIDE), 2)
        mirrored = torch.rand(len(chosen), generator=generator) < 0.5
        pictures = torch.where(mirrored[:, None, None, None], pictures.flip(-1), pictures)
        # Not `disturb`: it leaves little of what tells people apart.
        relit = torch.rand(len(chosen), 1, 1, 1, generator=generator) < 0.5
        pictures = torch.where(relit, relight(pictures, generator), pictures)
        return degrade(pictures, generator, NOISE)

    def _choose(self, count: int, generator: torch.Generator, seen: list[int] | None = None) -> Tensor:
        """Some of the pictures, or of those that these points lie in."""
        if seen is None:
            return torch.randint(len(self.pictures), (count,), generator=generator)
        points = self.points[:, seen]
        inside = ((points >= 0) & (points <= self.pictures.shape[1])).all(2).all(1).nonzero()[:, 0]
        return inside[torch.randint(len(inside), (count,), generator=generator)]

    def _cut(self, chosen: Tensor, squares: Squares, size: int) -> Tensor:
        """The squares of the chosen pictures, out of no more of each than the largest needs."""
        whole = self.pictures.shape[1]
        count = min(whole, int(1.5 * float(squares.sides.max())) + 2)
        starts = (squares.centres - count / 2).round().clamp(0, whole - count)
        parts = [
            self.pictures[k, y : y + count, x : x + count]
            for k, (x, y) in zip(chosen.tolist(), starts.int().tolist(), strict=True)
        ]
        planes = torch.stack(parts).movedim(-1, 1).contiguous().float() / 255
        return cut(planes, Squares(squares.centres - starts, squares.sides, squares.angles), size)


def _shaken(squares: Squares, generator: torch.Generator, shift: float, zoom: float, turn: float) -> Squares:
    """As far off as found ones are: by shares of the side, and degrees; a quarter of them twice as far."""
    draw = partial(torch.randn, generator=generator)
    count = len(squares)
    amount = torch.where(torch.rand(count, generator=generator) < 0.25, 2.0, 1.0)
    moved = shift * (amount * squares.sides)[:, None] * draw(count, 2)
    return Squares(
        squares.centres + moved,
        squares.sides * (zoom * amount * draw(count)).exp(),
        squares.angles + math.radians(turn) * amount * draw(count),
    )
