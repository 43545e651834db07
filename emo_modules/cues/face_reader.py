"""The face reader: landmarks, irises, pose, and how far mouth and eyes are open, off any picture of a face.

Three small networks look at turned squares: one at the whole face, twice, the second time where the first has
seen it; then one at the mouth and one at each eye, more finely. All were trained on rendered people alone
(emo_people/networks/face_reading.py).
"""

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from ..media.image import to_bytes
from . import ibug
from .blocks import fuse_norms
from .box import Box
from .detect import search_faces
from .ibug import POINTS
from .point_net import Looked, PointNet
from .squares import FACE_MM, Squares, around_boxes, around_points, cut

WEIGHTS = Path(__file__).with_name("face_reader.safetensors")
FACE_SIDE, MOUTH_SIDE, EYE_SIDE = 128, 80, 48  # px of the squares
MOUTH_MM, EYE_MM = 100.0, 56.0  # of a grown face
SOURCE_SIDE = 240  # px of a face's square in the picture that all squares are cut from, at most
AROUND = 0.9  # of the square's side: how far that picture reaches from its middle
LIKE = 0.4  # overlap (IoU) of the box that is read with where the face is said to be
POSE_UNIT = 20.0  # degrees per unit of the network's output
CORRECTION = 0.1  # of an opening or a width, likewise
TYPICAL_BOX = (0.0, -0.05, 1.3, 1.55)  # centre, width and height in the square, in half sides
IN_EYES = 1.28  # distances of the outer corners of the eyes in half the side of a face's square
MOUTH_IN_EYES, EYE_IN_EYES = (IN_EYES * side / FACE_MM for side in (MOUTH_MM, EYE_MM))

MIRRORED = torch.tensor([*ibug.MIRRORED, POINTS + 1, POINTS])
MOUTH = list(range(48, POINTS))
MIRRORED_MOUTH = MIRRORED[48:POINTS] - 48
LEFT_EYE = [36, 37, 38, 39, 40, 41, 68]  # the viewer's; the last is the iris
RIGHT_EYE = [45, 44, 43, 42, 47, 46, 69]  # in the order of a left eye in the mirror
# Points above and below each other, among the mouth's and among those of an eye.
LIPS = tuple((upper - MOUTH[0], lower - MOUTH[0]) for upper, lower in ibug.INNER_LIPS)
LIDS = ((1, 5), (2, 4))
CORNERS = ((0, 6),)  # of the mouth


@dataclass(frozen=True)
class Reading:
    """What was read of one face, in px of its picture and degrees.

    landmarks (68, 2) in iBUG's order; irises (2, 2) and eye_open, the viewer's left first; yaw turns
    the nose to the viewer's right, pitch down, roll the head clockwise. mouth_open, mouth_width and eye_open
    are lengths on the head over the inter-ocular distance. The box goes from ear to ear and from hairline to
    chin.
    """

    landmarks: Tensor
    irises: Tensor
    box: Box
    yaw: float
    pitch: float
    roll: float
    mouth_open: float
    mouth_width: float
    eye_open: tuple[float, float]

    @property
    def squares(self) -> Squares:
        """Where to look for the same face in the next picture."""
        return around_points(self.landmarks[None])


