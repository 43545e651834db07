"""Where the faces of a picture are."""

import numpy as np
from torch import Tensor
from torch.nn import functional

from .box import Box
from .image import as_float_image, to_rgb

DETECTION_SIDE = 480
SMALLEST_FACE = 24  # the cascade's own window, px
NEIGHBOURS = 6  # hits that must agree; with the default 4 badges and cats pass for faces


def detect_faces(image: Tensor | np.ndarray) -> list[Box]:
    """Frontal faces in image (H, W, 3), uint8 or 0..1, largest first, by scikit-image's cascade.

    The picture is searched at 480 px on its long side at most, for faces of at least 1/16 of that side.
    """
    from skimage import data
    from skimage.feature import Cascade

    pixels, scale = _detection_picture(image)
    height, width = pixels.shape[:2]
    short = min(height, width)
    if short < SMALLEST_FACE:
        return []
    smallest = max(SMALLEST_FACE, max(height, width) // 16)
    found = Cascade(data.lbp_frontal_face_cascade_filename()).detect_multi_scale(
        img=pixels,
        scale_factor=1.2,
        step_ratio=1,
        min_size=(smallest, smallest),
        max_size=(short, short),
        min_neighbor_number=NEIGHBOURS,
    )
    boxes = [Box(f["c"], f["r"], f["c"] + f["width"], f["r"] + f["height"]) for f in found]
    return [box.mapped(0, 0, *scale) for box in without_repeats(boxes)]


def _detection_picture(image: Tensor | np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """uint8 RGB of bounded size, and the (x, y) factors from its pixels back to image's."""
    planes = to_rgb(as_float_image(image)).movedim(-1, 0)[None]
    height, width = planes.shape[-2:]
    shrink = DETECTION_SIDE / max(height, width)
    if shrink < 1:
        size = (max(1, round(height * shrink)), max(1, round(width * shrink)))
        planes = functional.interpolate(planes, size=size, mode="bilinear", antialias=True)
    pixels = (planes[0].movedim(0, -1) * 255).round().byte().cpu().numpy()
    return np.ascontiguousarray(pixels), (width / pixels.shape[1], height / pixels.shape[0])


def without_repeats(boxes: list[Box]) -> list[Box]:
    """Largest first; a box whose centre lies in a larger one is the same face again."""
    kept: list[Box] = []
    for box in sorted(boxes, key=lambda box: box.area, reverse=True):
        x, y = box.centre
        if not any(other.x0 <= x < other.x1 and other.y0 <= y < other.y1 for other in kept):
            kept.append(box)
    return kept
