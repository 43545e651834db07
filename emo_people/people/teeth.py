"""How teeth and tongue sit in a mouth, and where along its arch each vertex of the teeth lies."""

from collections.abc import Callable
from functools import cache

import numpy as np

from .mesh import HeadMesh
from .rims import lip_lines

TEETH = ("upper_teeth", "lower_teeth")
# The arch of the template's teeth: half axes of an ellipse and its centre's depth, dm.
ARCH_WIDTH, ARCH_DEPTH, ARCH_CENTRE = 0.31, 0.55, 0.95
# dm, in the middle of a face of the template's size: how far upper teeth reach below the line where the lips
# touch, and the share of it that a year of age takes; how far the lower ones reach up behind them; from the
# lips' line back to the upper teeth, and from there to the lower ones.
SHOWN, SHORTER, OVERLAP, LIP, STEP = 0.048, 1 / 130, 0.026, 0.066, 0.034
TONGUE_LOW, TONGUE_BACK = 0.06, 0.05  # dm that the tongue lies lower and deeper than the lower teeth do


def seat_teeth(mesh: HeadMesh, vertices: np.ndarray, age: float) -> np.ndarray:
    """Somebody's vertices (V, 3), with teeth and tongue behind the person's own lips.

    The targets of the shape move lips alone, and the mesh has the upper teeth hidden by the lip, the lower
    ones on top of the lower lip.
    """
    seated = vertices.copy()
    upper_lip, lower_lip = lip_lines(mesh)
    size = np.ptp(vertices[upper_lip, 0]) / np.ptp(mesh.template[upper_lip, 0])
    lips = (vertices[upper_lip[len(upper_lip) // 2]] + vertices[lower_lip[len(lower_lip) // 2]]) / 2
    upper, lower = (mesh.vertices_of(part) for part in TEETH)
    edge = lips[1:] - size * np.array([SHOWN * (1 - SHORTER * age), LIP])
    seated[upper, 1:] += edge - _front(mesh, vertices, upper, np.min)
    step = edge + size * np.array([OVERLAP, -STEP]) - _front(mesh, vertices, lower, np.max)
    seated[lower, 1:] += step
    seated[mesh.vertices_of("tongue"), 1:] += step - size * np.array([TONGUE_LOW, TONGUE_BACK])
    return seated


def _front(
    mesh: HeadMesh, vertices: np.ndarray, teeth: np.ndarray, edge: Callable[[np.ndarray], float]
) -> np.ndarray:
    """y of the edge that bites and z of the front (2,), in the middle of a row of teeth."""
    template = mesh.template[teeth]
    front = vertices[teeth[(np.abs(template[:, 0]) < 0.02) & (template[:, 2] > template[:, 2].max() - 0.06)]]
    return np.array([edge(front[:, 1]), front[:, 2].max()])


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
