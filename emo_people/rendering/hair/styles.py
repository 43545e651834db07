"""The kinds of hair: how each is combed, how long it is, how its strands lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...people.hair import Hair
from ..posing import Body
from .growth import Growth
from .scalp import Roots, inside_hairline

CROWN = np.array([0.08, 8.3, 0.0])  # on the template: where hair turns
TIE, KNOT = np.array([0, 7.75, -0.5]), np.array([0, 8.35, -0.25])


@dataclass(frozen=True)
class Style:
    """ribbons: how many; width in dm; wave: dm aside, turns per dm, 0 flat .. 1 helix; clumps: strength and
    strands to a lock; twist of the ribbons, radians; tip: their width at the end over that at the root."""

    ribbons: int
    width: float
    grow: Callable[[Hair, Body, Roots, np.random.Generator], Growth]
    wave: tuple[float, float, float] = (0.0, 1.0, 0.0)
    clumps: tuple[float, int] = (0.3, 12)
    twist: float = 0.35
    tip: float = 0.2
    hairs: float = 6.0
    disorder: float = 0.1


def eye_height(body: Body) -> float:
    return float(body.mesh.joint("l-eye", body.vertices)[1])


def _layers(count: int, thick: float, rng: np.random.Generator) -> np.ndarray:
    return thick * rng.uniform(0.1, 1, count)


def _is_front(roots: Roots) -> np.ndarray:
    """How much (N,) roots lie over the forehead."""
    x, y, z = roots.template.T
    return (
        np.clip((z - 0.55) / 0.3, 0, 1)
        * np.clip((0.62 - np.abs(x)) / 0.15, 0, 1)
        * np.clip((y - 7.7) / 0.1, 0, 1)
    )


def _height(roots: Roots) -> np.ndarray:
    """0 at the ears .. 1 at the top (N,)."""
    return np.clip((roots.template[:, 1] - 7.3) / 0.95, 0, 1)


def _from_crown(roots: Roots) -> np.ndarray:
    flow = roots.template - CROWN
    return np.asarray(flow + np.array([0, -0.3, 0.1]))


def _from_part(hair: Hair, roots: Roots, back: float) -> np.ndarray:
    """To both sides of the part on top, from the forehead also backwards; down at the sides."""
    x, y, z = roots.template.T
    top = np.clip((y - 7.75) / 0.3, 0, 1)
    side = np.tanh((x - hair.part) / 0.05) * (0.25 + 0.75 * top)
    return np.stack([side, top - 1.3, -back * np.clip((z - 0.1) / 0.8, -0.3, 1)], 1)


def _no_cut(roots: Roots) -> np.ndarray:
    return np.full(len(roots.places), -9.0)


def _free(roots: Roots) -> np.ndarray:
    return np.full(len(roots.places), -9.0)


def _tuck(hair: Hair, front: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Behind the ears or beside the cheeks; the fringe before the forehead."""
    return np.where(front > 0.2, -9.0, 0.15 + 0.4 * hair.volume + rng.normal(0, 0.06, len(front)))


def _short(hair: Hair, body: Body, roots: Roots, rng: np.random.Generator) -> Growth:
    """Crew cut: brushed off the crown, shorter at the sides."""
    length = (0.07 + 0.1 * hair.length) * (0.45 + 0.75 * _height(roots))
    return Growth(
        _from_crown(roots),
        length,
        _layers(len(length), 0.07, rng),
        _no_cut(roots),
        _free(roots),
        lift=0.55,
        weight=0.05,
        mess=0.35,
        points=4,
    )


def _parted(hair: Hair, body: Body, roots: Roots, rng: np.random.Generator) -> Growth:
    length = (0.16 + (0.3 + 0.4 * hair.length) * _height(roots) ** 1.3) * rng.uniform(
        0.8, 1.1, len(roots.places)
    )
    flow = (
        _from_part(hair, roots, 0.6) * _height(roots)[:, None]
        + _from_crown(roots) * (1 - _height(roots))[:, None]
    )
    return Growth(
        flow,
        length,
        _layers(len(length), 0.1 + 0.12 * hair.volume, rng),
        _no_cut(roots),
        _free(roots),
        lift=0.35,
        weight=0.12,
        mess=0.1 + 0.15 * hair.mess,
        points=7,
    )


