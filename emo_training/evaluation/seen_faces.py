"""The frames of a video that show a face, in batches, for networks that look at faces."""

from collections.abc import Iterator

import numpy as np

from ..perception.analyzers import FaceTrack
from .feature_nets import PICTURES, batches
from .pairs import Video

Faces = tuple[np.ndarray, np.ndarray, np.ndarray | None]


def seen_faces(video: Video, track: FaceTrack) -> Iterator[Faces]:
    """Frames (N, H, W, 3) uint8, boxes (N, 4) px and landmarks (N, K, 2) px, if the track has any."""
    seen = np.isfinite(track.boxes).all(axis=1)
    frames = (frame for frame, face in zip(video.frames(), seen, strict=True) if face)
    places = np.flatnonzero(seen)
    for k, batch in enumerate(batches(frames, PICTURES)):
        part = places[k * PICTURES : k * PICTURES + len(batch)]
        yield np.stack(batch), track.boxes[part], None if track.landmarks is None else track.landmarks[part]
