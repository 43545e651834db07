"""A clip of a model that moves portraits, at the size of a larger portrait: its own pixels move."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..config import EMOConfig
from ..models.conditions import Conditions
from ..models.denoiser import Denoiser
from ..models.moving import move
from .decode import DECODE_BATCH


@dataclass(frozen=True)
class Enlarger:
    """`encode` and `decode` are the VAE's; `picture` (1, 3, 8H, 8W) in -1..1 is the portrait as large as the
    video is to be."""

    denoiser: Denoiser
    encode: Callable[[Tensor], Tensor]
    decode: Callable[[Tensor], Tensor]
    picture: Tensor

    @torch.no_grad()
    def __call__(self, latents: Tensor, conditions: Conditions) -> Tensor:
        """Clean latents (F, C, h, w) of a clip -> (F, C, H, W).

        What moved them is read off them once more; a displacement has no size. What the portrait does not
        show is only known as small as the model draws it.
        """
        pieces = []
        drawing = self.denoiser.draw(latents, latents.new_zeros(len(latents)), conditions)
        for displacement, share, clean in zip(
            *(part.split(DECODE_BATCH) for part in (drawing.displacement, drawing.share, latents)),
            strict=True,
        ):
            moved = self.encode(move(self.picture, displacement).to(latents))
            small = self.decode(clean).clamp(-1, 1)
            drawn = self.encode(F.interpolate(small, self.picture.shape[-2:], mode="bicubic").clamp(-1, 1))
            share = F.interpolate(share, moved.shape[-2:], mode="bilinear")
            pieces.append(torch.lerp(moved, drawn, share))
        return torch.cat(pieces)


def video_sides(config: EMOConfig, size: int | None) -> tuple[int, int]:
    """Width and height of the video. Raises ValueError for a size that this model cannot render."""
    places = 8 * config.backbone.patch
    if size is None or size == config.width == config.height:
        return config.width, config.height
    if not config.moving:
        raise ValueError(
            f"{config.name} renders {config.width} x {config.height} pixels; leave the size out, and "
            "enlarge the video"
        )
    if size < config.width or size % places:
        raise ValueError(f"the size is a multiple of {places} from {config.width} pixels on, got {size}")
    return size, size