def _messy(hair: Hair, body: Body, roots: Roots, rng: np.random.Generator) -> Growth:
    length = (0.2 + (0.25 + 0.4 * hair.length) * _height(roots)) * rng.uniform(0.7, 1.2, len(roots.places))
    return Growth(
        _from_crown(roots),
        length,
        _layers(len(length), 0.15 + 0.15 * hair.volume, rng),
        np.full(len(length), eye_height(body) + 0.18),
        _free(roots),
        lift=0.5,
        weight=0.1,
        mess=0.5 + 0.4 * hair.mess,
        points=7,
    )


def _fringed(hair: Hair, body: Body, roots: Roots, rng: np.random.Generator) -> Growth:
    """Combed over the forehead, down to the brows."""
    front = _is_front(roots)
    length = 0.22 + 0.3 * _height(roots) + 0.45 * front
    flow = _from_crown(roots) + front[:, None] * np.array([hair.part, -0.5, 0.6])
    cut = np.where(front > 0.2, eye_height(body) + rng.uniform(0.13, 0.3, len(length)), -9)
    return Growth(
        flow,
        length,
        _layers(len(length), 0.1 + 0.1 * hair.volume, rng),
        cut,
        _tuck(hair, front, rng),
        lift=0.25,
        weight=0.25,
        mess=0.1 + 0.2 * hair.mess,
        points=7,
    )


def _slick(hair: Hair, body: Body, roots: Roots, rng: np.random.Generator) -> Growth:
    length = (0.2 + 0.45 * _height(roots)) * rng.uniform(0.85, 1.1, len(roots.places))
    flow = np.array([0, -0.15, -1.0]) + 0.25 * (roots.template - CROWN)
    return Growth(
        flow,
        length,
        _layers(len(length), 0.06 + 0.12 * hair.volume, rng),
        _no_cut(roots),
        _free(roots),
        lift=0.25,
        weight=0.05,
        mess=0.06,
        points=7,
    )


def _receding(hair: Hair, body: Body, roots: Roots, rng: np.random.Generator) -> Growth:
    length = (0.1 + 0.2 * hair.length) * rng.uniform(0.8, 1.2, len(roots.places))
    return Growth(
        _from_crown(roots),
        length,
        _layers(len(length), 0.06, rng),
        _no_cut(roots),
        _free(roots),
        lift=0.25,
        weight=0.1,
        mess=0.25,
        points=6,
    )


def _hanging(
    hair: Hair, body: Body, roots: Roots, rng: np.random.Generator, lowest: float, ragged: float
) -> Growth:
    """Parted, falling to a height of `lowest` dm over the eyes."""
    front = _is_front(roots) * (hair.mess > 0.66)  # those with a fringe
    eyes = eye_height(body)
    cut = eyes + lowest + ragged * rng.normal(0, 1, len(roots.places))
    cut = np.where(front > 0.2, eyes + rng.uniform(0.12, 0.2, len(cut)), cut)
    length = np.where(front > 0.2, 1.0, 1.1 * (roots.places[:, 1] - cut) + 0.5)
    flow = _from_part(hair, roots, 0.45) * (1 - front[:, None]) + front[:, None] * np.array([0.0, -0.6, 0.8])
    return Growth(
        flow,
        length,
        _layers(len(cut), 0.1 + 0.14 * hair.volume, rng),
        cut,
        _tuck(hair, front, rng),
        lift=0.3,
        weight=0.35,
        mess=0.08 + 0.08 * hair.mess,
        points=11,
    )


def _bob(hair: Hair, body: Body, roots: Roots, rng: np.random.Generator) -> Growth:
    return _hanging(hair, body, roots, rng, -0.55 - 0.5 * hair.length, 0.04)


def _long(hair: Hair, body: Body, roots: Roots, rng: np.random.Generator) -> Growth:
    return _hanging(hair, body, roots, rng, -1.5 - 1.6 * hair.length, 0.2)


