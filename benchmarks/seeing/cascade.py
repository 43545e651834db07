"""What found faces before there was a network for it: scikit-image's cascade, searched as the pack did."""

import math
from collections.abc import Iterator
from itertools import product

import numpy as np
from PIL import Image

from emo_modules.cues.box import Box

SIDE = 480  # px of a picture's long side
SMALLEST = 24  # the cascade's own window, px
NEIGHBOURS = 6  # hits that must agree; with the default 4 badges and cats pass for faces
PADDING = 0.25  # of the long side, black
TILED_FROM, TILE, MOST_TILES, OVERLAP = 960, 1200, 4, 0.2  # px, px, along each side, of a tile

# The cascade's square against the box from ear to ear and hairline to chin: median over 36 sample portraits
# of Hallo, EchoMimic and V-Express, whose single boxes differ by 10 %. The square begins at the forehead.
WIDTH, HEIGHT, RISE = 1.0, 1.06, 0.05


def search(picture: np.ndarray) -> list[Box]:
    """Faces of a picture (H, W, 3) uint8; where there are none, also at its edges and in its parts."""
    return next((boxes for look in (_whole, _padded, _tiled) if (boxes := look(picture))), [])


def _whole(picture: np.ndarray) -> list[Box]:
    from skimage import data
    from skimage.feature import Cascade

    height, width = picture.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    if min(size) < SMALLEST:
        return []
    smallest = max(SMALLEST, max(size) // 16)
    found = Cascade(data.lbp_frontal_face_cascade_filename()).detect_multi_scale(
        img=np.array(Image.fromarray(picture).resize(size, Image.Resampling.BOX)),
        scale_factor=1.2,
        step_ratio=1,
        min_size=(smallest, smallest),
        max_size=(min(size), min(size)),
        min_neighbor_number=NEIGHBOURS,
    )
    boxes = [_face(hit["c"], hit["r"], hit["width"]) for hit in found]
    return [box.mapped(0, 0, width / size[0], height / size[1]) for box in boxes]


def _face(x: float, y: float, side: float) -> Box:
    centre_x, centre_y = x + side / 2, y + (0.5 - RISE) * side
    half_width, half_height = WIDTH * side / 2, HEIGHT * side / 2
    return Box(centre_x - half_width, centre_y - half_height, centre_x + half_width, centre_y + half_height)


def _padded(picture: np.ndarray) -> list[Box]:
    edge = max(1, round(PADDING * max(picture.shape[:2])))
    wide = np.pad(picture, ((edge, edge), (edge, edge), (0, 0)))
    return [box.mapped(-edge, -edge, 1, 1) for box in _whole(wide)]


def _tiled(picture: np.ndarray) -> list[Box]:
    if max(picture.shape[:2]) < TILED_FROM:
        return []
    parts = product(_spans(picture.shape[0]), _spans(picture.shape[1]))
    return [
        box.mapped(columns.start, rows.start, 1, 1)
        for rows, columns in parts
        for box in _whole(np.ascontiguousarray(picture[rows, columns]))
    ]


def _spans(side: int) -> Iterator[slice]:
    count = min(max(2, math.ceil(side / TILE)), MOST_TILES)
    length = min(side, math.ceil(side / count * (1 + OVERLAP)))
    return (
        slice(start, start + length) for start in np.linspace(0, side - length, count).astype(int).tolist()
    )
