"""What tells the model where the face is."""

from typing import NamedTuple

from torch import Tensor

from ..models.relatives.regions import Regions

FACE_MARGIN = 1.06  # EMO's training masks are unions over a clip, a little larger than one frame's face


class Cues(NamedTuple):
    """What `video_conditions` takes: the locator's picture (1, C, H, W) in 0..1, or None where it wants one
    for each frame, and Hallo's regions."""

    picture: Tensor | None
    regions: dict[int, Regions] | None
