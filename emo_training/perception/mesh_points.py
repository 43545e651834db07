"""MediaPipe's 478 points in the project's terms: a face's box, iBUG's 68 points, the irises."""

import numpy as np

MESH_POINTS = 478
FOREHEAD, CHIN = 10, 152
IRISES = (468, 473)  # their middles, the viewer's left one first

# The mesh ends between brows and hairline, and before the ears.
TO_HAIRLINE = 1.15  # of the mesh's height
TO_EARS = 1.16  # of its width

# The mesh's points that stand for each of iBUG's; where the mesh has none in that place, the middle of two.
# Jaw and nose of the usual tables are not symmetric: here they are.
_IBUG: tuple[int | tuple[int, int], ...] = (
    *(127, 234, 93, (132, 58), (58, 172), 136, 150, 176, 152),
    *(400, 379, 365, (288, 397), (361, 288), 323, 454, 356),
    *(70, 63, 105, 66, 107, 336, 296, 334, 293, 300),
    *((168, 6), (197, 195), 5, 4, 98, 97, 2, 326, 327),
    *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),
    *(61, 39, 37, 0, 267, 269, 291, 321, 314, 17, 84, 91),
    *(78, 82, 13, 312, 308, 317, 14, 87),
)
_PAIRS = np.array([place if isinstance(place, tuple) else (place, place) for place in _IBUG])


def mesh_box(meshes: np.ndarray) -> np.ndarray:
    """x0, y0, x1, y1 (..., 4) around all points of meshes (..., 478, D)."""
    flat = meshes[..., :2]
    return np.concatenate([flat.min(axis=-2), flat.max(axis=-2)], axis=-1)


def face_box(meshes: np.ndarray) -> np.ndarray:
    """x0, y0, x1, y1 (..., 4) from ear to ear and from hairline to chin of meshes (..., 478, D), turned as
    they may be: that of the mesh stretched along the face's own axes, up from the chin and to both sides."""
    flat, chin = meshes[..., :2], meshes[..., CHIN, None, :2]
    up = meshes[..., FOREHEAD, None, :2] - chin
    up = up / np.linalg.norm(up, axis=-1, keepdims=True)
    across = np.stack([-up[..., 1], up[..., 0]], axis=-1)
    height, aside = (((flat - chin) * axis).sum(-1, keepdims=True) for axis in (up, across))
    middle = (aside.min(axis=-2, keepdims=True) + aside.max(axis=-2, keepdims=True)) / 2
    stretched = chin + TO_HAIRLINE * height * up + (middle + TO_EARS * (aside - middle)) * across
    return mesh_box(stretched)


def ibug_points(meshes: np.ndarray) -> np.ndarray:
    """iBUG's points (..., 68, D) of meshes (..., 478, D), in their unit."""
    return meshes[..., _PAIRS, :].mean(axis=-2)


def iris_points(meshes: np.ndarray) -> np.ndarray:
    """The middles (..., 2, D) of the irises, the viewer's left one first."""
    return meshes[..., IRISES, :]
