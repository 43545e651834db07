"""Pictures of any kind as RGB in 0..1."""

import logging
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

MAX_SIDE = 4096

_log = logging.getLogger(__name__)


def load_image(path: str | Path) -> Tensor:
    """Reads a picture as (H, W, 3) float32 in 0..1, upright, on white where transparent.

    Pictures longer than 4096 px are made smaller. Every conversion is logged.
    Raises FileNotFoundError, or ValueError that says what the file holds instead.
    """
    path = Path(path)
    picture, notes = _rgb_picture(_open(path))
    if max(picture.size) > MAX_SIDE:
        notes.append(f"{picture.width}x{picture.height} made smaller to fit {MAX_SIDE} px")
        picture.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    if notes:
        _log.warning("%s: %s", path.name, ", ".join(notes))
    return as_float_image(np.array(picture))


def _open(path: Path) -> Image.Image:
    size = path.stat().st_size
    try:
        with Image.open(path) as picture:
            picture.load()
            return picture
    # Pillow's decoders answer damaged data with any of these.
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        found = "a folder" if path.is_dir() else f"{size} bytes"
        raise ValueError(f"{path} cannot be read as a picture, found {found}: {error}") from error


def _rgb_picture(picture: Image.Image) -> tuple[Image.Image, list[str]]:
    """The picture in mode RGB, upright, and what had to be done to it."""
    notes = []
    upright = ImageOps.exif_transpose(picture)
    if picture.getexif().get(0x0112, 1) != 1:
        notes.append("turned upright as its EXIF says")
    if upright.has_transparency_data:
        notes.append("transparent, put on white")
        upright = upright.convert("RGBA")
        white = Image.new("RGBA", upright.size, "white")
        return Image.alpha_composite(white, upright).convert("RGB"), notes
    if upright.mode.startswith(("I", "F")):
        notes.append(f"mode {upright.mode} scaled to 8 bits")
        upright = _to_8_bits(upright)
    elif upright.mode != "RGB":
        notes.append(f"mode {upright.mode} converted to RGB")
    return upright.convert("RGB"), notes


def _to_8_bits(picture: Image.Image) -> Image.Image:
    """Grey of 16 bits, 32 bits or floats as mode L, scaled to fit when it is brighter than its white."""
    values = np.nan_to_num(np.asarray(picture, dtype=np.float32), posinf=0, neginf=0)
    white = 1.0 if picture.mode == "F" else 65535.0
    scaled = np.clip(values / max(white, values.max()), 0, 1)
    return Image.fromarray(np.round(scaled * 255).astype(np.uint8))


def as_float_image(image: Tensor | np.ndarray) -> Tensor:
    """uint8 in 0..255, or floats in 0..1, of any shape as float32 in 0..1."""
    image = torch.as_tensor(image)
    if image.dtype == torch.uint8:
        return image.float() / 255
    return image.float().clamp(0, 1)


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
