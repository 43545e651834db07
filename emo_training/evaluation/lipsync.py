"""Lip sync of a video by SyncNet: LSE-C, LSE-D and the offset (Prajwal et al. 2020, after Chung 2016)."""

from dataclasses import dataclass

import numpy as np

from ..perception.analyzers import FaceTrack
from ..perception.rates import SAMPLES
from ..perception.syncnet import Sync, SyncNet, face_crops, measure_sync
from .pairs import Video

SPAN = 15  # frames to each side over which LSE-C takes the median; both metrics are defined with it
FEWEST_FRAMES = 2 * SPAN  # in a shorter video most shifts compare with silence


@dataclass(frozen=True)
class LipSync:
    """A video with its own sound, and as a control with another one's."""

    own: Sync
    foreign: Sync | None


def lip_sync(
    net: SyncNet, video: Video, track: FaceTrack, waveform: np.ndarray, foreign: np.ndarray | None
) -> LipSync:
    """Of the main face of `video` against waveforms (S,), 16 kHz; a foreign sound that is too short counts as
    none. Raises ValueError that says why there is no lip sync: no face, or too short."""
    frames = min(len(track.counts), len(waveform) // SAMPLES)
    if frames < FEWEST_FRAMES:
        raise ValueError(f"{frames} frames with sound, lip sync needs {FEWEST_FRAMES}")
    crops = face_crops(video.frames(), track.boxes, net.config.side)
    others = None if foreign is None or len(foreign) < FEWEST_FRAMES * SAMPLES else foreign
    return LipSync(
        measure_sync(net, crops, waveform, SPAN),
        None if others is None else measure_sync(net, crops, others, SPAN),
    )
