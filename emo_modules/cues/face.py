"""Where the face is, the region mask (EMO sec. 3.2), and the crop that the model sees.

A face's box goes from ear to ear and from hairline to chin, as the models were trained with. Boxes that a
user draws, masks, and boxes of other detectors are taken to be in this convention; `detect` brings its own to
it.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..config import Framing
from ..media.image import as_float_image, to_rgb
from .box import Box
from .detect import how_it_lies, search_faces

FACE_HEIGHT_LIMIT = 0.9  # of the crop's height; a wide crop would cut chins otherwise
# Found boxes err: a face may miss its framing by so much of its width, and its place by so much of a frame.
WIDTH_TOLERANCE, PLACE_TOLERANCE = 0.05, 0.03
EDGE = 0.01  # of a side: a mask this close to it reaches the picture's edge

Source = Literal["drawn", "mask", "given", "detected", "none"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Face:
    """A face's box in the picture's pixels, and what it was taken from; without a face the whole picture."""

    box: Box
    source: Source

    @property
    def found(self) -> bool:
        return self.source != "none"


def box_around(mask: Tensor) -> Box | None:
    """The smallest box around the pixels above 0.5 in mask (H, W); None when there are none."""
    rows, columns = (torch.where((mask > 0.5).any(dim=axis))[0].tolist() for axis in (1, 0))
    return Box(columns[0], rows[0], columns[-1] + 1, rows[-1] + 1) if rows else None


def find_face(
    image: Tensor | np.ndarray,
    box: Box | None = None,
    mask: Tensor | None = None,
    index: int = 0,
    given: Callable[[], Box | None] = lambda: None,
) -> Face:
    """The face in image (H, W, 3): the user's box, else the mask's, else what `given` returns of another
    detector's, else face `index` of those detected here.

    mask (H', W') may have another size than the picture. An empty one counts as none, since ComfyUI hands out
    empty masks with every opaque picture; so does one that is white along the picture's edges, as the mask of
    a cut-out's transparent background is. Without a face the whole picture is returned, with a warning.
    Raises ValueError for a box outside the picture, or an index beyond the faces found.
    """
    height, width = image.shape[:2]
    if box is not None:
        return Face(_inside(box, width, height), "drawn")
    if mask is not None and (masked := _masked(mask, width, height)):
        return Face(masked, "mask")
    if (other := given()) is not None:
        return Face(_inside(other, width, height), "given")
    faces = search_faces(image)
    if not faces:
        _log.warning("%s", _nothing_found(image))
        return Face(Box(0.0, 0.0, float(width), float(height)), "none")
    if not 0 <= index < len(faces):
        raise ValueError(f"face index {index}, but found {len(faces)}: give 0 (largest) to {len(faces) - 1}")
    return Face(faces[index], "detected")


def find_faces(
    image: Tensor | np.ndarray,
    masks: Iterable[Tensor],
    index: int = 0,
    given: Callable[[], Box | None] = lambda: None,
) -> list[Face]:
    """One face of each mask, in their order, or the one that `find_face` finds when none of them marks one.

    Raises ValueError as `find_face`, and when some of the masks mark a face and others do not.
    """
    height, width = image.shape[:2]
    marked = [_masked(mask, width, height) for mask in masks]
    boxes = [box for box in marked if box is not None]
    if not boxes:
        return [find_face(image, index=index, given=given)]
    if len(boxes) < len(marked):
        raise ValueError(
            f"mask {marked.index(None) + 1} of {len(marked)} marks no face: give one for each face, which is "
            "white on it"
        )
    return [Face(box, "mask") for box in boxes]


def _nothing_found(image: Tensor | np.ndarray) -> str:
    height, width = image.shape[:2]
    lies = how_it_lies(image)
    remedy = f"{lies}, or give a box or mask" if lies else "give a box or mask"
    return f"no face found in the {width}x{height} picture, using all of it: {remedy}"


def _masked(mask: Tensor, width: int, height: int) -> Box | None:
    """The mask's box in a picture of that size; None for a mask that says nothing of a face."""
    if (found := box_around(mask)) is None:
        _log.warning("the face mask %s is empty, looking for a face instead", tuple(mask.shape))
        return None
    box = found.mapped(0, 0, width / mask.shape[1], height / mask.shape[0])
    x, y = EDGE * width, EDGE * height
    if sum((box.x0 <= x, box.y0 <= y, box.x1 >= width - x, box.y1 >= height - y)) < 3:
        return box
    _log.warning(
        "the face mask is white along the picture's edges, as Load Image's mask of a cut-out is outside the "
        "person: looking for a face instead; paint only the face white"
    )
    return None


def _inside(box: Box, width: int, height: int) -> Box:
    clipped = box.clipped(width, height)
    if clipped.area == 0:
        edges = ", ".join(f"{edge:g}" for edge in (box.x0, box.y0, box.x1, box.y1))
        raise ValueError(
            f"the box {edges} has no area inside the {width}x{height} picture: draw it around the face"
        )
    return clipped