class FaceReader(nn.Module):
    """The three networks; `read` is what they are for."""

    def __init__(self) -> None:
        super().__init__()
        self.face = PointNet(FACE_SIDE, POINTS + 2, 7, (16, 40, 64, 88), fine=False)
        self.mouth = PointNet(MOUTH_SIDE, len(MOUTH), 2, (24, 32, 56, 64), fine=True)
        self.eye = PointNet(EYE_SIDE, len(LEFT_EYE), 1, (16, 24, 40, 48), fine=True)

    @classmethod
    def load(cls, path: Path = WEIGHTS) -> Self:
        """From safetensors, frozen, in evaluation mode."""
        reader = cls()
        stored = {name: value.float() for name, value in load_file(path).items()}
        reader.load_state_dict(reader.state_dict() | stored)
        reader.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stub
        return reader.requires_grad_(False).eval()

    @torch.no_grad()
    def read(self, picture: Tensor, square: Squares, looks: int = 2) -> Reading:
        """The face in the first of `square`, in picture (H, W, 3), 0..1 or uint8.

        The face may be off the square's middle by a tenth of its side, a fifth larger or smaller, and turned
        by 45 degrees; with one look, as where it was seen in the frame before, it should be less.
        """
        near, shift, scale = _closer(picture, square)
        square = square.mapped(shift, scale)
        for _ in range(looks - 1):
            square = around_points(self._look(near, square)[0][:, :POINTS])
        points, pose, box = self._look(near, square)
        points, mouth = self._look_at_mouth(near, square, points)
        points, eyes = self._look_at_eyes(near, square, points)
        points = points[0] / scale + torch.tensor(shift)
        yaw, pitch, roll = pose.tolist()
        return Reading(
            landmarks=points[:POINTS],
            irises=points[POINTS:],
            box=box.mapped(0, 0, 1 / scale, 1 / scale).mapped(*shift, 1, 1),
            yaw=yaw,
            pitch=pitch,
            roll=roll,
            mouth_open=max(0.0, float(mouth[0])),
            mouth_width=max(0.0, float(mouth[1])),
            eye_open=(max(0.0, float(eyes[0])), max(0.0, float(eyes[1]))),
        )

    @staticmethod
    def pose_and_box(numbers: Tensor) -> tuple[Tensor, Tensor]:
        """What the numbers (N, 7) of a face are: yaw, pitch, roll (N, 3) in degrees as seen in the square,
        and the box (N, 4) as centre, width and height in half sides."""
        pose, box = numbers.split((3, 4), 1)
        return POSE_UNIT * pose, box.new_tensor(TYPICAL_BOX) + 0.2 * box

    @staticmethod
    def mouth_numbers(seen: Looked) -> Tensor:
        """Opening and width (N, 2): as the points are apart in the square, and what the network corrects."""
        measured = torch.stack([_mean_apart(seen.points, LIPS), _mean_apart(seen.points, CORNERS)], 1)
        return MOUTH_IN_EYES * measured + CORRECTION * seen.numbers

    @staticmethod
    def eye_numbers(seen: Looked) -> Tensor:
        """The opening (N, 1), likewise."""
        return EYE_IN_EYES * _mean_apart(seen.points, LIDS)[:, None] + CORRECTION * seen.numbers

    def _look(self, picture: Tensor, square: Squares) -> tuple[Tensor, Tensor, Box]:
        """Points (1, 70, 2), pose (3,) and box in the picture: means of a look and of one in the mirror."""
        crop = cut(picture, square, FACE_SIDE)
        places, numbers, _ = self.face(torch.cat([crop, crop.flip(-1)]))
        pose, box = self.pose_and_box(numbers)
        places = (places[:1] + places[1:, MIRRORED] * torch.tensor([-1.0, 1.0])) / 2
        yaw, pitch, roll = (pose[0] + pose[1] * torch.tensor([-1.0, 1.0, -1.0])) / 2
        x, y, width, height = (box[0] + box[1] * torch.tensor([-1.0, 1.0, 1.0, 1.0])) / 2
        middle = square.to_picture(torch.stack([x, y])[None, None])[0, 0]
        reach = torch.stack([width, height]) * square.sides / 4
        roll = (roll + square.angles[0].rad2deg() + 180) % 360 - 180
        corners = torch.cat([middle - reach, middle + reach])
        return square.to_picture(places), torch.stack([yaw, pitch, roll]), Box(*corners.tolist())

    def _look_at_mouth(self, picture: Tensor, square: Squares, points: Tensor) -> tuple[Tensor, Tensor]:
        """The points with the mouth's more exactly; opening and width (2,)."""
        closer = mouth_square(square, points)
        crop = cut(picture, closer, MOUTH_SIDE)
        seen = self.mouth(torch.cat([crop, crop.flip(-1)]))
        places = (seen.points[:1] + seen.points[1:, MIRRORED_MOUTH] * torch.tensor([-1.0, 1.0])) / 2
        points = points.clone()
        points[:, MOUTH] = closer.to_picture(places)
        return points, self.mouth_numbers(seen).mean(0)

    def _look_at_eyes(self, picture: Tensor, square: Squares, points: Tensor) -> tuple[Tensor, Tensor]:
        """The points with the eyes' more exactly; the openings (2,)."""
        squares = [eye_square(square, points, eye) for eye in (LEFT_EYE, RIGHT_EYE)]
        left, right = (cut(picture, closer, EYE_SIDE) for closer in squares)
        looked = self.eye(torch.cat([left, right.flip(-1)]))
        places = looked.points * torch.tensor([[[1.0, 1.0]], [[-1.0, 1.0]]])
        points = points.clone()
        for eye, closer, seen in zip((LEFT_EYE, RIGHT_EYE), squares, places, strict=True):
            points[:, eye] = closer.to_picture(seen[None])
        return points, self.eye_numbers(looked)[:, 0]


