"""Lips that meet at rest: many shapes of mouths and noses pull the two lips apart or through each other."""

from functools import cache

import numpy as np
from scipy.spatial import cKDTree

from ..acting.face import INDEX
from .mesh import HeadMesh, head

SEAM = 6.608  # dm: where the lips of the template meet, from x -0.25 to 0.25
TOUCHING = 0.025  # dm between two vertices that meet
BESIDE = 0.035  # dm along the seam to the places that a pair speaks for
GIVING = 0.13  # dm from the seam at which a lip still follows it


def shut_lips(mesh: HeadMesh, vertices: np.ndarray) -> np.ndarray:
    """Vertices (V, 3) of a neutral face whose lips touch; the template's leave a slit of a millimetre."""
    lips, upper, lower, shares, follows = _seam()
    apart = vertices[upper] - vertices[lower]
    apart[:, 2] -= (mesh.template[upper] - mesh.template[lower])[:, 2]
    shut = vertices.copy()
    shut[lips, 1:] += follows[:, None] * (shares @ apart[:, 1:])
    return shut


@cache
def _seam() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Lip vertices (N,), pairs that meet (P,) and (P,), what each pair says to each vertex (N, P), and by how
    much of that it moves (N,): half the way up or down near the seam, less farther off."""
    mesh = head()
    template, skin = mesh.template, mesh.vertices_of("skin")
    rolls = [
        np.linalg.norm(mesh.actions[INDEX[f"mouthRoll{lip}"]], axis=1)[skin] for lip in ("Upper", "Lower")
    ]
    upper = skin[(rolls[0] > rolls[1]) & (rolls[0] > 0.002)]
    lower = skin[(rolls[1] > rolls[0]) & (rolls[1] > 0.002)]
    distance, nearest = cKDTree(template[upper]).query(template[lower])
    meet = distance < TOUCHING
    upper, lower = upper[nearest[meet]], lower[meet]
    x, y, z = template[skin].T
    lips = skin[(np.abs(x) < 0.33) & (np.abs(y - SEAM) < 2.5 * GIVING) & (z > 1.2)]
    shares = np.exp(-(((template[lips, :1] - template[lower, 0]) / BESIDE) ** 2))
    shares /= shares.sum(1, keepdims=True) + 0.05
    off = template[lips, 1] - SEAM
    follows = -0.5 * np.sign(off) * np.exp(-((off / GIVING) ** 2))
    return lips, upper, lower, shares, follows
