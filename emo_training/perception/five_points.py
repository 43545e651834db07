"""Eyes, nose tip and mouth corners, by which networks that know whose face it is want faces aligned."""

import numpy as np
import torch

from emo_modules.cues import ibug
from emo_modules.cues.landmarks import KPS_IN_FACE, is_mesh, kps_of

MOUTH_CORNERS = (61, 291)  # of MediaPipe's mesh, left in the picture first
MOUTH_IN_FACE = ((0.34, 0.81), (0.66, 0.81))  # of a box's sides, where no points are known


def five_points(landmarks: np.ndarray) -> np.ndarray:
    """Eyes, nose tip and mouth corners (5, 2) of MediaPipe's mesh (478, 2), or of iBUG's points (68, 2)."""
    points = torch.from_numpy(landmarks)
    corners = MOUTH_CORNERS if is_mesh(points) else ibug.MOUTH_CORNERS
    return np.concatenate([kps_of(points).numpy(), landmarks[list(corners)]])


def box_points(box: np.ndarray) -> np.ndarray:
    """Where eyes, nose tip and mouth corners (5, 2) of a frontal face typically lie in its box (4,)."""
    return box[:2] + np.array(KPS_IN_FACE + MOUTH_IN_FACE) * (box[2:] - box[:2])


def points_of_faces(boxes: np.ndarray, landmarks: np.ndarray | None) -> np.ndarray:
    """Five points (N, 5, 2) float32 of N faces, of landmarks (N, 478, 2) or (N, 68, 2) px.

    Without landmarks they are taken at typical places of the boxes (N, 4) px, which turned and tilted faces
    do not have. Raises ValueError for a frame without a box.
    """
    missing = np.flatnonzero(~np.isfinite(boxes).all(axis=1))
    if len(missing):
        raise ValueError(f"frames {missing.tolist()} have no face box: leave them out")
    found = map(box_points, boxes) if landmarks is None else map(five_points, landmarks)
    return np.array(list(found), np.float32)
