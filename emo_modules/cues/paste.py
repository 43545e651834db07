"""Generated frames put back into the picture that their crop was cut from."""

from collections.abc import Iterator

import torch
from torch import Tensor

from ..media.image import as_float_image, to_rgb
from .box import Box
from .face import Crop, resize


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
        full = resize(planes, int(box.height), int(box.width))[0].movedim(0, -1)
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
