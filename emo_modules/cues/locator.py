"""What tells the model where the face is."""

from typing import NamedTuple, Self

import torch
from torch import Tensor

from ..models.relatives.regions import Regions

FACE_MARGIN = 1.06  # EMO's training masks are unions over a clip, a little larger than one frame's face


class Cues(NamedTuple):
    """What `Conditioner.video` takes: the locator's picture (1, C, H, W) in 0..1, or None where it wants one
    for each frame, and Hallo's regions."""

    picture: Tensor | None
    regions: dict[int, Regions] | None

    def to(self, device: torch.device, dtype: torch.dtype) -> Self:
        """Where the model is, in its type."""
        picture, regions = self
        return type(self)(
            None if picture is None else picture.to(device, dtype),
            None if regions is None else {count: at.to(device, dtype) for count, at in regions.items()},
        )
