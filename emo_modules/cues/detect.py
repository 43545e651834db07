"""Where the faces of a picture are: drawn ones by a small network, photographed ones by a cascade.

All boxes go from ear to ear and from hairline to chin.
"""

import math
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..media.image import as_float_image, to_bytes, to_rgb
from .box import Box
from .finder import DRAWN_WIDTHS, SAME_FACE, SURE, FaceFinder
from .pyramid import FINEST, FoundFace

WEIGHTS = Path(__file__).with_name("drawn_faces.safetensors")
SMALLEST_FACE = 24  # the cascade's own window, px
NEIGHBOURS = 6  # hits that must agree; with the default 4 badges and cats pass for faces
FEW_NEIGHBOURS = 2  # where the network sees a face in the same place
CLOSE = 0.62  # of a cut's side: the drawn face when it is measured

PERHAPS = 0.3  # the network's score for that
SAME_PLACE = 0.4  # overlap (IoU) for that

# The cascade's square against the box from ear to ear and hairline to chin: median over 36 sample portraits
# of Hallo, EchoMimic and V-Express, whose single boxes differ by 10 %. The square begins at the forehead.
CASCADE_WIDTH, CASCADE_HEIGHT, CASCADE_RISE = 1.0, 1.06, 0.05

# Flat colour tells drawings from photographs: at 40 px, the share of pixels that differ by at most 6 of 255
# from those to the right and below. Of 40 drawn faces none has less than 0.46, as JPEG of 512 px too; of 37
# sample portraits of the relatives 36 have less than 0.36, and the other one is a flat cartoon.
FLAT_SIDE, FLAT_STEP, FLAT_SHARE = 40, 6 / 255, 0.36

PADDING = 0.25  # of the long side: a drawn face at the picture's edge is found in a larger picture
TILED_FROM = 960  # px of the long side: from here on a face may be too small to see in the whole picture
TILE, MOST_TILES = 1200, 4  # px of a tile's sides, and how many there are of them along each side
OVERLAP = 0.2  # of a tile
TURNS = {
    1: "it seems to lie on its side: turn it a quarter to the left",
    3: "it seems to lie on its side: turn it a quarter to the right",
    2: "it seems to be upside down: turn it",
}


def search_faces(image: Tensor | np.ndarray) -> list[Box]:
    """As `detect_faces`; where that finds nothing, also at the picture's edges and in parts of large ones."""
    return [face.box for face in _search(_rgb(image))]


def detect_faces(image: Tensor | np.ndarray) -> list[Box]:
    """Upright frontal faces in image (H, W, 3), uint8 or 0..1, largest first.

    The picture is searched at 480 px on its long side at most, for faces of at least 1/16 of that side.
    """
    return [face.box for face in detect_people(image)]


def detect_people(image: Tensor | np.ndarray) -> list[FoundFace]:
    """As `detect_faces`, with scores and points."""
    return _whole(_rgb(image))


def search_people(image: Tensor | np.ndarray) -> list[FoundFace]:
    """As `search_faces`, with scores and points; where that finds nothing, also with the picture turned."""
    picture = _rgb(image)
    return _search(picture) or _lying(picture)[1]


def how_it_lies(image: Tensor | np.ndarray) -> str | None:
    """What to do with a picture that shows a face only after a turn; None when it shows none at all."""
    return TURNS.get(_lying(_rgb(image))[0])


def looks_drawn(picture: Tensor, face: Box) -> bool:
    """Whether the face in picture (H, W, 3), in 0..1, is of flat colours, as drawings are and photographs are
    not. A box without area counts as drawn."""
    box = face.clipped(picture.shape[1], picture.shape[0])
    part = picture[int(box.y0) : round(box.y1), int(box.x0) : round(box.x1)].movedim(-1, 0)[None]
    if not part.numel():
        return True
    part = functional.interpolate(part, (FLAT_SIDE, FLAT_SIDE), mode="bilinear", antialias=True)[0]
    across = (part[:, :-1, 1:] - part[:, :-1, :-1]).abs().amax(0)
    down = (part[:, 1:, :-1] - part[:, :-1, :-1]).abs().amax(0)
    return bool((torch.maximum(across, down) <= FLAT_STEP).float().mean() >= FLAT_SHARE)


def _rgb(image: Tensor | np.ndarray) -> Tensor:
    """(H, W, 3) in 0..1, where the network and the cascade are."""
    return to_rgb(as_float_image(image)).cpu()


