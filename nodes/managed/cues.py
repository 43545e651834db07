"""Where the face is, from the sampler's mask and landmarks, as each family reads it."""

import logging
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ...emo_modules.config import EMOConfig
from ...emo_modules.cues.landmarks import draw_landmarks, mediapipe_points
from ...emo_modules.cues.locator import Cues
from ...emo_modules.families.table import family_of, mask_cues
from ...emo_modules.media.image import as_float_image, to_bytes, to_rgb

CUT = 8  # pixels that the portrait loses at its edges, to be a multiple of 8
SAME_SHAPE = 0.02  # how much the sides' ratios of two pictures may differ, and be called the same

Size = tuple[int, int]  # height and width in pixels


@dataclass(frozen=True)
class Pictures:
    """The locator's picture of every frame, made when a clip asks for it; the last one is held.

    Stands for a tensor (F, C, H, W) that is indexed with frame numbers (F',).
    """

    count: int
    picture: Callable[[int], Tensor]  # frame -> (C, H, W) in 0..1

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, frames: Tensor) -> Tensor:
        return torch.stack([self.picture(min(k, self.count - 1)) for k in frames.tolist()])


def cues_of(
    config: EMOConfig,
    mask: Tensor | None,
    landmarks: Any,
    points: Tensor | None,
    size: Size,
    log: logging.Logger,
) -> Cues:
    """Masks (B, H, W) in 0..1 of any size, several are united (EMO sec. 3.2), and FACE_LANDMARKS, of which
    the first frame counts; without them the points (68, 2) read in the portrait, if the mask is on that face.
    """
    mesh = None if landmarks is None else mesh_at(landmarks, 0, size)
    if mask is not None and not mask.any():
        log.warning("the mask is empty: it counts as none")
        mask = None
    if mask is not None:
        if any(abs(one - other) >= CUT for one, other in zip(mask.shape[1:], size, strict=True)):
            log.warning(
                "the mask is %dx%d, the portrait %dx%d: it is stretched onto it; connect EMO Face Region's",
                *mask.shape[:0:-1],
                *size[::-1],
            )
        region = unite(mask, size)
        return mask_cues(config, region, points_in(region, points) if mesh is None else mesh)
    if family_of(config).any_region:
        return Cues(None, None)
    if mesh is None and not config.quirks.locator_pictures:
        log.warning("no mask given: the whole picture is taken for the face; connect EMO Face Region's")
    return mask_cues(config, torch.ones(size), mesh)


def points_in(region: Tensor, points: Tensor | None) -> Tensor | None:
    """The points (N, 2) of a face if its middle lies in region (H, W); else the region is another face's."""
    if points is None:
        return None
    x, y = points.mean(0).int().tolist()
    height, width = region.shape
    return points if 0 <= x < width and 0 <= y < height and region[y, x] > 0.5 else None


def unite(mask: Tensor, size: Size) -> Tensor:
    """Masks (B, H, W) -> their union (h, w)."""
    union = mask.float().amax(dim=0)[None, None]
    return functional.interpolate(union, size=size, mode="bilinear").clamp(0, 1)[0, 0]


def mesh_at(landmarks: Any, frame: int, size: Size) -> Tensor:
    """One frame's largest face (478, 2) in pixels of the portrait, which is shown at `size`.

    Raises ValueError when the landmarks are of a picture of another shape, or the frame has no face.
    """
    height, width = landmarks["image_size"]
    if abs(width * size[0] / (height * size[1]) - 1) > SAME_SHAPE:
        raise ValueError(
            f"face_landmarks are of a picture of {width:g}x{height:g}, the portrait is "
            f"{size[1]}x{size[0]}: find them in EMO Face Region's image, "
            "or crop the driving video to the same shape"
        )
    return mediapipe_points(landmarks, frame) * torch.tensor([size[1] / width, size[0] / height])


def pictures_of(
    config: EMOConfig, given: Tensor | None, landmarks: Any, frames: int, size: Size, log: logging.Logger
) -> Pictures | None:
    """One picture a frame for the locators that take them: drawn ones (B, H, W, C), or made of landmarks.

    Raises ValueError when such weights get neither.
    """
    if not config.quirks.locator_pictures:
        if given is not None:
            log.warning("%s reads no picture for each frame: landmark_pictures are ignored", config.name)
        return None
    if given is None and landmarks is None:
        raise ValueError(
            f"{config.name} moves the face as pictures of its landmarks show, one for each frame: connect "
            "landmark_pictures, or face_landmarks of a driving video from MediaPipe Face Landmarker"
        )
    if given is not None:
        found = Pictures(len(given), partial(_fit, given, size))
    else:
        found = Pictures(len(landmarks["frames"]), _draw(landmarks, size))
    if found.count < frames:
        log.warning("%d landmark pictures for %d frames: the last one is held", found.count, frames)
    return found


def _fit(pictures: Tensor, size: Size, frame: int) -> Tensor:
    picture = to_rgb(pictures[frame].float()).movedim(-1, 0)
    if tuple(picture.shape[1:]) == size:
        return picture
    return functional.interpolate(picture[None], size=size, mode="bilinear", antialias=True)[0]


def _draw(landmarks: Any, size: Size) -> Callable[[int], Tensor]:
    """Every step of the sampler asks for each frame's picture: drawing takes longer than unpacking, and
    packed it takes kilobytes."""

    @cache
    def packed(frame: int) -> bytes:
        picture = draw_landmarks(mesh_at(landmarks, frame, size), *size)
        return zlib.compress(to_bytes(picture).numpy().tobytes(), level=1)

    def picture(frame: int) -> Tensor:
        pixels = torch.frombuffer(bytearray(zlib.decompress(packed(frame))), dtype=torch.uint8)
        return as_float_image(pixels.view(3, *size))

    return picture
