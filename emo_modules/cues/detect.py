"""Where the faces of a picture are. All boxes go from ear to ear and from hairline to chin."""

import math
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..media.image import as_float_image, to_rgb
from .box import Box
from .pyramid import FINEST, FoundFace, PyramidFinder

WEIGHTS = Path(__file__).with_name("faces.safetensors")
PADDING = 0.25  # of the long side: a face at the picture's edge is found in a larger picture
TILED_FROM = 960  # px of the long side: from here on a face may be too small to see in the whole picture
TILE, MOST_TILES = 640, 5  # px of a tile's sides, and how many there are of them along each side
OVERLAP = 0.2  # of a tile
SURE_TO_LIE = 0.65  # score of a face in a turned picture, by the rule of benchmarks/face_thresholds.py
TURNS = {
    1: "it seems to lie on its side: turn it a quarter to the left",
    3: "it seems to lie on its side: turn it a quarter to the right",
    2: "it seems to be upside down: turn it",
}


def search_faces(image: Tensor | np.ndarray) -> list[Box]:
    """As `detect_faces`; where that finds nothing, also at the picture's edges and in parts of large ones."""
    return [face.box for face in _search(_rgb(image))]


def detect_faces(image: Tensor | np.ndarray) -> list[Box]:
    """Faces that are turned by at most 70 degrees in image (H, W, 3), uint8 or 0..1, largest first.

    The picture is searched at 416 px on its long side at most, for faces of at least 1/24 of that side. Boxes
    may reach out of the picture.
    """
    return [face.box for face in detect_people(image)]


def detect_people(image: Tensor | np.ndarray) -> list[FoundFace]:
    """As `detect_faces`, with scores and points."""
    return _whole(_rgb(image))


def search_people(image: Tensor | np.ndarray) -> list[FoundFace]:
    """As `search_faces`, with scores and points; where that is not sure, also with the picture turned."""
    picture = _rgb(image)
    faces = _search(picture)
    return faces if _sure(faces) else _lying(picture)[1] or faces


def how_it_lies(image: Tensor | np.ndarray) -> str | None:
    """What to do with a picture that shows a face only after a turn; None when it shows none at all."""
    return TURNS.get(_lying(_rgb(image))[0])


def _rgb(image: Tensor | np.ndarray) -> Tensor:
    """(H, W, 3) of floats in 0..1, or of bytes, which are made smaller ten times as fast."""
    picture = torch.as_tensor(image).cpu()
    if picture.dtype == torch.uint8 and picture.shape[-1] == 3:
        return picture
    return to_rgb(as_float_image(picture))


def _search(picture: Tensor) -> list[FoundFace]:
    return next((faces for look in (_whole, _padded, _tiled) if (faces := look(picture))), [])


def _lying(picture: Tensor) -> tuple[int, list[FoundFace]]:
    """The faces of a picture that lies, and how many quarters to the left it has to be turned; 0 without any.

    A face on its side may be found in two turns: the one in which it is surer counts.
    """
    height, width = picture.shape[:2]
    looks = ((turn, _whole(picture.rot90(turn))) for turn in TURNS)
    found = [(turn, sure) for turn, faces in looks if (sure := _sure(faces))]
    turn, faces = max(found, key=lambda each: max(face.score for face in each[1]), default=(0, []))
    return turn, [face.turned_back(turn, width, height) for face in faces]


def _whole(picture: Tensor) -> list[FoundFace]:
    small = _shrunk(picture)
    scale = picture.shape[1] / small.shape[1], picture.shape[0] / small.shape[0]
    return [face.mapped(0, 0, *scale) for face in _distinct(_finder().find(small))]


def _padded(picture: Tensor) -> list[FoundFace]:
    height, width = picture.shape[:2]
    edge = max(1, round(PADDING * max(height, width)))
    # with black, which finds more faces than the edge repeated
    planes = functional.pad(picture.movedim(-1, 0)[None], (edge,) * 4)
    faces = [face.mapped(-edge, -edge, 1, 1) for face in _whole(planes[0].movedim(0, -1))]
    return [face for face in faces if 0 <= face.box.centre[0] < width and 0 <= face.box.centre[1] < height]


def _tiled(picture: Tensor) -> list[FoundFace]:
    if max(picture.shape[:2]) < TILED_FROM:
        return []
    faces = []
    for rows, columns in _tiles(*picture.shape[:2]):
        faces += [face.mapped(columns.start, rows.start, 1, 1) for face in _whole(picture[rows, columns])]
    return _distinct(faces)


def _sure(faces: list[FoundFace]) -> list[FoundFace]:
    return [face for face in faces if face.score >= SURE_TO_LIE]


def _tiles(height: int, width: int) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of parts that overlap."""
    return product(_spans(height), _spans(width))


def _spans(side: int) -> list[slice]:
    count = min(max(2, math.ceil(side / TILE)), MOST_TILES)
    length = min(side, math.ceil(side / count * (1 + OVERLAP)))
    starts = np.linspace(0, side - length, count).astype(int).tolist()
    return [slice(start, start + length) for start in starts]


@cache
def _finder() -> PyramidFinder:
    return PyramidFinder.load(WEIGHTS).fused()


def _shrunk(picture: Tensor) -> Tensor:
    """A picture (H, W, 3) of bytes or floats in 0..1, its long side at most 416 px."""
    height, width = picture.shape[:2]
    scale = min(1.0, FINEST / max(height, width))
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    planes = picture.movedim(-1, 0)[None]
    small = functional.interpolate(planes, size=size, mode="bilinear", antialias=True)[0].movedim(0, -1)
    return as_float_image(small)


def _distinct(faces: list[FoundFace]) -> list[FoundFace]:
    of = {face.box: face for face in faces}
    return [of[box] for box in without_repeats(list(of))]


def without_repeats(boxes: list[Box]) -> list[Box]:
    """Largest first; a box whose centre lies in a larger one is the same face again."""
    kept: list[Box] = []
    for box in sorted(boxes, key=lambda box: box.area, reverse=True):
        x, y = box.centre
        if not any(other.x0 <= x < other.x1 and other.y0 <= y < other.y1 for other in kept):
            kept.append(box)
    return kept
