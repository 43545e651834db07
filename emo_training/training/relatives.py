"""EMO's relatives in their own structure: what their batches hold beside the paper's, and what is refused.

The conditions are those of inference, made of each clip's own faces as the originals' training makes them.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from emo_modules.config import EMOConfig, ScheduleConfig
from emo_modules.cues.box import Box
from emo_modules.cues.landmarks import MESH_POINTS, draw_kps, draw_landmarks, kps_of, lips_box, outline
from emo_modules.cues.masks import attention_masks, echomimic_region, hallo_region, level_sizes, mask_levels
from emo_modules.models.relatives.regions import Regions, batch_regions

from ..footage.shards import Sample
from .sample_set import Batch

IBUG_POINTS = 68


class ClipCues(NamedTuple):
    """What the networks see of a clip's faces, uint8; empty where a family reads no such thing."""

    picture: Tensor  # (C, H, W) the locator's, of the whole clip
    pictures: Tensor  # (F, C, H, W) the locator's, of each frame
    regions: Tensor  # (3, P) masks of Hallo's audio attention, all resolutions one after the other


@dataclass(frozen=True)
class Faces:
    """The faces of F frames in pixels of a picture of this size; without points none were asked for."""

    boxes: list[Box]
    points: list[Tensor]  # (K, 2) each
    height: int
    width: int


@dataclass(frozen=True)
class Relative:
    """How a family's clips are made; the figures are those of the originals' training."""

    cues: Callable[[Faces], ClipCues]
    points: int  # landmarks that `cues` needs at least
    beta_schedule: Literal["linear", "scaled_linear"]  # of the noise that the weights were trained with


def _in_bytes(pictures: Tensor) -> Tensor:
    return (pictures * 255).round().byte()


def _none() -> Tensor:
    return torch.empty(0, dtype=torch.uint8)


def _union(boxes: list[Box]) -> Box:
    edges = torch.tensor([[box.x0, box.y0, box.x1, box.y1] for box in boxes])
    return Box(*edges[:, :2].amin(0).tolist(), *edges[:, 2:].amax(0).tolist())


def echomimic_cues(faces: Faces) -> ClipCues:
    """The region around all of the clip's faces, as around the portrait's at inference."""
    region = echomimic_region(_union(faces.boxes), faces.height, faces.width)
    return ClipCues(_in_bytes(region), _none(), _none())


def landmark_cues(faces: Faces) -> ClipCues:
    """A picture of the mesh for each frame (EchoMimic with landmarks)."""
    drawn = [draw_landmarks(points, faces.height, faces.width) for points in faces.points]
    return ClipCues(_none(), _in_bytes(torch.stack(drawn)), _none())


def hallo_cues(faces: Faces) -> ClipCues:
    """Region and masks around all of the clip's faces and lips. Source: Hallo's `TalkingVideoDataset`, whose
    masks are those of the whole video."""
    height, width = faces.height, faces.width
    face = _union([outline(*pair) for pair in zip(faces.boxes, faces.points, strict=True)])
    lips = _union([lips_box(points) for points in faces.points])
    masks = attention_masks(face, lips, height, width)
    levels = torch.stack([torch.cat(mask_levels(mask)) for mask in masks])
    return ClipCues(_in_bytes(hallo_region(face, height, width)), _none(), _in_bytes(levels))


def v_express_cues(faces: Faces) -> ClipCues:
    """Eyes and nose of each frame, by which the head moves. Source: V-Express' `TalkingFaceVideo`."""
    drawn = [draw_kps(kps_of(points), faces.height, faces.width) for points in faces.points]
    return ClipCues(_none(), _in_bytes(torch.stack(drawn)), _none())


# EchoMimic's training was not published: its noise is that of its inference. Hallo's was another than its
# inference's (scripts/train_stage2.py, `get_noise_scheduler`), V-Express' the same (inference_v2.yaml).
RELATIVES = {
    "echomimic": Relative(echomimic_cues, 0, "linear"),
    "hallo": Relative(hallo_cues, IBUG_POINTS, "scaled_linear"),
    "v_express": Relative(v_express_cues, IBUG_POINTS, "scaled_linear"),
}
LANDMARKS = Relative(landmark_cues, MESH_POINTS, "linear")


def relative_of(config: EMOConfig) -> Relative | None:
    """None for EMO itself."""
    return LANDMARKS if config.quirks.locator_pictures else RELATIVES.get(config.family)


def learned_schedule(config: EMOConfig) -> ScheduleConfig:
    """The noise that the weights were trained with, which need not be that of their inference."""
    relative = relative_of(config)
    return replace(config.schedule, beta_schedule=relative.beta_schedule) if relative else config.schedule