def _curly(hair: Hair, body: Body, roots: Roots, rng: np.random.Generator) -> Growth:
    growth = _hanging(hair, body, roots, rng, 0.3 - 1.6 * hair.length, 0.2)
    length = np.minimum(growth.length, 0.5 + 2 * hair.length) * rng.uniform(0.6, 1.1, len(growth.length))
    cut = np.where(growth.tuck < -1, eye_height(body) + 0.16, growth.cut)
    return Growth(
        growth.flow,
        length,
        _layers(len(length), 0.22 + 0.2 * hair.volume, rng),
        cut,
        growth.tuck,
        lift=0.5,
        weight=0.25,
        mess=0.35,
        points=11,
    )


def _afro(hair: Hair, body: Body, roots: Roots, rng: np.random.Generator) -> Growth:
    thick = 0.1 + 0.55 * hair.length * hair.volume
    length = (
        thick
        * rng.uniform(0.75, 1.05, len(roots.places))
        * np.clip(0.35 + 2.5 * inside_hairline(roots.template, np.array(hair.hairline)), 0, 1)
    )
    return Growth(
        _from_crown(roots),
        length,
        length * 0.95,
        _no_cut(roots),
        _free(roots),
        lift=0.9,
        weight=0.0,
        mess=0.25,
        points=6,
    )


def _braids(hair: Hair, body: Body, roots: Roots, rng: np.random.Generator) -> Growth:
    growth = _hanging(hair, body, roots, rng, 0.1 - 2.2 * hair.length, 0.12)
    return Growth(
        growth.flow,
        growth.length,
        _layers(len(roots.places), 0.12 + 0.1 * hair.volume, rng),
        growth.cut,
        _tuck(hair, np.zeros(len(roots.places)), rng),
        lift=0.3,
        weight=0.3,
        mess=0.1,
        points=11,
    )


def tie_of(hair: Hair) -> np.ndarray:
    """Where hair is tied, (3,) on the template."""
    return KNOT if hair.kind == "bun" and hair.mess > 0.4 else TIE


def _tied(hair: Hair, body: Body, roots: Roots, rng: np.random.Generator) -> Growth:
    """Combed to where it is tied; what hangs or is wound there is made by itself."""
    goal = tie_of(hair)
    to_goal = goal - roots.template
    length = np.linalg.norm(to_goal, axis=1) * 1.05
    return Growth(
        to_goal,
        length,
        _layers(len(length), 0.05 + 0.06 * hair.volume, rng),
        _no_cut(roots),
        _free(roots),
        lift=0.1,
        weight=0.0,
        mess=0.05,
        points=7,
    )


STYLES = {
    "crew": Style(2600, 0.023, _short, clumps=(0.1, 8), twist=0.8, hairs=1.5),
    "side_part": Style(850, 0.1, _parted, clumps=(0.3, 10), hairs=7, tip=0.12),
    "messy": Style(900, 0.095, _messy, clumps=(0.5, 10), twist=0.6, hairs=7),
    "fringe": Style(850, 0.1, _fringed, clumps=(0.4, 10), hairs=7),
    "slick": Style(750, 0.1, _slick, clumps=(0.4, 8), hairs=7, tip=0.12),
    "receding": Style(1800, 0.033, _receding, clumps=(0.2, 8), hairs=4),
    "bob": Style(500, 0.15, _bob, clumps=(0.25, 8), hairs=10, tip=0.1),
    "straight": Style(460, 0.165, _long, clumps=(0.25, 8), hairs=11, tip=0.1),
    "wavy": Style(460, 0.165, _long, wave=(0.09, 0.7, 0.25), clumps=(0.5, 10), hairs=11, tip=0.1),
    "curly": Style(
        560, 0.14, _curly, wave=(0.06, 2.0, 0.7), clumps=(0.5, 8), twist=0.9, hairs=9, disorder=0.5
    ),
    "afro": Style(
        1300, 0.12, _afro, wave=(0.03, 4.0, 1.0), clumps=(0.2, 6), twist=1.5, hairs=7, disorder=0.8
    ),
    "braids": Style(300, 0.1, _braids, clumps=(0, 1), twist=0.1, hairs=5, disorder=0.5),
    "ponytail": Style(600, 0.115, _tied, clumps=(0.2, 8), hairs=8),
    "bun": Style(600, 0.115, _tied, clumps=(0.2, 8), hairs=8),
}
