"""IMAGE and MASK as other packs hand them over, as ComfyUI means them."""

import logging
import math
from typing import Any

import torch
from torch import Tensor

from ...emo_modules.media.finite import is_finite
from ...emo_modules.media.image import as_float_image, to_rgb
from .values import as_tensor, describe

OVERSHOOT = 1.0  # beyond 0..1, as resampling and VAEs leave it: cut off without a word
BYTES = 16.0  # values above are meant as 0..255
WHITE = 255.0
CHANNELS = (1, 2, 3, 4)


def portraits(image: Tensor) -> Tensor:
    """IMAGE (B, H, W, C) -> (B, H, W, 3) float32 in 0..1, on white where transparent."""
    return to_rgb(as_float_image(image))


def pictures(name: str, value: Any, log: logging.Logger) -> Tensor:
    """IMAGE -> (B, H, W, C) of floats, in 0..1 but for an overshoot: C is 1 grey, 2 with alpha, 3 or 4.

    Takes one picture without the batch axis, lists, arrays, a video's (B, F, H, W, C), whole numbers and
    floats up to 255. Raises ValueError for an empty batch, other shapes, NaN, values far outside and pictures
    that are transparent all over.
    """
    found = _tensor(value)
    if found is not None and found.ndim == 3 and found.shape[-1] in CHANNELS:
        found = found[None]
    if found is not None and found.ndim == 5:
        found = found.flatten(0, 1)
    if found is None or found.ndim != 4 or found.shape[-1] not in CHANNELS or not found.numel():
        raise ValueError(
            f"{name} must be pictures (B, H, W, C) with C from 1 to 4, got {_came(value)}: connect an IMAGE"
        )
    ranged = _in_range(name, found, log)
    if ranged.shape[-1] in (2, 4) and not ranged[..., -1].any():
        raise ValueError(
            f"{name} is transparent all over, so that nothing of it is seen: put Invert Mask "
            "before Join Image with Alpha"
        )
    return ranged


def masks(name: str, value: Any, log: logging.Logger) -> Tensor:
    """MASK -> (B, H, W) float32 in 0..1.

    Takes (H, W), an axis of one for the channel, lists, arrays, whole numbers and floats up to 255. Raises
    ValueError as `pictures`.
    """
    found = _tensor(value)
    if found is not None and found.ndim in (3, 4) and found.shape[-1] == 1:
        found = found[..., 0]
    elif found is not None and found.ndim == 4 and found.shape[1] == 1:
        found = found[:, 0]
    if found is not None and found.ndim == 2:
        found = found[None]
    if found is None or found.ndim != 3 or not found.numel():
        raise ValueError(
            f"{name} must be masks (B, H, W), got {_came(value)}: connect a MASK, or a picture "
            "through Convert Image to Mask"
        )
    if not found.is_floating_point() and found.max() <= 1:  # zeros and ones, not 0 to 255
        found = found.float()
    return _in_range(name, found, log).float().clamp(0, 1)


def _tensor(value: Any) -> Tensor | None:
    """None for what is no real tensor, and for lists whose members differ in size."""
    if isinstance(value, list | tuple) and value:
        members = [member for entry in value if (member := _tensor(entry)) is not None]
        if len(members) < len(value) or len({member.shape for member in members}) > 1:
            return None
        return torch.cat(members) if members[0].ndim > 3 else torch.stack(members)
    return as_tensor(value)


def _came(value: Any) -> str:
    if isinstance(value, list | tuple) and value:
        return f"{describe(value)}, the first {describe(value[0])}"
    return describe(value)


def _in_range(name: str, values: Tensor, log: logging.Logger) -> Tensor:
    if values.dtype == torch.uint8:
        return values.float() / WHITE
    if not values.is_floating_point():
        values = values.float()
    low, high = (edge.item() for edge in values.aminmax())
    if not math.isfinite(low) or not math.isfinite(high):
        broken = sum(not is_finite(picture) for picture in values)
        raise ValueError(
            f"{name} has NaN or infinite values in {broken} of {len(values)} pictures: the node before "
            "failed. A VAE in half precision often does: start ComfyUI with --fp32-vae"
        )
    if low >= 0 and BYTES < high <= WHITE:
        log.warning("%s has values up to %g where 0 to 1 is meant: divided by 255", name, high)
        return values / WHITE
    if low < -OVERSHOOT or high > 1 + OVERSHOOT:
        raise ValueError(
            f"{name} must have values from 0 to 1, got {low:g} to {high:g}: scale them before this node"
        )
    return values
