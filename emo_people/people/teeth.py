"""How teeth and tongue sit in a mouth, and where along its arch each vertex of the teeth lies."""

from functools import cache

import numpy as np

from .mesh import HeadMesh
from .rims import lip_lines

TEETH = ("upper_teeth", "lower_teeth")
# The arch of the template's teeth: half axes of an ellipse and its centre's depth, dm.
ARCH_WIDTH, ARCH_DEPTH, ARCH_CENTRE = 0.31, 0.55, 0.95
# Lowered from where the mesh has them, dm: upper teeth are seen below the lip of an open mouth, the more the
# younger somebody is; and all lie a little further back, for lips that are pressed.
SHOWN, SUNK, TONGUE_SUNK, BACK = 0.075, 0.03, 0.0, 0.015


def seat_teeth(mesh: HeadMesh, vertices: np.ndarray, age: float) -> np.ndarray:
    """Somebody's vertices (V, 3), with teeth and tongue that follow the lips: the targets of the shape move
    those alone."""
    seated = vertices.copy()
    middle = np.concatenate([line[np.abs(mesh.template[line, 0]) < 0.08] for line in lip_lines(mesh)])
    moved = vertices - mesh.template
    lowered = {"upper_teeth": SHOWN * (1 - age / 130), "lower_teeth": SUNK, "tongue": TONGUE_SUNK}
    for part, share in lowered.items():
        own = mesh.vertices_of(part)
        follow = moved[middle].mean(0) - moved[own].mean(0)
        seated[own] += follow * [0, 1, 1] - [0, share, BACK]
    return seated


@cache
def along_arch(mesh: HeadMesh, part: str) -> np.ndarray:
    """For the vertices of a row of TEETH (N, 2): how far from the middle each lies along the arch, dm, to the
    viewer's right above 0, and its height, 0 at the root .. 1 at the edge."""
    angles = np.linspace(0, np.pi / 2 + 0.2, 200)
    arch = np.stack([ARCH_WIDTH * np.sin(angles), ARCH_DEPTH * np.cos(angles)], 1)
    lengths = np.append(0, np.cumsum(np.linalg.norm(np.diff(arch, axis=0), axis=1)))
    x, y, z = mesh.template[mesh.vertices_of(part)].T
    around = np.arctan2(abs(x) / ARCH_WIDTH, (z - ARCH_CENTRE) / ARCH_DEPTH)
    along = np.interp(around, angles, lengths)
    # Roots and edges rise along the arch: compared are vertices of one stretch of it.
    stretch = np.digitize(along, np.linspace(0, along.max(), 7)[1:-1])
    low, high = (np.array([pick(y[stretch == k]) for k in range(6)])[stretch] for pick in (np.min, np.max))
    height = (y - low) / np.maximum(high - low, 1e-3)
    return np.stack([along * np.sign(x), 1 - height if part == "upper_teeth" else height], 1)
