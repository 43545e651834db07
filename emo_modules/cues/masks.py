"""Masks that EMO's relatives make from face boxes: Hallo's for its audio attention, and the locators'."""

import math

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from .box import Box
from .face import region_mask

FACE_GROWTH = 1.2  # Hallo's face_expand_ratio
LIPS_GROWTH = 2.0
DILATION = 0.1  # EchoMimic's facemusk_dilation_ratio, of the side, on every side

BLURRED_SIDE = 64  # Hallo blurs at this size whatever the picture's
FACE_KERNEL = 51
LIPS_KERNEL = 31
LEVELS = 4

# The lips inside a face's box, as x0, y0, x1, y1 of its sides: read off V-Express's 25 sample portraits by
# eye. The lips of a single face lie up to 0.1 higher or lower.
LIPS_IN_FACE = (0.34, 0.76, 0.66, 0.90)


def attention_masks(face: Box, lips: Box | None, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Hallo's masks for audio attention: full (the background), face without lips, and lips.

    face is the box around the face's outline and lips that around the outer lips, in pixels of a height x
    width picture; without lips their place is estimated from the face. Both are enlarged here, as Hallo does.
    Each mask is (ceil(height / 8), ceil(width / 8)) in 0..1, in steps of 1/255.
    Source: Hallo, hallo/utils/util.py and hallo/datasets/image_processor.py.
    """
    lips = lips or estimate_lips(face)
    face_mask = _blurred(_grown(face, FACE_GROWTH, height, width), FACE_KERNEL)
    lips_mask = _blurred(_grown(lips, LIPS_GROWTH, height, width), LIPS_KERNEL)
    # Hallo inverts in floating point and cuts the fraction off, so that some values are 1/255 too small.
    full_mask = ((1 - face_mask.double() / 255) * 255).floor().float()
    separate = (full_mask, (face_mask - lips_mask).clamp(min=0), lips_mask)
    full, inner, mouth = (_shrunk(mask, _eighth(height), _eighth(width)) / 255 for mask in separate)
    return full, inner, mouth


def mask_levels(mask: Tensor) -> list[Tensor]:
    """The mask (h, w) in 0..1 for the UNet's four resolutions: 1, 1/2, 1/4, 1/8, each flattened to (tokens,).

    Values come in steps of 1/255.
    """
    pixels = (mask * 255).round()
    return [(_shrunk(pixels, *size) / 255).flatten() for size in level_sizes(*mask.shape)]


def level_sizes(height: int, width: int) -> list[tuple[int, int]]:
    """Of the UNet's four resolutions; odd sides are rounded up, as the UNet's downsampling rounds them."""
    return [(math.ceil(height / 2**level), math.ceil(width / 2**level)) for level in range(LEVELS)]


def estimate_lips(face: Box) -> Box:
    """Where the lips of a frontal face are, given find_face's box around it; see LIPS_IN_FACE."""
    x0, y0, x1, y1 = LIPS_IN_FACE
    return Box(
        face.x0 + x0 * face.width,
        face.y0 + y0 * face.height,
        face.x0 + x1 * face.width,
        face.y0 + y1 * face.height,
    )


def hallo_region(face: Box, height: int, width: int) -> Tensor:
    """Hallo's locator picture (3, height, width): 1 in the box enlarged 1.2 times, else 0.

    face is the box around the face's outline in pixels of the picture. A box that would leave the picture is
    moved inside it.
    """
    return _grown(face, FACE_GROWTH, height, width).expand(3, -1, -1).clone()


def echomimic_region(face: Box, height: int, width: int) -> Tensor:
    """EchoMimic's locator picture (1, height, width): 1 in the box dilated by 10 % on every side, else 0.

    face is a face detector's box in pixels of the picture (there MTCNN's). Source: infer_audio2vid.py.
    """
    (x0, x1), (y0, y1) = _dilated_span(face.x0, face.x1), _dilated_span(face.y0, face.y1)
    return region_mask([Box(x0, y0, x1, y1)], height, width)


def _dilated_span(start: float, stop: float) -> tuple[int, int]:
    first, last = round(start), round(stop)
    padding = int((last - first) * DILATION)
    return first - padding, last + padding


def _grown(box: Box, factor: float, height: int, width: int) -> Tensor:
    (x0, x1) = _grown_span(box.x0, box.x1, factor, width)
    (y0, y1) = _grown_span(box.y0, box.y1, factor, height)
    return region_mask([Box(x0, y0, x1, y1)], height, width)


def _grown_span(start: float, stop: float, factor: float, limit: int) -> tuple[int, int]:
    """Whole pixels about the same middle, moved inside 0..limit; all of it when the span is longer."""
    first, last = round(start), round(stop)
    middle = (first + last) // 2
    half = int((last - first) * factor // 2)
    first, last = middle - half, middle + half
    if first < 0:
        first, last = 0, last - first
    if last > limit:
        first, last = first - (last - limit), limit
    return first, last


def _blurred(mask: Tensor, kernel_size: int) -> Tensor:
    """(1, height, width) of 0 and 1 at 64x64, blurred and stretched to 0..255, in whole numbers.

    The numbers are those of OpenCV's 8-bit resize, GaussianBlur and normalize. A mask that is the same
    everywhere is not stretched.
    """
    small = functional.interpolate(mask[None] * 255, size=(BLURRED_SIDE, BLURRED_SIDE), mode="bilinear")
    small = (small + 0.5).floor()
    kernel = _gaussian_in_256ths(kernel_size)
    padded = functional.pad(small, [kernel_size // 2] * 4, mode="reflect")
    across = functional.conv2d(padded, kernel[None, None, None])
    blurred = (functional.conv2d(across, kernel[None, None, :, None])[0, 0] / 256**2 + 0.5).floor()
    low, high = (value.item() for value in blurred.aminmax())
    if low == high:
        return blurred
    scale = 255 / (high - low)
    return (blurred * scale - low * scale).round()


def _gaussian_in_256ths(size: int) -> Tensor:
    """(size,) whole numbers with the sum 256: each carries the rounding error of those before it.

    Sigma follows from the size as in OpenCV when none is given.
    """
    sigma = 0.3 * ((size - 1) / 2 - 1) + 0.8
    radius = size // 2
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    ideal = np.cumsum(weights / weights.sum() * 256)[:radius]
    half = np.diff(np.round(ideal), prepend=0)
    return torch.from_numpy(np.concatenate([half, [256 - 2 * half.sum()], half[::-1]])).float()


def _shrunk(pixels: Tensor, height: int, width: int) -> Tensor:
    """(h, w) of whole numbers 0..255 at another size by Pillow's bilinear filter, in whole numbers."""
    picture = Image.fromarray(pixels.byte().cpu().numpy())
    resized = picture.resize((width, height), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(resized)).float()


def _eighth(side: int) -> int:
    return math.ceil(side / 8)
