"""What a person wears or grows: meshes of their own that follow the body's."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .posing import Body


@dataclass(frozen=True, eq=False)
class Piece:
    """Hair, glasses, a hat, a collar: N vertices that are drawn beside the body's mesh.

    vertices (N, 3) float32 in dm on the neutral, unturned body; triangles (T, 3) int32. anchors (N,) are
    vertices of the body's mesh with whose expression each moves, or (N, K) with `weights` (N, K) the several
    whose mean it follows, None for what no expression moves; turn (N,) is the share of the head's turn that
    it takes. rest (N, 3) and marks (N, 4) are for the fragment shader `program`.frag, whose uniforms are
    `uniforms`; it finds the normals (N, 3), of the triangles where None, in `facing`. covers (V,) are the
    vertices of the body that it hides for good. ribbon: of hair, how many vertices each ribbon has, the
    ribbons one after the other."""

    program: str
    vertices: np.ndarray
    triangles: np.ndarray
    turn: np.ndarray
    rest: np.ndarray
    marks: np.ndarray
    anchors: np.ndarray | None = None
    weights: np.ndarray | None = None
    normals: np.ndarray | None = None
    uniforms: dict[str, object] = field(default_factory=dict)
    covers: np.ndarray | None = None
    ribbon: int = 0

    def follow(self, body: Body, expressed: np.ndarray) -> np.ndarray:
        """Its unturned vertices (N, 3) when the body's are `expressed` (V, 3)."""
        if self.anchors is None:
            return self.vertices
        moved = (expressed - body.vertices)[self.anchors]
        if self.weights is not None:
            moved = np.einsum("nk,nkd->nd", self.weights, moved)
        return np.asarray(self.vertices + moved)
