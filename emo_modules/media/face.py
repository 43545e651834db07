"""Where the face is, the region mask (EMO sec. 3.2), the crop the model sees and the way back."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .box import Box
from .detect import detect_faces
from .image import as_float_image, to_rgb

FACE_HEIGHT_LIMIT = 0.9  # of the crop's height; a wide crop would cut chins otherwise

_log = logging.getLogger(__name__)


def box_from_mask(mask: Tensor) -> Box:
    """The smallest box around the pixels above 0.5 in mask (H, W). Raises ValueError when there is none."""
    rows, columns = (mask > 0.5).nonzero(as_tuple=True)
    if len(rows) == 0:
        raise ValueError(f"the face mask {tuple(mask.shape)} is empty: paint the face in white (above 0.5)")
    return Box(columns.min().item(), rows.min().item(), columns.max().item() + 1, rows.max().item() + 1)


def find_face(
    image: Tensor | np.ndarray, box: Box | None = None, mask: Tensor | None = None, index: int = 0
) -> Box:
    """The face in image (H, W, 3): the user's box, else the mask's, else face `index` of those detected.

    mask (H', W') may have another size than the picture; an empty one counts as none, since ComfyUI hands out
    empty masks with every opaque picture. When no face is found the whole picture is returned with a warning.
    Raises ValueError for a box outside the picture, or an index beyond the faces found.
    """
    height, width = image.shape[:2]
    if box is not None:
        return _inside(box, width, height)
    if mask is not None and bool((mask > 0.5).any()):
        return box_from_mask(mask).mapped(0, 0, width / mask.shape[1], height / mask.shape[0])
    if mask is not None:
        _log.warning("the face mask %s is empty, looking for a face instead", tuple(mask.shape))
    faces = detect_faces(image)
    if not faces:
        _log.warning("no face found in the %dx%d picture, using all of it: give a box or mask", width, height)
        return Box(0.0, 0.0, float(width), float(height))
    if not 0 <= index < len(faces):
        raise ValueError(f"face index {index}, but found {len(faces)}: give 0 (largest) to {len(faces) - 1}")
    return faces[index]


def _inside(box: Box, width: int, height: int) -> Box:
    clipped = box.clipped(width, height)
    if clipped.area == 0:
        raise ValueError(f"{box} has no area inside the {width}x{height} picture: draw it around the face")
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

    The box may exceed the picture; what lies outside repeats the picture's edge.
    """

    source_width: int
    source_height: int
    box: Box
    width: int
    height: int


def crop_to_face(
    image: Tensor | np.ndarray, face: Box, width: int, height: int, face_fraction: float = 0.58
) -> tuple[Tensor, Crop, Box]:
    """The picture (3, height, width) in 0..1 around face, how it was cut, and the face box in its pixels.

    image (H, W, C). The face's width is face_fraction of the crop's and the face stands in the middle; the
    crop is moved rather than padded where it leaves the picture, and never larger than needed to show all of
    the picture, so that a tightly framed portrait is kept as it is.
    """
    planes = to_rgb(as_float_image(image)).movedim(-1, 0)
    source_height, source_width = planes.shape[1:]
    box = _crop_box(face, source_width, source_height, width / height, face_fraction)
    # Clamped indices repeat the edge wherever the box exceeds the picture.
    rows = torch.arange(int(box.y0), int(box.y1)).clamp(0, source_height - 1)
    columns = torch.arange(int(box.x0), int(box.x1)).clamp(0, source_width - 1)
    cut = _resized(planes[:, rows][:, :, columns][None], height, width)[0]
    crop = Crop(source_width, source_height, box, width, height)
    return cut, crop, face.mapped(-box.x0, -box.y0, width / box.width, height / box.height)


def _crop_box(face: Box, source_width: int, source_height: int, aspect: float, fraction: float) -> Box:
    desired = max(face.width / fraction, face.height / FACE_HEIGHT_LIMIT * aspect)
    whole_picture = max(source_width, source_height * aspect)
    crop_width = max(1, round(min(desired, whole_picture)))
    crop_height = max(1, round(min(desired, whole_picture) / aspect))
    x, y = face.centre
    x0 = _placed(x, crop_width, source_width)
    y0 = _placed(y, crop_height, source_height)
    return Box(x0, y0, x0 + crop_width, y0 + crop_height)


def _placed(centre: float, size: int, limit: int) -> float:
    """Start of a span about centre, moved inside 0..limit, or around it when the span is the longer one."""
    low, high = sorted((0, limit - size))
    return float(min(max(round(centre - size / 2), low), high))


def _resized(images: Tensor, height: int, width: int) -> Tensor:
    if images.shape[-2:] == (height, width):
        return images
    resized = functional.interpolate(images, size=(height, width), mode="bicubic", antialias=True)
    return resized.clamp(0, 1)


def paste_back(frames: Tensor, original: Tensor, crop: Crop, feather: int) -> Tensor:
    """Frames at the original's size: (F, H, W, 3) in 0..1, float32.

    frames (F, h, w, 3) show the crop at any resolution; original (H, W, 3). The crop's edges fade into the
    original over `feather` of its pixels, except where the crop reaches the picture's own edge. Raises
    ValueError when the original is not the picture the crop was cut from.
    """
    original = to_rgb(as_float_image(original))
    if tuple(original.shape[:2]) != (crop.source_height, crop.source_width):
        raise ValueError(
            f"the crop was cut from a {crop.source_width}x{crop.source_height} picture, "
            f"got {original.shape[1]}x{original.shape[0]}: give the same picture as for the crop"
        )
    pasted = original.repeat(len(frames), 1, 1, 1)
    inside = crop.box.clipped(crop.source_width, crop.source_height)
    rows, columns = slice(int(inside.y0), int(inside.y1)), slice(int(inside.x0), int(inside.x1))
    alpha = _feather_weights(crop, feather)[rows, columns, None]
    for target, piece in zip(pasted, _crop_pieces(frames, crop, inside), strict=True):
        target[rows, columns] = torch.lerp(original[rows, columns], piece, alpha)
    return pasted


def _crop_pieces(frames: Tensor, crop: Crop, inside: Box) -> Iterator[Tensor]:
    """Frame by frame, the part of the crop that lies inside the picture, in the picture's pixels."""
    box = crop.box
    part = inside.mapped(-box.x0, -box.y0, 1, 1)
    for frame in frames:
        planes = to_rgb(as_float_image(frame)).movedim(-1, 0)[None]
        full = _resized(planes, int(box.height), int(box.width))[0].movedim(0, -1)
        yield full[int(part.y0) : int(part.y1), int(part.x0) : int(part.x1)]


def _feather_weights(crop: Crop, feather: int) -> Tensor:
    """(H, W) of the source: 1 well inside the crop, falling to 0 at its edges."""
    box = crop.box
    across = _ramp(crop.source_width, box.x0, box.x1, feather)
    down = _ramp(crop.source_height, box.y0, box.y1, feather)
    return torch.minimum(down[:, None], across[None, :])


def _ramp(size: int, start: float, stop: float, feather: int) -> Tensor:
    pixels = torch.arange(size) + 0.5
    distance_low = pixels - start if start > 0 else torch.full((size,), torch.inf)
    distance_high = stop - pixels if stop < size else torch.full((size,), torch.inf)
    return (torch.minimum(distance_low, distance_high) / max(feather, 0.5)).clamp(0, 1)