def _search(picture: Tensor) -> list[FoundFace]:
    return next((faces for look in (_whole, _padded, _tiled) if (faces := look(picture))), [])


def _lying(picture: Tensor) -> tuple[int, list[FoundFace]]:
    """The faces of a picture that lies, and how many quarters to the left it has to be turned; 0 without any.

    A face on its side may be found in two turns: the one in which it is more upright counts.
    """
    height, width = picture.shape[:2]
    found = [(turn, faces) for turn in TURNS if (faces := _whole(picture.rot90(turn)))]
    turn, faces = min(found, key=lambda each: abs(each[1][0].roll), default=(0, []))
    return turn, [face.turned_back(turn, width, height) for face in faces]


def _whole(picture: Tensor) -> list[FoundFace]:
    small = _shrunk(picture)
    scale = picture.shape[1] / small.shape[1], picture.shape[0] / small.shape[0]
    seen = _finder().find(small, PERHAPS)
    drawn = [
        FoundFace.upright(_look_closely(small, box), score)
        for box, score in seen
        if score >= SURE and looks_drawn(small, box)
    ]
    hits = _cascade(small, NEIGHBOURS)
    if not drawn and not hits:
        hits = [
            box
            for box in _cascade(small, FEW_NEIGHBOURS)
            if any(score >= PERHAPS and box.iou(other) >= SAME_PLACE for other, score in seen)
        ]
    # A drawn face's parts pass for faces with the cascade.
    photographed = [
        FoundFace.upright(box, 1.0) for box in hits if not any(box.iou(other.box) > 0 for other in drawn)
    ]
    return [face.mapped(0, 0, *scale) for face in _distinct(drawn + photographed)]


def _look_closely(picture: Tensor, box: Box) -> Box:
    """The box once more, from a cut in which the face is as large as the network measures best."""
    side = max(1, round(max(box.width, box.height) / CLOSE))
    x0, y0 = (round(centre - side / 2) for centre in box.centre)
    rows, columns = (
        torch.arange(start, start + side).clamp(0, limit - 1)
        for start, limit in zip((y0, x0), picture.shape[:2], strict=True)
    )
    found = [again.mapped(x0, y0, 1, 1) for again, _ in _finder().find(picture[rows][:, columns], SURE)]
    best = max(found, key=box.iou, default=box)
    return best if box.iou(best) >= SAME_FACE else box


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


def _tiles(height: int, width: int) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of parts that overlap."""
    return product(_spans(height), _spans(width))


def _spans(side: int) -> list[slice]:
    count = min(max(2, math.ceil(side / TILE)), MOST_TILES)
    length = min(side, math.ceil(side / count * (1 + OVERLAP)))
    starts = np.linspace(0, side - length, count).astype(int).tolist()
    return [slice(start, start + length) for start in starts]


@cache
def _finder() -> FaceFinder:
    return FaceFinder.load(WEIGHTS, DRAWN_WIDTHS)


def _cascade(picture: Tensor, neighbours: int) -> list[Box]:
    """Boxes that the cascade finds in a picture (H, W, 3) of bounded size."""
    from skimage import data
    from skimage.feature import Cascade

    height, width = picture.shape[:2]
    short = min(height, width)
    if short < SMALLEST_FACE:
        return []
    smallest = max(SMALLEST_FACE, max(height, width) // 16)
    found = Cascade(data.lbp_frontal_face_cascade_filename()).detect_multi_scale(
        img=np.ascontiguousarray(to_bytes(picture).numpy()),
        scale_factor=1.2,
        step_ratio=1,
        min_size=(smallest, smallest),
        max_size=(short, short),
        min_neighbor_number=neighbours,
    )
    return [_from_cascade(f["c"], f["r"], f["width"]) for f in found]


def _from_cascade(x: float, y: float, side: float) -> Box:
    """The box from ear to ear and hairline to chin for a square of the cascade's."""
    centre_x, centre_y = x + side / 2, y + (0.5 - CASCADE_RISE) * side
    half_width, half_height = CASCADE_WIDTH * side / 2, CASCADE_HEIGHT * side / 2
    return Box(centre_x - half_width, centre_y - half_height, centre_x + half_width, centre_y + half_height)


def _shrunk(picture: Tensor) -> Tensor:
    height, width = picture.shape[:2]
    scale = FINEST / max(height, width)
    if scale >= 1:
        return picture
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    planes = picture.movedim(-1, 0)[None]
    return functional.interpolate(planes, size=size, mode="bilinear", antialias=True)[0].movedim(0, -1)


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