def region_mask(boxes: Iterable[Box], height: int, width: int) -> Tensor:
    """The union of a clip's face boxes (EMO sec. 3.2): (1, height, width), 1 inside and 0 outside."""
    mask = torch.zeros(1, height, width)
    for box in boxes:
        box = box.clipped(width, height)
        mask[:, round(box.y0) : round(box.y1), round(box.x0) : round(box.x1)] = 1
    return mask


@dataclass(frozen=True)
class Crop:
    """Which part of a picture the model sees: `box` in whole source pixels, shown at width x height.

    The box may exceed the picture; what lies outside repeats the picture's edge. `face` is the face's box
    in source pixels, None where no face was found.
    """

    source_width: int
    source_height: int
    box: Box
    width: int
    height: int
    face: Box | None = None


def crop_to_face(
    image: Tensor | np.ndarray, face: Face, width: int, height: int, framing: Framing | None = None
) -> tuple[Tensor, Crop, Box]:
    """The picture (3, height, width) in 0..1 around face, how it was cut, and the face's box in its pixels.

    image (H, W, C). A picture whose face stands as in the training pictures is kept whole. A smaller face is
    brought to `framing.face` of the crop's width, a larger one a little below `framing.most`, and one that is
    too high gets the height that it needs. The crop is moved, as far as the framing allows, before it is
    padded where it leaves the picture. Without a face all of the picture is shown, and the face is taken to
    be where it mostly was in training.
    """
    framing = framing or Framing()
    planes = to_rgb(as_float_image(image)).movedim(-1, 0)
    source_height, source_width = planes.shape[1:]
    box = crop_box(face, source_width, source_height, width / height, framing)
    crop = Crop(source_width, source_height, box, width, height, face.box if face.found else None)
    cut = cut_out(planes, crop)
    if not face.found:
        return cut, crop, typical_face(framing, width, height)
    return cut, crop, face.box.mapped(-box.x0, -box.y0, width / box.width, height / box.height)


def cut_out(planes: Tensor, crop: Crop) -> Tensor:
    """What a crop shows of a picture (3, H, W) in 0..1 of its source's size: (3, height, width)."""
    # Clamped indices repeat the edge wherever the box exceeds the picture.
    rows = torch.arange(int(crop.box.y0), int(crop.box.y1)).clamp(0, crop.source_height - 1)
    columns = torch.arange(int(crop.box.x0), int(crop.box.x1)).clamp(0, crop.source_width - 1)
    return resize(planes[:, rows][:, :, columns][None], crop.height, crop.width)[0]


def typical_face(framing: Framing, width: int, height: int) -> Box:
    """Where a face mostly is in a crop of that size."""
    side = min(framing.face * width, FACE_HEIGHT_LIMIT * height) / 2
    x, y = framing.centre[0] * width, framing.centre[1] * height
    return Box(x - side, y - side, x + side, y + side)


def crop_box(face: Face, source_width: int, source_height: int, aspect: float, framing: Framing) -> Box:
    """What `crop_to_face` cuts out of a picture of that size for crops of that aspect (width over height)."""
    size = _crop_width(face, source_width, source_height, aspect, framing)
    crop_width, crop_height = max(1, round(size)), max(1, round(size / aspect))
    centre = face.box.centre if face.found else (source_width / 2, source_height / 2)
    place = framing if face.found else Framing()
    x0, y0 = (
        _placed(*each)
        for each in zip(
            centre,
            (crop_width, crop_height),
            (source_width, source_height),
            place.centre,
            place.drift,
            strict=True,
        )
    )
    return Box(x0, y0, x0 + crop_width, y0 + crop_height)


def _crop_width(face: Face, source_width: int, source_height: int, aspect: float, framing: Framing) -> float:
    largest = max(source_width, source_height * aspect)  # shows all of the picture
    if not face.found:
        return largest
    unpadded = min(source_width, source_height * aspect)
    share = _share_for(face.box.width / unpadded, framing)
    desired = max(face.box.width / share, face.box.height / FACE_HEIGHT_LIMIT * aspect)
    return desired if framing.most < 1 else min(desired, largest)


def _share_for(share: float, framing: Framing) -> float:
    """Of a crop's width, for a face that takes `share` of the picture's; the same where training had such.

    A larger face gets no more room than it must, since that room repeats the picture's edge.
    """
    if share > framing.most * (1 + WIDTH_TOLERANCE):
        return max(framing.face, framing.most * (1 - WIDTH_TOLERANCE))
    return framing.face if share < framing.least * (1 - WIDTH_TOLERANCE) else share


def _placed(centre: float, size: int, limit: int, at: float, drift: float) -> float:
    """Start of a span that has `centre` at the share `at` of it.

    Moved inside 0..limit, or around it when the span is the longer one, by at most `drift` of its size.
    """
    wanted = centre - size * at
    low, high = sorted((0, limit - size))
    inside = min(max(wanted, low), high)
    most = (drift + PLACE_TOLERANCE) * size
    return float(round(min(max(inside, wanted - most), wanted + most)))


def resize(images: Tensor, height: int, width: int) -> Tensor:
    """Images (N, C, H, W) in 0..1 at another size, still in 0..1."""
    if images.shape[-2:] == (height, width):
        return images
    scaled = functional.interpolate(images, size=(height, width), mode="bicubic", antialias=True)
    return scaled.clamp(0, 1)
