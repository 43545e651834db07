"""Identity similarity (F-SIM): cosine between face embeddings of a video's frames and of its portrait."""

from typing import Protocol

import numpy as np

from ..perception.analyzers import FaceTrack
from .feature_nets import PICTURES, batches
from .pairs import Video


class Embedder(Protocol):
    """Frames (N, H, W, 3) uint8, boxes (N, 4) and perhaps landmarks (N, K, 2) -> unit vectors (N, D)."""

    def embed(self, frames: np.ndarray, boxes: np.ndarray, landmarks: np.ndarray | None) -> np.ndarray: ...


def embeddings(embedder: Embedder, video: Video, track: FaceTrack) -> np.ndarray:
    """Unit vectors (N, D) of the N frames that show a face. Raises ValueError when none does."""
    seen = np.isfinite(track.boxes).all(axis=1)
    faces = (frame for frame, face in zip(video.frames(), seen, strict=True) if face)
    places, found = np.flatnonzero(seen), []
    for k, batch in enumerate(batches(faces, PICTURES)):
        part = places[k * PICTURES : k * PICTURES + len(batch)]
        landmarks = None if track.landmarks is None else track.landmarks[part]
        found.append(embedder.embed(np.stack(batch), track.boxes[part], landmarks))
    if not found:
        raise ValueError("no face was found")
    return np.concatenate(found)


def similarity(vectors: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Cosines (N,) of unit vectors (N, D) with one unit vector (D,)."""
    return vectors @ reference
