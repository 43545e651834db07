"""Where the face is, as each family's locator and attention read it."""

from typing import NamedTuple

from torch import Tensor

from ..config import EMOConfig
from ..models.relatives.regions import Regions, read_regions
from .box import Box
from .face import box_around, region_mask
from .landmarks import draw_kps, estimated_kps, face_box, lips_box, mesh_kps
from .masks import attention_masks, echomimic_region, hallo_region, mask_levels

FACE_MARGIN = 1.06  # EMO's training masks are unions over a clip, a little larger than one frame's face


class Cues(NamedTuple):
    """What `video_conditions` takes: the locator's picture (1, C, H, W) in 0..1, or None where it wants one
    for each frame, and Hallo's regions."""

    picture: Tensor | None
    regions: dict[int, Regions] | None


def face_cues(config: EMOConfig, face: Box, height: int, width: int, mesh: Tensor | None = None) -> Cues:
    """From the face's box, and MediaPipe's mesh (478, 2) if there is one, both in pixels of the portrait.

    Without a mesh, lips and eyes are taken to be where they are in an average face.
    """
    if config.family == "emo":
        box = face.scaled(FACE_MARGIN).clipped(width, height)
        return Cues(region_mask([box], height, width)[None], None)
    face = face if mesh is None else face_box(mesh)
    if config.family == "hallo":
        masks = attention_masks(face, None if mesh is None else lips_box(mesh), height, width)
        levels = zip(*(mask_levels(mask) for mask in masks), strict=True)
        return Cues(hallo_region(face, height, width)[None], read_regions(list(levels)))
    if config.quirks.locator_pictures:
        return Cues(None, None)
    if config.family == "v_express":
        points = estimated_kps(face) if mesh is None else mesh_kps(mesh)
        return Cues(draw_kps(points, height, width)[None], None)
    return Cues(echomimic_region(face, height, width)[None], None)


def mask_cues(config: EMOConfig, mask: Tensor, mesh: Tensor | None = None) -> Cues:
    """From a region (H, W) in 0..1, such as a user draws.

    The relatives take the box around it; an empty one is the whole picture.
    """
    height, width = mask.shape
    if config.family == "emo":
        return Cues(mask[None, None], None)
    face = box_around(mask) or Box(0, 0, width, height)
    return face_cues(config, face.scaled(1 / FACE_MARGIN), height, width, mesh)
