"""Identity similarity (F-SIM): cosine between face embeddings of a video's frames and of its portrait."""

from typing import Protocol

import numpy as np

from ..perception.analyzers import FaceTrack
from .pairs import Video
from .seen_faces import seen_faces


class Embedder(Protocol):
    """Frames (N, H, W, 3) uint8, boxes (N, 4) and perhaps landmarks (N, K, 2) -> unit vectors (N, D)."""

    def embed(self, frames: np.ndarray, boxes: np.ndarray, landmarks: np.ndarray | None) -> np.ndarray: ...


def embeddings(embedder: Embedder, video: Video, track: FaceTrack) -> np.ndarray:
    """Unit vectors (N, D) of the N frames that show a face. Raises ValueError when none does."""
    found = [embedder.embed(*faces) for faces in seen_faces(video, track)]
    if not found:
        raise ValueError("no face was found")
    return np.concatenate(found)


def similarity(vectors: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Cosines (N,) of unit vectors (N, D) with one unit vector (D,)."""
    return vectors @ reference
