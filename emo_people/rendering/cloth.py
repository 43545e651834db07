"""Cloth over a body: shells of its skin cut along a curve, and strips and tubes around its neck."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.sparse import coo_array
from scipy.spatial import cKDTree

from .posing import Body, normals

# On the template: the plane around the neck's root, y = BASE - LEAN z + RISE x^2, where a round collar lies.
BASE, LEAN, RISE = 5.665, 0.257, 0.3
NECK_Z = 0.2  # of the neck's middle
SHOULDER, ELBOW = np.array([1.68, 5.25]), np.array([3.13, 3.49])
EDGE = 0.3  # dm from a cut within which cloth has finer triangles
COVERED = 0.35  # dm within a cut from which nobody sees the skin below
ROOT = 5.47  # y of the pit of the neck
# Positive (N,), in dm, where there is cloth, by places on the template (N, 3) and on the flat cloth (N, 2).
Cut = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Sheet:
    """Cloth as a mesh. Columns of `points`: place (3), rest (3), normal (3), turn, skin (3), flat (2), hem.

    rest: on the template; flat: right and up, dm, as a pattern lies on the cloth; hem: distance from the
    nearest cut edge, dm, negative on the edge's own thickness. covers: vertices (V,) of the body.
    """

    points: np.ndarray
    triangles: np.ndarray
    covers: np.ndarray | None = None

    @property
    def place(self) -> np.ndarray:
        return self.points[:, :3]

    @property
    def rest(self) -> np.ndarray:
        return self.points[:, 3:6]

    @property
    def turn(self) -> np.ndarray:
        return self.points[:, 9]

    @property
    def flat(self) -> np.ndarray:
        return self.points[:, 13:15]

    @property
    def hem(self) -> np.ndarray:
        return self.points[:, 15]


def level(rest: np.ndarray) -> np.ndarray:
    """Height (N,) of template places (N, 3) above the neck's root, dm: a collar's edge is where it is 0."""
    x, y, z = rest.T
    return y - (BASE - LEAN * z + RISE * x**2)


def along_arm(rest: np.ndarray) -> np.ndarray:
    """Distance (N,) from the shoulder towards the elbow, dm; negative on the trunk."""
    arm = (ELBOW - SHOULDER) / np.linalg.norm(ELBOW - SHOULDER)
    x, y = np.abs(rest[:, 0]) - SHOULDER[0], rest[:, 1] - SHOULDER[1]
    return np.where(x * -arm[1] + y * arm[0] > -0.85, x * arm[0] + y * arm[1], -1.0)


def flat(body: Body, places: np.ndarray) -> np.ndarray:
    """Places (N, 3) on somebody's cloth as (N, 2), right and up, with the neck as wide as on the template."""
    rest, own = body.mesh.template, body.vertices
    x, z = np.abs(rest[:, 0]), rest[:, 2]
    root = (np.abs(level(rest)) < 0.1) & (body.mesh.turn < 0.9)
    pit, sides = root & (x < 0.2) & (z > 0.4), root & (x > 0.5) & (x < 0.9) & (np.abs(z) < 0.35)
    size = x[sides].mean() / np.abs(own[sides, 0] - own[pit, 0].mean()).mean()
    return (places[:, :2] - own[pit, :2].mean(0)) * size + [0, ROOT]


def shell(body: Body, cut: Cut, offset: float, smooth: int, fine: int = 1) -> Sheet:
    """Where the cut is positive, `offset` dm outside the skin; smoothed cloth hangs over the hollows.

    fine: how often the triangles near the edge are cut in four.
    """
    rest, triangles = body.mesh.template, body.mesh.triangles["skin"]
    inside = cut(rest, flat(body, body.vertices))
    near = (inside > -0.6) & (body.mesh.turn < 0.9) & (level(rest) < 1.2)
    triangles = triangles[near[triangles].all(1)]
    used, triangles = np.unique(triangles, return_inverse=True)
    triangles = triangles.reshape(-1, 3)
    skin, facing = body.vertices[used], normals(body.vertices, body.mesh.triangles["skin"])[used]
    cloth = _outside(_smoothed(skin, triangles, smooth), skin, facing, offset)
    points = np.concatenate([cloth, rest[used], facing, body.mesh.turn[used, None], skin, skin[:, :2]], 1)
    for reach in (EDGE, EDGE / 3)[:fine]:
        places = points[:, 3:6], flat(body, points[:, :3])
        points, triangles = _refined(points, triangles, np.abs(cut(*places)) < reach)
        points[:, :3] = _smoothed(points[:, :3], triangles, 2)
        points[:, :3] = _outside(points[:, :3], points[:, 10:13], points[:, 6:9], 0.85 * offset)
    points[:, 13:15] = flat(body, points[:, :3])
    sheet = _clipped(points, triangles, cut(points[:, 3:6], points[:, 13:15]), 0.8 * offset)
    return replace(sheet, covers=near & (inside > COVERED))