def clip_cues(config: EMOConfig, sample: Sample, frames: Tensor) -> ClipCues | None:
    """Of the frames (F,) of a sample, at the model's size; None for EMO itself, whose masks need only boxes.

    Raises ValueError when the sample has fewer landmarks than the family needs.
    """
    relative, size = relative_of(config), sample.facts["size"]
    if relative is None:
        return None
    scale = torch.tensor([config.width / size, config.height / size])
    edges = torch.from_numpy(sample.arrays["boxes"])[frames] * scale.repeat(2)
    points = list(known_points(config, sample)[frames] * scale) if relative.points else []
    boxes = [Box(*box) for box in edges.tolist()]
    return relative.cues(Faces(boxes, points, config.height, config.width))


def bridged(rows: np.ndarray) -> np.ndarray:
    """Rows (T, ...) of successive frames; those that are not known in full (NaN) get what lies between their
    neighbours'. Raises ValueError where none is known."""
    flat, times = rows.reshape(len(rows), -1), np.arange(len(rows))
    known = np.isfinite(flat).all(axis=1)
    columns = [np.interp(times, times[known], column[known]) for column in flat.T]
    return np.stack(columns, axis=1).reshape(rows.shape).astype(np.float32)


def known_points(config: EMOConfig, sample: Sample) -> Tensor:
    """A sample's landmarks (T, K, 2); frames that lack them have those between their neighbours'.

    Raises ValueError as `clip_cues`.
    """
    relative = relative_of(config)
    needed = relative.points if relative else 0
    points = np.empty((0, 0, 2), np.float32) if sample.landmarks is None else sample.landmarks
    known = np.isfinite(points).all(axis=(1, 2)) if points.shape[1] >= needed else np.zeros(0, bool)
    if not known.any():
        tool = "mediapipe:FILE" if needed > IBUG_POINTS else "faces"
        raise ValueError(
            f"{sample.key} has {points.shape[1]} landmarks, {config.name} reads {needed} or more: prepare "
            f"the footage with --analyzer {tool}"
        )
    return torch.from_numpy(bridged(points))


@dataclass(frozen=True)
class RelativeBatch(Batch):
    """`mask` is the locator's picture of each clip; what a family does not read is empty."""

    pictures: Tensor  # (B, F, C, 8H, 8W) of each frame
    regions: Tensor  # (B, 3, P) as `ClipCues` has them
    identity: Tensor  # (B, D) face embeddings, zeros where no face is known

    @property
    def levels(self) -> int:
        return 1

    def of_video(self) -> dict[str, Any]:
        return {
            "portrait": self.reference,
            "picture": self.mask if self.mask.numel() else None,
            "identity": self.identity if self.identity.numel() else None,
            "regions": self.by_tokens() if self.regions.numel() else None,
        }

    def of_clip(self, speed: bool) -> dict[str, Any]:
        pictures = self.pictures.flatten(0, 1) if self.pictures.numel() else None
        return {"audio": self.audio if self.audio.numel() else None, "pictures": pictures}

    def of_stills(self) -> dict[str, Any]:
        """Pictures have sound too, if the batch has any."""
        return self.of_clip(speed=False)

    def conditions(self, clips: bool, speed: bool) -> dict[str, Any]:
        given = super().conditions(clips, speed) | self.of_clip(speed) | {"still": not clips}
        if not self.motion.shape[1]:
            given["motion"] = None
        return given

    def by_tokens(self) -> dict[int, Regions]:
        sizes = [height * width for height, width in level_sizes(*self.latents.shape[-2:])]
        return batch_regions(list(self.regions.split(sizes, dim=2)), self.latents.shape[1])


def relative_batch(batch: Batch, cues: ClipCues, identity: Tensor, config: EMOConfig) -> RelativeBatch:
    """`batch` with B clips' cues, stacked, and face embeddings (B, D), all on its device.

    The past of a video's first clip is what it is at inference: with Hallo the portrait.
    """
    motion, kept = batch.motion, batch.motion_kept
    if config.quirks.first_motion == "portrait":
        begun = kept[:, None, None, None, None] > 0
        motion = torch.where(begun, motion, batch.reference[:, None])
        kept = torch.ones_like(kept)
    picture, pictures, regions = (part.float() / 255 for part in cues)
    fields = vars(batch) | {"motion": motion, "motion_kept": kept, "mask": picture}
    return RelativeBatch(**fields, pictures=pictures, regions=regions, identity=identity)
