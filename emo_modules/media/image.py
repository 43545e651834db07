"""Pictures of any kind as RGB in 0..1."""

import logging
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .picture_file import open_picture, to_srgb, turn_upright

MAX_SIDE = 4096
RESIZABLE = ("L", "LA", "RGB", "RGBA", "CMYK", "YCbCr")  # others lose more when resized as they are

_log = logging.getLogger(__name__)


def load_image(path: str | Path) -> Tensor:
    """Reads a picture as (H, W, 3) float32 in 0..1 of sRGB, upright, on white where transparent.

    Pictures longer than 4096 px are made smaller, JPEGs that were cut short end in grey, of an animation one
    picture is taken. Every conversion is logged. Raises FileNotFoundError, or ValueError that says what the
    file holds instead, and what to do.
    """
    path = Path(path)
    picture, notes = open_picture(path, MAX_SIDE)
    picture, made = _rgb_picture(picture)
    notes += made
    if notes:
        _log.warning("%s: %s", path.name, ", ".join(notes))
    return as_float_image(np.array(picture))


def _rgb_picture(picture: Image.Image) -> tuple[Image.Image, list[str]]:
    """The picture in mode RGB, upright and small enough, and what had to be done to it."""
    upright, notes = turn_upright(picture)
    if upright.mode in RESIZABLE:
        upright.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    upright, made = to_srgb(upright)
    notes += made
    if upright.has_transparency_data:
        notes.append("transparent, put on white")
        upright = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright)
    elif upright.mode.startswith(("I", "F")):
        notes.append(f"mode {upright.mode} scaled to 8 bits")
        upright = _to_8_bits(upright)
    elif upright.mode != "RGB":
        notes.append(f"mode {upright.mode} converted to RGB")
    upright = upright.convert("RGB")
    upright.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    return upright, notes


def _to_8_bits(picture: Image.Image) -> Image.Image:
    """Grey of 16 bits, 32 bits or floats as mode L, scaled to fit when it is brighter than its white."""
    values = np.nan_to_num(np.asarray(picture, dtype=np.float32), posinf=0, neginf=0)
    white = 1.0 if picture.mode == "F" else 65535.0
    return Image.fromarray(to_bytes(values / max(white, values.max())).numpy())


def as_float_image(image: Tensor | np.ndarray) -> Tensor:
    """uint8 in 0..255, or floats in 0..1, of any shape as float32 in 0..1."""
    image = torch.as_tensor(image)
    if image.dtype == torch.uint8:
        return image.float() / 255
    return image.float().clamp(0, 1)


def to_bytes(image: Tensor | np.ndarray) -> Tensor:
    """uint8 as it is, or floats in 0..1 rounded to it, of any shape."""
    image = torch.as_tensor(image)
    return image if image.dtype == torch.uint8 else (as_float_image(image) * 255).round().byte()


def to_signed(pictures: Tensor) -> Tensor:
    """uint8 (..., H, W, 3) -> (..., 3, H, W) in -1..1, as autoencoders take them."""
    return pictures.movedim(-1, -3) / 127.5 - 1


def to_rgb(image: Tensor) -> Tensor:
    """image (..., H, W, C) in 0..1 as (..., H, W, 3), on white where transparent.

    C is 1 grey, 2 grey and alpha, 3 RGB or 4 RGBA. Raises ValueError for any other C.
    """
    channels = image.shape[-1]
    if channels not in (1, 2, 3, 4):
        raise ValueError(f"a picture has 1 to 4 channels on its last axis, got shape {tuple(image.shape)}")
    if channels in (2, 4):
        alpha = image[..., -1:]
        image = image[..., :-1] * alpha + (1 - alpha)
    return image.expand(*image.shape[:-1], 3)
