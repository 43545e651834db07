"""What was generated for a case, measured against its truth."""

from dataclasses import asdict, dataclass
from statistics import fmean, median
from typing import Any

import numpy as np
import torch
from torch import Tensor

from emo_modules.cues.box import Box, iou
from emo_training.evaluation.metrics import best_lag, latent_change, nearest, pearson, psnr_outside
from emo_training.perception.avatar_reader import AvatarReader, AvatarReading, read_frames

from ..drawing.avatars import face_box, head_mask
from ..drawing.face import Pose
from ..drawing.identity import random_identity
from ..filming.cases import SIZE, Case
from .framing import Framed, framing_summary
from .subject import Subject, generate_case

BACKGROUND_STRIDE = 4  # every fourth frame: drawing the heads' masks costs more than comparing


@dataclass(frozen=True)
class Measured:
    """One case's figures; `opening` and `true_opening` are the curves (F,) behind `lip_r`."""

    seed: int
    voice: str
    held_out_voice: bool
    frames: int
    head_speed: float
    lip_r: float
    lip_r_of_truth: float  # read from the true frames: the most that the reader can see
    width_r: float
    lag_frames: int
    latent_change_ratio: float
    identity_top1: bool
    identity_top1_frames: float
    background_psnr: float
    region_iou: float
    vae_psnr: float | None
    framed: Framed | None
    opening: np.ndarray
    true_opening: np.ndarray

    def row(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if not isinstance(value, np.ndarray)}


def measure_case(subject: Subject, reader: AvatarReader, case: Case, strangers: Tensor) -> Measured:
    """Generates `case` and measures it; `strangers` (M, D) are the identities of other people's portraits."""
    frames, latents = generate_case(subject.generate, case)
    reading, true_frames = read_frames(reader, frames), case.truth()
    own = read_frames(reader, case.portrait[None])
    opening, acted = reading.mouth_open.numpy(), case.performance
    truth_read = read_frames(reader, true_frames).mouth_open.numpy()
    everyone = torch.cat([own.identity, strangers])
    return Measured(
        seed=case.seed,
        voice=case.voice,
        held_out_voice=case.held_out_voice,
        frames=case.frames,
        head_speed=case.head_speed,
        lip_r=pearson(opening, acted.mouth_open),
        lip_r_of_truth=pearson(truth_read, acted.mouth_open),
        width_r=pearson(reading.mouth_width.numpy(), acted.mouth_width),
        lag_frames=best_lag(opening, acted.mouth_open),
        latent_change_ratio=latent_change(latents) / latent_change(subject.encode(true_frames)),
        identity_top1=bool(nearest(reading.identity.mean(0, keepdim=True), everyone)[0] == 0),
        identity_top1_frames=float((nearest(reading.identity, everyone) == 0).float().mean()),
        background_psnr=background_psnr(case, frames, reading, own),
        region_iou=median(iou(reading.face_box.numpy() * SIZE, np.array(case.face_box)).tolist()),
        vae_psnr=subject.vae_psnr(true_frames) if subject.vae_psnr else None,
        framed=subject.frame(case.portrait, Box(*case.face_box)) if subject.frame else None,
        opening=opening,
        true_opening=acted.mouth_open,
    )


def background_psnr(case: Case, frames: np.ndarray, reading: AvatarReading, portrait: AvatarReading) -> float:
    """dB against the portrait where neither its head nor the frame's is, both in the pose that was read."""
    picks = range(0, len(frames), BACKGROUND_STRIDE)
    before = _head_where_read(case.seed, portrait, 0)
    masks = np.stack([before | _head_where_read(case.seed, reading, k) for k in picks])
    return psnr_outside(frames[::BACKGROUND_STRIDE], case.portrait, masks)


def _head_where_read(seed: int, reading: AvatarReading, k: int) -> np.ndarray:
    """The pixels (128, 128) bool of the person's head and body, turned and placed as frame k was read."""
    identity = random_identity(seed)
    yaw, pitch, roll = (float(angles[k]) for angles in (reading.yaw, reading.pitch, reading.roll))
    drawn = np.array(face_box(identity, Pose(yaw, pitch, roll), 1))
    x0, y0, x1, y1 = (reading.face_box[k].numpy() - drawn).tolist()
    return head_mask(identity, Pose(yaw, pitch, roll, (x0 + x1) / 2, (y0 + y1) / 2), SIZE)


def summary(rows: list[Measured], everyone: list[Measured]) -> dict[str, Any]:
    """The figures of `rows`; their shuffled lip r is taken against the true curves of all other cases."""
    pairs = [(row, other) for row in rows for other in everyone if other is not row]
    values: dict[str, Any] = {
        "cases": len(rows),
        "lip_r": median(row.lip_r for row in rows),
        "lip_r_per_case": [row.lip_r for row in rows],
        "lip_r_shuffled": median(pearson(row.opening, other.true_opening) for row, other in pairs),
        # Sentences begin and end with closed lips, so even true curves of different cases agree a little.
        "lip_r_shuffled_of_truth": median(pearson(a.true_opening, b.true_opening) for a, b in pairs),
        "lip_r_of_truth": median(row.lip_r_of_truth for row in rows),
        "width_r": median(row.width_r for row in rows),
        "lag_within_1": fmean(abs(row.lag_frames) <= 1 for row in rows),
        "latent_change_ratio": median(row.latent_change_ratio for row in rows),
        "identity_top1": fmean(row.identity_top1 for row in rows),
        "identity_top1_frames": fmean(row.identity_top1_frames for row in rows),
        "background_psnr": median(row.background_psnr for row in rows),
        "region_iou": median(row.region_iou for row in rows),
    }
    if framed := [row.framed for row in rows if row.framed]:
        values["framing"] = framing_summary(framed)
    if scores := [row.vae_psnr for row in rows if row.vae_psnr is not None]:
        values["vae_psnr"] = fmean(scores)
    return values
