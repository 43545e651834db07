"""Hair under a hat: within the dome above its rim, no wider than it next below."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...people.headwear import Headwear
from ..pieces import Piece
from ..posing import Body
from .headwear import ROOM, rim_of, skull

INSIDE = 0.05  # dm that hair stays below the cloth
FLARE = 1.2  # dm that hair may stand out farther for a radian below the rim
HIDDEN = 0.12  # radians above the rim from which no hair is seen


def pressed(hair: list[Piece], headwear: Headwear, body: Body) -> list[Piece]:
    """Ribbons of the head's hair as they lie below a hat, without those that it hides altogether."""
    return [_pressed(piece, headwear, body) if piece.anchors is None else piece for piece in hair]


def _pressed(piece: Piece, headwear: Headwear, body: Body) -> Piece:
    middle = skull(body, np.zeros((1, 3)))[0]
    away = piece.vertices - middle
    far = np.linalg.norm(away, axis=1)
    out = away / far[:, None]
    above = np.arcsin(out[:, 1]) - rim_of(headwear, np.arctan2(out[:, 0], out[:, 2]))
    limit = skull(body, out)[1] + body.size * (ROOM - INSIDE + FLARE * np.maximum(-above, 0))
    nearer = np.minimum(limit / far, 1)
    seen = (above < HIDDEN).reshape(-1, piece.ribbon).any(1)
    kept = np.repeat(seen, piece.ribbon)
    moved = (middle + away * nearer[:, None]).astype(np.float32)
    triangles = piece.triangles.reshape(len(seen), -1, 3)[: seen.sum()].reshape(-1, 3)
    assert piece.normals is not None  # ribbons have their own
    return replace(
        piece,
        vertices=moved[kept],
        triangles=triangles,
        turn=piece.turn[kept],
        rest=piece.rest[kept],
        marks=piece.marks[kept],
        normals=piece.normals[kept],
    )