def _outside(cloth: np.ndarray, skin: np.ndarray, facing: np.ndarray, offset: float) -> np.ndarray:
    """Cloth (N, 3) at least `offset` dm above the skin below it."""
    short = np.maximum(offset - ((cloth - skin) * facing).sum(1), 0)
    return np.asarray(cloth + short[:, None] * facing)


def _smoothed(places: np.ndarray, triangles: np.ndarray, times: int) -> np.ndarray:
    """Each place moved `times` to the mean of its neighbours; those at the mesh's border stay."""
    a, b = triangles[:, [0, 1, 2]].ravel(), triangles[:, [1, 2, 0]].ravel()
    count = len(places)
    links = coo_array((np.ones(2 * len(a), np.float32), (np.r_[a, b], np.r_[b, a])), (count, count)).tocsr()
    border = np.zeros(count, bool)
    edges = coo_array((np.ones(len(a)), (np.minimum(a, b), np.maximum(a, b))), (count, count)).tocsr().tocoo()
    single = edges.data == 1
    border[edges.coords[0][single]] = border[edges.coords[1][single]] = True
    total = np.maximum(links.sum(1), 1)[:, None]
    for _ in range(times):
        places = np.where(border[:, None], places, links @ places / total)
    return places


def _refined(points: np.ndarray, triangles: np.ndarray, fine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Edges with an end that is `fine` (N,) halved, and triangles cut into two, three or four accordingly.

    Only there, since software renderers pay for triangles by the number.
    """
    unique, where = _edges(triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2))
    halved = fine[unique].any(1)
    number = np.cumsum(halved) - 1 + len(points)
    cut, middle = halved[where].reshape(-1, 3), number[where].reshape(-1, 3)
    count = cut.sum(1)
    # Turned so that the one halved edge, or the one that is not, comes first.
    first = np.where(count == 2, (~cut).argmax(1), cut.argmax(1))
    order = (first[:, None] + np.arange(3)) % 3
    rows = np.arange(len(triangles))[:, None]
    (a, b, c), (ab, bc, ca) = triangles[rows, order].T, middle[rows, order].T
    splits = {
        0: [(a, b, c)],
        1: [(a, ab, c), (ab, b, c)],
        2: [(a, b, bc), (a, bc, ca), (ca, bc, c)],
        3: [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)],
    }
    parts = [np.stack(part, 1)[count == k] for k, split in splits.items() for part in split]
    return np.concatenate([points, points[unique[halved]].mean(1)]), np.concatenate(parts)


def _edges(sides: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The different edges (E, 2) among sides (S, 2) of triangles, and which of them each side is (S,)."""
    # As one number each they are sorted several times faster than as rows.
    low, high = np.sort(sides, axis=1).astype(np.int64).T
    numbers, where = np.unique(low << 32 | high, return_inverse=True)
    return np.stack([numbers >> 32, numbers & 0xFFFFFFFF], 1), where


def _clipped(points: np.ndarray, triangles: np.ndarray, inside: np.ndarray, thick: float) -> Sheet:
    """Where inside (N,) is positive, cut exactly at 0; the edge gets a border, `thick` dm deep."""
    positive = inside[triangles] > 0
    count = positive.sum(1)
    crossing = (count == 1) | (count == 2)
    odd = np.where(count[crossing] == 1, positive[crossing].argmax(1), (~positive[crossing]).argmax(1))
    turned = triangles[crossing][np.arange(crossing.sum())[:, None], (odd[:, None] + np.arange(3)) % 3]
    a, b, c = turned.T
    unique, where = _edges(np.concatenate([np.stack([a, b], 1), np.stack([a, c], 1)]))
    share = inside[unique[:, 0]] / (inside[unique[:, 0]] - inside[unique[:, 1]])
    between = points[unique[:, 0]] + share[:, None] * (points[unique[:, 1]] - points[unique[:, 0]])
    ab, ac = where.reshape(2, -1) + len(points)
    tip = count[crossing] == 1
    kept = [triangles[count == 3], np.stack([a, ab, ac], 1)[tip]]
    kept += [np.stack([ab, b, c], 1)[~tip], np.stack([ab, c, ac], 1)[~tip]]
    outer = np.stack([np.where(tip, ab, ac), np.where(tip, ac, ab)], 1)
    return _hemmed(
        np.concatenate([points, between]), np.concatenate(kept), outer, np.r_[inside, 0 * share], thick
    )


def _hemmed(
    points: np.ndarray, triangles: np.ndarray, edge: np.ndarray, hem: np.ndarray, thick: float
) -> Sheet:
    """With a border along the edges (E, 2) that turns in towards the body."""
    rim, where = np.unique(edge, return_inverse=True)
    # Points of its own, so that its normals do not round off the cloth's.
    first, second = where.reshape(-1, 2).T + len(points)
    below, beneath = first + len(rim), second + len(rim)
    inner = points[rim].copy()
    inner[:, :3] -= thick * inner[:, 6:9]
    all_points = np.concatenate([points, points[rim], inner])
    all_points = np.concatenate([all_points, np.r_[hem, np.full(2 * len(rim), -0.02)][:, None]], 1)
    border = [np.stack([second, first, below], 1), np.stack([second, below, beneath], 1)]
    every = np.concatenate([triangles, *border])
    used, every = np.unique(every, return_inverse=True)
    return Sheet(all_points[used].astype(np.float32), every.reshape(-1, 3).astype(np.int32))


@dataclass(frozen=True, eq=False)
class Neck:
    """The surface of the neck and of what is around its root, smooth, by angle and level.

    angle: 0 at the back, pi/2 at the viewer's right, pi and -pi in front.
    """

    body: Body

    @cached_property
    def _fitted(self) -> np.ndarray:
        rest, skin = self.body.mesh.template, self.body.mesh.vertices_of("skin")
        high = level(rest)
        near = (high > -0.25) & (high < 0.5) & (np.abs(rest[:, 0]) < 0.95) & (self.body.mesh.turn < 0.7)
        near &= np.isin(np.arange(len(rest)), skin) & (rest[:, 2] < 1.0)
        angle = np.arctan2(rest[near, 0], -(rest[near, 2] - NECK_Z))
        targets = np.concatenate([self.body.vertices, rest, self.body.mesh.turn[:, None]], 1)[near]
        return np.linalg.lstsq(_waves(angle, high[near]), targets, rcond=None)[0]

    @cached_property
    def tree(self) -> tuple[cKDTree, np.ndarray]:
        skin = self.body.mesh.vertices_of("skin")
        facing = normals(self.body.vertices, self.body.mesh.triangles["skin"])
        return cKDTree(self.body.vertices[skin]), np.concatenate([self.body.vertices, facing], 1)[skin]

    @property
    def size(self) -> float:
        """Of its root against the template's, at most 1."""
        sides = np.array([-np.pi / 2, np.pi / 2])
        own, rest, _ = self.at(sides, 0 * sides)
        return float(min(np.ptp(own[:, 0]) / np.ptp(rest[:, 0]), 1.0))

    def at(self, angle: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Places, those on the template, and level outward directions, (N, 3) each, by angles and levels."""
        found = _waves(angle, high) @ self._fitted
        aside = (_waves(angle + 0.02, high) - _waves(angle - 0.02, high)) @ self._fitted[:, :3]
        out = np.stack([-aside[:, 2], 0 * angle, aside[:, 0]], 1)
        return found[:, :3], found[:, 3:6], -out / np.linalg.norm(out, axis=1, keepdims=True)

    def turn(self, angle: np.ndarray, high: np.ndarray) -> np.ndarray:
        return np.clip(_waves(angle, high) @ self._fitted[:, 6], 0, 1)

    def clear(self, places: np.ndarray, gap: np.ndarray | float) -> np.ndarray:
        """Places (N, 3) pushed out until they are `gap` dm outside the skin."""
        tree, table = self.tree
        _, nearest = tree.query(places, k=3)
        skin, facing = table[nearest, :3].mean(1), table[nearest, 3:].mean(1)
        short = np.maximum(gap - ((places - skin) * facing).sum(1), 0)
        return np.asarray(places + np.minimum(short, 0.6)[:, None] * facing)


def _waves(angle: np.ndarray, high: np.ndarray) -> np.ndarray:
    """(N, 21): the products of a Fourier series in the angle and a square polynomial in the level."""
    around = [angle**0] + [f(k * angle) for k in (1, 2, 3) for f in (np.cos, np.sin)]
    return np.stack([wave * high**power for wave in around for power in range(3)], 1)


def grid(rows: int, columns: int, closed: bool = False) -> np.ndarray:
    """Triangles over points in `rows` of `columns`, the last column next to the first where closed."""
    row, column = np.mgrid[: rows - 1, : columns if closed else columns - 1]
    right = (column + 1) % columns
    a, b = (row * columns + column).ravel(), (row * columns + right).ravel()
    c, d = a + columns, b + columns
    return np.concatenate([np.stack([a, b, d], 1), np.stack([a, d, c], 1)]).astype(np.int32)
