"""The 68 points of a face in iBUG's order (300-W), and what they say of mouth and eyes.

Counted from 0: jaw 0-16, brows 17-26, nose 27-35, eyes 36-47, outer lips 48-59, inner lips 60-67; in each
part from the viewer's left. Points may lie in the picture (..., 68, 2) or in space (..., 68, 3). Lengths are
in units of the inter-ocular distance, so that neither the picture's size nor the face's matters.
"""

import numpy as np

POINTS = 68
OUTER_EYE_CORNERS = (36, 45)
MOUTH_CORNERS = (48, 54)
# Upper and lower points that close on each other; of the eyes, the viewer's left one comes first.
INNER_LIPS = ((61, 67), (62, 66), (63, 65))
LIDS = (((37, 41), (38, 40)), ((43, 47), (44, 46)))
MIRRORED = (
    *range(16, -1, -1),
    *range(26, 16, -1),
    *range(27, 31),
    *range(35, 30, -1),
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
    *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55),
    *(64, 63, 62, 61, 60, 67, 66, 65),
)  # where each point is in the mirror image


def inter_ocular(points: np.ndarray) -> np.ndarray:
    """The distance (...) between the outer corners of the eyes, in the unit of points (..., 68, D)."""
    return _distance(points, OUTER_EYE_CORNERS)


def mouth_open(points: np.ndarray) -> np.ndarray:
    """The mean gap (...) between the inner lips: 0 for closed lips, 0.5 for a wide open mouth."""
    return _gap(points, INNER_LIPS) / inter_ocular(points)


def mouth_width(points: np.ndarray) -> np.ndarray:
    """From corner to corner (...): about 0.55 at rest."""
    return _distance(points, MOUTH_CORNERS) / inter_ocular(points)


def eye_open(points: np.ndarray) -> np.ndarray:
    """The gap (..., 2) between the lids, the viewer's left eye first: about 0.1 at rest."""
    return np.stack([_gap(points, eye) for eye in LIDS], axis=-1) / inter_ocular(points)[..., None]


def _gap(points: np.ndarray, pairs: tuple[tuple[int, int], ...]) -> np.ndarray:
    return np.mean([_distance(points, pair) for pair in pairs], axis=0)


def _distance(points: np.ndarray, pair: tuple[int, int]) -> np.ndarray:
    one, other = pair
    return np.linalg.norm(points[..., one, :] - points[..., other, :], axis=-1)