@cache
def shared_reader() -> FaceReader:
    """The one whose weights come with the package; loaded once."""
    reader = FaceReader.load()
    fuse_norms(reader)
    return reader.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stub


def read_points(picture: Tensor, face: Box) -> Tensor | None:
    """The landmarks (68, 2) of the face in that box, in px of picture (H, W, 3); None where what is there
    does not look like one, such as a drawing in a few strokes."""
    edges = torch.tensor([[face.x0, face.y0, face.x1, face.y1]])
    reading = shared_reader().read(picture, around_boxes(edges))
    return reading.landmarks if reading.box.iou(face) >= LIKE else None


def largest_points(picture: Tensor) -> Tensor | None:
    """As `read_points`, of the largest face that is found in the picture."""
    faces = search_faces(picture)
    return read_points(picture, faces[0]) if faces else None


def mouth_square(square: Squares, points: Tensor) -> Squares:
    """The square around the mouth of points (N, 68 or more, 2), given those around their faces."""
    return square.part(points[:, 48:60].mean(1), MOUTH_MM)


def eye_square(square: Squares, points: Tensor, eye: list[int]) -> Squares:
    return square.part(points[:, eye[:6]].mean(1), EYE_MM)


def _mean_apart(places: Tensor, pairs: tuple[tuple[int, int], ...]) -> Tensor:
    """How far the places (N, K, 2) of the pairs are apart on average: (N,)."""
    one, other = (list(side) for side in zip(*pairs, strict=True))
    return (places[:, one] - places[:, other]).norm(dim=-1).mean(1)


def _closer(picture: Tensor, square: Squares) -> tuple[Tensor, tuple[float, float], float]:
    """The part of picture (H, W, 3) around a square, (1, 3, h, w) in 0..1, made smaller where it is large;
    where it begins in the picture, and its px for one of the picture's."""
    (x, y), side = square.centres[0].tolist(), max(float(square.sides[0]), 1.0)
    rows, columns = (
        slice(min(max(0, int(middle - AROUND * side)), limit - 1), max(1, math.ceil(middle + AROUND * side)))
        for middle, limit in ((y, picture.shape[0]), (x, picture.shape[1]))
    )
    # as bytes, which are made smaller many times faster
    planes = to_bytes(picture[rows, columns]).movedim(-1, 0)[None]
    scale = min(1.0, SOURCE_SIDE / side)
    if scale < 1 and min(planes.shape[-2:]) * scale >= 1:
        planes = functional.interpolate(planes, scale_factor=scale, mode="bilinear", antialias=True)
    else:
        scale = 1.0
    return planes / 255, (float(columns.start), float(rows.start)), scale
