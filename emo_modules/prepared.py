"""A portrait as a model sees it."""

import logging
from dataclasses import dataclass, replace
from typing import Self

from torch import Tensor

from .config import EMOConfig
from .cues.box import Box
from .cues.face import Crop, Face, crop_to_face, find_face, resize
from .cues.face_reader import read_points
from .cues.familiar import unfamiliar
from .families.table import family_of
from .options import Options
from .sampling.enlarge import video_sides

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prepared:
    picture: Tensor  # (3, H, W) in 0..1, the crop
    crop: Crop
    face: Box  # in the crop's pixels
    found: Face  # in the portrait's, and what it was taken from
    points: Tensor | None = None  # (68, 2) in the crop's, where the weights make use of them

    @classmethod
    def from_portrait(cls, portrait: Tensor, options: Options, config: EMOConfig) -> Self:
        """Portrait (H, W, 3) in 0..1 -> the model's crop around the face."""
        face = find_face(portrait, options.box, options.mask, options.face_index)
        width, height = video_sides(config, options.size)
        prepared = cls(*crop_to_face(portrait, face, width, height, config.framing), face)
        if face.found and family_of(config).reads_points:
            points = read_points(prepared.picture.movedim(0, -1), prepared.face)
            prepared = replace(prepared, points=points)
        for reason in unfamiliar(config, prepared.picture):
            _log.warning("%s", reason)
        return prepared

    def model_sized(self, config: EMOConfig) -> tuple[Tensor, Box]:
        """The picture (3, H, W) as large as the model draws, and the face in it."""
        height, width = self.picture.shape[-2:]
        if (width, height) == (config.width, config.height):
            return self.picture, self.face
        small = resize(self.picture[None], config.height, config.width)[0]
        return small, self.face.mapped(0, 0, config.width / width, config.height / height)
