"""The edges of the lids and of the lips on the mesh."""

from functools import cache

import numpy as np

from .mesh import HeadMesh

# Vertices of the eye at the viewer's right, from the inner corner to the outer one.
UPPER_LID = (4504, 4503, 4502, 4501, 4500, 4483, 4482, 4484, 4485, 4486, 4489)
LOWER_LID = (4504, 4506, 4499, 4498, 4497, 4496, 4495, 4494, 4493, 4492, 4489)
# Where the lips touch, from the middle to the corner at the viewer's right.
UPPER_LIP = (474, 3963, 3962, 3961, 6413, 3960, 3914, 3913, 3920)
LOWER_LIP = (493, 3977, 3971, 3966, 3986, 3920)


@cache
def lid_lines(mesh: HeadMesh, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the vertices of the upper and the lower lid's edge, (11,) each, of `right_eye` or
    `left_eye`, from its inner corner to the outer one."""
    lines = np.array(UPPER_LID), np.array(LOWER_LID)
    return lines if part == "left_eye" else (mirrored(mesh, lines[0]), mirrored(mesh, lines[1]))


@cache
def lip_lines(mesh: HeadMesh) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the vertices of the upper and the lower lip's line, (N,) each, from the viewer's left corner
    to the right one."""
    upper, lower = (
        np.concatenate([mirrored(mesh, half[:0:-1]), half])
        for half in (np.array(UPPER_LIP), np.array(LOWER_LIP))
    )
    return upper, lower


def mirrored(mesh: HeadMesh, numbers: np.ndarray) -> np.ndarray:
    """The skin's vertices (N,) on the other side of the face."""
    skin = mesh.vertices_of("skin")
    wanted = mesh.template[numbers] * [-1, 1, 1]
    distances = np.linalg.norm(mesh.template[skin][None] - wanted[:, None], axis=2)
    return np.asarray(skin[distances.argmin(1)])
