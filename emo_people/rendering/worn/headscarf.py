"""Headscarves and hoods: cloth around the face, over hair, ears and neck."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from ...people.headwear import Headwear
from ..cloth import along_arm, shell
from ..clothes import cut_out
from ..pieces import Piece
from ..posing import Body
from .headwear import cloth

AROUND, BACK = 96, 36  # columns around the face, rows from its edge to the back of the head
MIDDLE = (0.0, 7.15, 0.3)  # on the template, dm: rays from there meet cloth once
LOWEST = 5.75  # on the template, dm: where neck and shoulders begin, below what is worn around the neck
NECK_TOP, NECK_WIDTH = 6.3, 0.62  # on the template, dm: farther out than half that width shoulders begin
EAR = (0.72, 6.75, 7.55, 0.75)  # x from, y from, y to, z to on the template
# Degrees from straight ahead at which cloth begins, at every 30 degrees from the forehead down to the chin.
EDGES = {"headscarf": (33, 40, 52, 57, 54, 54, 57), "hood": (37, 47, 62, 72, 76, 84, 90)}
# dm between skin and cloth: at the edge, over the skull.
ROOMS = {"headscarf": (0.04, 0.19), "hood": (0.1, 0.26)}
NEAR = 6  # vertices of the skin that a place of the cloth follows


def covering_pieces(headwear: Headwear, body: Body) -> list[Piece]:
    around = np.linspace(-np.pi, np.pi, AROUND, endpoint=False)  # 0 over the forehead
    start = np.radians(_edge(headwear, around))
    start = start + np.radians(4 * (0.5 - headwear.low)) * np.clip(np.cos(around), 0, 1)
    share = np.linspace(0, 1, BACK)[:, None] ** 1.3
    from_front = start + share * (np.pi - start)
    out = np.stack(
        [np.sin(from_front) * np.sin(around), np.sin(from_front) * np.cos(around), np.cos(from_front)], -1
    )
    skin = _skin_radius(body, out)
    edge, over = ROOMS[headwear.kind]
    inner = gaussian_filter(skin, (1.2, 2.0), mode=("nearest", "wrap"))
    room = edge + (over - edge) * np.clip(share * 5, 0, 1) + _folds(headwear, around, share)
    radius = np.maximum(inner, skin - 0.02) + room * body.size
    # Its own thickness, which turns in onto the skin.
    radius = np.concatenate([skin[:1] + (0.5 * edge - 0.02) * body.size, radius])
    out = np.concatenate([out[:1], out])
    places = _middle(body) + radius[..., None] * out
    reach = np.concatenate([from_front[:1] - 0.03, from_front])
    flat = reach[..., None] * np.stack([np.sin(around), np.cos(around)], -1)
    head = cloth(headwear, places, flat, body, _follow(body, places.reshape(-1, 3)), ears(body))
    return [head, *([_fall(headwear, body)] if headwear.kind == "headscarf" and not headwear.wound else [])]


def _fall(headwear: Headwear, body: Body) -> Piece:
    """What lies over shoulders and chest."""
    low = 4.75 - 0.6 * headwear.brim

    def cut(rest: np.ndarray, flat: np.ndarray) -> np.ndarray:
        point = 0.35 * np.clip(1 - np.abs(flat[:, 0]) / 1.2, 0, 1)
        return np.minimum(flat[:, 1] - low + point, 0.3 - along_arm(rest))

    return cut_out(shell(body, cut, 0.22, 30), headwear.fabric)


def _edge(headwear: Headwear, around: np.ndarray) -> np.ndarray:
    """Degrees from straight ahead, smooth over the forehead and below the chin."""
    edges = EDGES[headwear.kind]
    return np.asarray(
        CubicSpline(np.linspace(0, np.pi, len(edges)), edges, bc_type="clamped")(np.abs(around))
    )


def ears(body: Body) -> np.ndarray:
    """The vertices (V,) that would push through the cloth."""
    x, y, z = body.mesh.template.T
    side, low, high, front = EAR
    return (np.abs(x) > side) & (y > low) & (y < high) & (z < front)


def _folds(headwear: Headwear, around: np.ndarray, share: np.ndarray) -> np.ndarray:
    """dm that the cloth stands out where it is laid in folds around the face and falls to the neck."""
    low = np.clip(0.6 - 0.8 * np.cos(around), 0, 1)  # least over the forehead
    bend = 1.7 * np.sin(2 * around + 4 * headwear.brim) + 9 * headwear.brim
    waves = 1.2 - 1.8 * np.abs(np.sin(13 * share + 0.6 * bend))
    waves = waves + 0.6 * np.sin(37 * share - 2.3 * np.sin(around + 1) + 3 * headwear.low)
    grown = np.clip(share * 9, 0, 1)
    return np.asarray((0.03 + 0.02 * headwear.brim) * waves * (0.35 + 0.65 * low) * grown)


def _middle(body: Body) -> np.ndarray:
    """MIDDLE on somebody's head."""
    rest, own = body.mesh.template, body.vertices
    near = (np.abs(rest[:, 0]) < 0.8) & (np.abs(rest[:, 1] - MIDDLE[1]) < 0.35) & (rest[:, 2] > -1)
    shift = (own[near].min(0) + own[near].max(0) - rest[near].min(0) - rest[near].max(0)) / 2
    return np.asarray(np.array(MIDDLE) + shift)


def _skin_radius(body: Body, out: np.ndarray) -> np.ndarray:
    """How far the skin, without ears, is from the middle in directions (..., 3)."""
    skin = np.zeros(len(body.vertices), bool)
    skin[body.mesh.vertices_of("skin")] = True
    x, y, _ = body.mesh.template.T
    skin &= (y > LOWEST) & (np.abs(x) < np.where(y < NECK_TOP, NECK_WIDTH, 1.0)) & ~ears(body)
    away = body.vertices[skin] - _middle(body)
    far = np.linalg.norm(away, axis=1)
    # Of skin inside skin, such as the mouth's, the outer counts.
    distance, near = cKDTree(away / far[:, None]).query(out, k=8)
    weight = np.exp(6 * far[near]) / (distance + 0.04) ** 2
    return np.asarray((far[near] * weight).sum(-1) / weight.sum(-1))


def _follow(body: Body, places: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The turn's share (N,) of places (N, 3), the vertices (N, NEAR) that each follows, and by how much."""
    skin = body.mesh.vertices_of("skin")
    skin = skin[~ears(body)[skin]]
    distance, near = cKDTree(body.vertices[skin]).query(places, k=NEAR)
    weights = 1 / (distance + 0.05) ** 2
    weights /= weights.sum(1, keepdims=True)
    return (body.mesh.turn[skin[near]] * weights).sum(1), skin[near], weights
