"""A person's clothes as pieces that the studio draws."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..people.clothes import Clothes, Fabric
from .cloth import NECK_Z, Cut, Neck, Sheet, grid, level, shell
from .necklines import (
    TIE_BOTTOM,
    lapel,
    round_neck,
    scoop,
    straps,
    tank_top,
    tie_blade,
    tie_knot,
    v_neck,
    with_sleeves,
    within,
)
from .pieces import Piece
from .posing import Body, normals
from .surfaces import fabric_uniforms

# How far down the V of a neckline or a jacket reaches on the template's front, dm of y.
HIGH, LOW = 5.45, 4.3
STIFF, ELASTIC = 0.25, 0.8  # of the turn that the skin below takes
UNDER = 2  # times that the cloth below a jacket is smoothed: more would bridge hollows higher than the jacket


def clothes_of(clothes: Clothes, body: Body) -> list[Piece]:
    """From the skin outwards."""
    neck = Neck(body)
    pieces = DRESSES[clothes.kind](clothes, body, neck) if clothes.kind in DRESSES else []
    if clothes.tie is not None:
        pieces += _tie(clothes.tie, body)
    if clothes.necklace is not None:
        pieces.append(_necklace(clothes, neck))
    if clothes.scarf is not None:
        pieces += _scarf(clothes.scarf, neck)
    return pieces


def _worn(
    body: Body, cut: Cut, offset: float, smooth: int, fabric: Fabric, fine: int = 1, **shape: float
) -> Piece:
    return cut_out(shell(body, cut, offset, smooth, fine), fabric, **shape)


def _top(
    cut: Callable[[Clothes], Cut], sleeve: float, offset: float = 0.05, fine: int = 1, **shape: float
) -> Dress:
    def dress(clothes: Clothes, body: Body, neck: Neck) -> list[Piece]:
        reach = with_sleeves(cut(clothes), sleeve)
        smooth = round(4 + 14 * clothes.loose)
        return [_worn(body, reach, offset, smooth, clothes.outer, fine, **shape)]

    return dress


def _low(clothes: Clothes) -> float:
    return HIGH - clothes.depth * (HIGH - LOW)


def _turtleneck(clothes: Clothes, body: Body, neck: Neck) -> list[Piece]:
    top = 0.42 + 0.2 * clothes.depth
    roll = _strip(neck, _roll(top), np.linspace(0, 2 * np.pi, 60)[:-1], 12, closed=True)
    return [
        _worn(body, lambda rest, flat: 0.3 - level(rest), 0.06, 8, clothes.outer, turns=ELASTIC),
        cut_out(roll, clothes.outer, ELASTIC, ribbed=1, rolled=1),
    ]


def _shirt(clothes: Clothes, body: Body, neck: Neck, seen: Cut | None = None) -> list[Piece]:
    """Buttoned to the top, or open above some button; below a jacket only what is seen in its opening."""
    closed = clothes.kind in ("suit", "shirt") and (clothes.tie is not None or clothes.depth < 0.4)
    low = HIGH + 0.1 if closed else HIGH - (0.25 + 0.5 * clothes.depth) * (HIGH - LOW)
    sleeve = 1.2 if clothes.kind == "polo" else 9.0
    fabric = clothes.inner if clothes.kind == "suit" else clothes.outer
    smooth = UNDER if clothes.kind == "suit" else round(6 + 14 * clothes.loose)
    cut = with_sleeves(v_neck(low, 0.02), sleeve) if seen is None else within(v_neck(low, 0.02), seen)
    front = _worn(body, cut, 0.05, smooth, fabric, buttons=1, low=low)
    # The collar ends where the opening meets it.
    gap = 0.06 if closed else float(np.arcsin(min(0.97 * (HIGH - low) / (5.75 - low), 0.9)))
    return [front, _collar(neck, fabric, gap, closed)]


def _collar(neck: Neck, fabric: Fabric, gap: float, closed: bool) -> Piece:
    """A stand and a fall that ends in two points; open by `gap` radians in front."""
    stand, spread = (0.5, 0.25) if closed else (0.35, 0.15)
    size = neck.size
    angle = np.linspace(-np.pi + gap, np.pi - gap, 61)
    fall = _fall(stand * size, 0.42 * size, spread * size, gap, point=0.28 * size)
    return cut_out(_strip(neck, fall, angle, 14), fabric, stiff=1)


def _jacket(clothes: Clothes, body: Body, neck: Neck) -> list[Piece]:
    low, offset = 3.5 + 0.5 * (1 - clothes.depth), 0.16 if clothes.kind == "coat" else 0.11
    opening = v_neck(low, -0.02)
    shirt = clothes.kind == "suit"
    under = _shirt(clothes, body, neck, opening) if shirt else _under(clothes, body, opening)
    return [
        *under,
        _worn(body, opening, offset, 24, clothes.outer, jacket=1, low=low),
        _worn(body, lapel(opening, 0.2 * clothes.loose, low), offset + 0.05, 24, clothes.outer, stiff=1),
        _back_collar(neck, clothes, offset),
    ]


def _back_collar(neck: Neck, clothes: Clothes, offset: float) -> Piece:
    gap = 1.1
    angle = np.linspace(-np.pi + gap, np.pi - gap, 49)
    strip = _strip(neck, _fall(0.2, 0.42, 0.0, gap, offset + 0.03), angle, 14, least=offset + 0.07)
    return cut_out(strip, clothes.outer, stiff=1)


def _under(clothes: Clothes, body: Body, opening: Cut) -> list[Piece]:
    cut = scoop(5.1) if clothes.depth > 0.6 else round_neck(0.0)
    return [_worn(body, within(cut, opening), 0.05, UNDER, clothes.inner)]


def _hoodie(clothes: Clothes, body: Body, neck: Neck) -> list[Piece]:
    opening = v_neck(5.2, 0.05)
    front = _worn(body, opening, 0.1, 16, clothes.outer)
    angle = np.linspace(0, 2 * np.pi, 72)[:-1]

    def hood(angle: np.ndarray) -> tuple[np.ndarray, ...]:
        back = 0.5 + 0.5 * np.cos(angle)
        front = (1 - back) ** 4
        return 0.08 + 0.22 * back - 0.38 * front, 0.13 + 0.23 * back - 0.07 * front, 0.15 + 0.21 * back

    hood_piece = cut_out(_tube(neck, hood, angle), clothes.outer, rolled=1)
    return [*_under(clothes, body, opening), front, hood_piece]


def _scarf(fabric: Fabric, neck: Neck) -> list[Piece]:
    """Wound around twice."""
    angle = np.linspace(0, 2 * np.pi, 84)[:-1]

    def loop(turn: float, high: float) -> Callable[[np.ndarray], tuple[np.ndarray, ...]]:
        def shape(angle: np.ndarray) -> tuple[np.ndarray, ...]:
            wobble = 0.04 * np.sin(3 * angle + 5 * turn) + 0.03 * np.sin(5 * angle + turn)
            return (
                high + 0.1 * np.sin(angle + turn) + wobble,
                0.17 + wobble,
                0.2 + 0.05 * np.cos(2 * angle + turn),
            )

        return shape

    loops = [_tube(neck, loop(turn, high), angle) for turn, high in ((0.4, 0.0), (2.5, 0.22))]
    return [cut_out(loop, fabric, ribbed=2, rolled=1) for loop in loops]


def _necklace(clothes: Clothes, neck: Neck) -> Piece:
    """A chain or beads that hang the lower, the wider the neckline is."""
    assert clothes.necklace is not None
    count = 160
    # Thick beads would push through the cloth that they go below at the sides.
    low_sides = clothes.kind in ("scoop", "tank top", "dress", "none")
    thick, beads = (0.035 if low_sides else 0.02, 0.4) if clothes.necklace.pattern == "knit" else (0.012, 0.0)

    def chain(angle: np.ndarray) -> tuple[np.ndarray, ...]:
        front = 0.5 - 0.5 * np.cos(angle)
        size = thick * (1 + beads * np.sin(np.arange(len(angle)) * np.pi / 2))
        return 0.25 - (0.43 + 0.5 * clothes.depth) * front**2, size, size

    angle = np.linspace(0, 2 * np.pi, count + 1)[:-1]
    return cut_out(_tube(neck, chain, angle, 6), clothes.necklace, stiff=1)


def _tie(fabric: Fabric, body: Body) -> list[Piece]:
    return [
        _worn(body, tie_blade, 0.1, 10, fabric, slant=1, bulge=TIE_BOTTOM),
        _worn(body, tie_knot, 0.17, 10, fabric, slant=-1, bulge=0.2),
    ]


# By angles and shares 0..1 of the profile's way: level, then dm outwards, down and towards the back.
Profile = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]


def _fall(
    stand: float, fall: float, spread: float, gap: float, out: float = 0.05, point: float = 0.0
) -> Profile:
    """Up by `stand`, over, and down by `fall`, and by `point` more at the points in front, or without them
    less there."""

    def profile(angle: np.ndarray, s: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        near = np.clip(1 - (np.pi - gap - np.abs(angle)) / 0.9, 0, 1) ** 2
        up = np.clip(s / 0.35, 0, 1)
        over = np.clip((s - 0.35) / 0.65, 0, 1)
        front = 0.5 - 0.5 * np.cos(angle)
        high = (stand * (1 - 0.3 * front) + 0.06) * up - 0.06
        ends = np.clip((np.pi - gap - np.abs(angle)) / 0.5, 0, 1)
        long = (fall + point * near) if point else fall * (0.35 + 0.65 * ends)
        away = out + 0.09 * np.sin(np.clip(over * 4, 0, 1) * np.pi / 2)
        aside = 0.35 * np.abs(np.sin(angle)) + 0.2
        return high, away + over * long * aside, over * long * 0.85, over * near * spread

    return profile


def _roll(top: float) -> Profile:
    """A turtleneck's roll: up inside, over, and down outside."""

    def profile(angle: np.ndarray, s: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        round_top = np.sin(np.pi * np.clip((s - 0.25) / 0.3, 0, 1))
        high = np.where(s < 0.4, top - 0.25 + 0.25 * s / 0.4, top - 0.42 * (s - 0.4) / 0.6) + 0.03 * round_top
        away = 0.02 + 0.1 * np.clip((s - 0.25) / 0.3, 0, 1) ** 0.7 - 0.05 * np.clip((s - 0.9) / 0.1, 0, 1)
        return high + 0.02 * np.sin(2 * angle), away, 0 * s, 0 * s

    return profile


def _strip(
    neck: Neck, profile: Profile, angle: np.ndarray, steps: int, closed: bool = False, least: float = 0.1
) -> Sheet:
    """A profile drawn along the neck's angles; over its top it stays `least` dm outside the skin."""
    s, angles = (part.ravel() for part in np.meshgrid(np.linspace(0, 1, steps), angle, indexing="ij"))
    high, away, down, aside = profile(angles, s)
    place, rest, out = neck.at(angles, high)
    back = np.stack([out[:, 2], 0 * high, -out[:, 0]], 1) * np.sign(angles)[:, None]
    place = place + away[:, None] * out + aside[:, None] * back - down[:, None] * [0, 1, 0]
    place = neck.clear(place, np.minimum(0.02 + away, least))
    edge = np.minimum(1 - s, 9.0 if closed else (np.abs(angle).max() - np.abs(angles)) * 0.6)
    lies = np.stack([0.65 * angles, rest[:, 1] + 0.7 * s], 1)
    turn = neck.turn(angles, np.clip(high, 0, 0.6))
    points = np.concatenate([place, rest, out, turn[:, None], place, lies, edge[:, None]], 1)
    return Sheet(points.astype(np.float32), grid(steps, len(angle), closed))


def _tube(
    neck: Neck, shape: Callable[[np.ndarray], tuple[np.ndarray, ...]], angle: np.ndarray, sides: int = 16
) -> Sheet:
    """A closed roll: shape gives its middle's level, its half thickness and half height, for each angle."""
    # The seam of the pattern lies at the neck.
    around = np.linspace(np.pi, 3 * np.pi, sides + 1)[:-1]
    rounds, angles = (part.ravel() for part in np.meshgrid(around, angle, indexing="ij"))
    high, thick, tall = shape(angles)
    place, rest, out = neck.at(angles, np.clip(high, -0.2, 0.5))
    place = place + (thick * (1.1 + np.cos(rounds)))[:, None] * out
    place[:, 1] += tall * np.sin(rounds) + (high - np.clip(high, -0.2, 0.5))
    place = neck.clear(place, 0.03)
    lies = np.stack([0.8 * angles, 0.25 * rounds], 1)
    turn = neck.turn(angles, np.clip(high, 0, 0.5))
    points = np.concatenate([place, rest, out, turn[:, None], place, lies, 0 * turn[:, None] + 1], 1)
    return Sheet(points.astype(np.float32), grid(len(around) + 1, len(angle), True) % len(points))


def cut_out(sheet: Sheet, fabric: Fabric, turns: float = STIFF, **shape: float) -> Piece:
    """marks: distance to the hem, light that reaches the place, the place on the flat cloth (right, up)."""
    place = sheet.place
    middle = place[:, [0, 2]] - [0, NECK_Z]
    far = np.hypot(*middle.T)
    open_to_light = 0.5 + 0.5 * np.clip((far - 0.4) / 1.1, 0, 1)
    marks = np.concatenate([np.stack([sheet.hem, open_to_light], 1), sheet.flat], 1)
    details = {
        name: 0.0 for name in ("ribbed", "buttons", "jacket", "low", "slant", "bulge", "stiff", "rolled")
    }
    return Piece(
        "clothes",
        place,
        sheet.triangles,
        turns * sheet.turn,
        sheet.rest,
        marks.astype(np.float32),
        normals=normals(place, sheet.triangles),
        covers=sheet.covers,
        uniforms=fabric_uniforms(fabric) | details | shape,
    )


Dress = Callable[[Clothes, Body, Neck], list[Piece]]
DRESSES: dict[str, Dress] = {
    "t-shirt": _top(lambda clothes: scoop(5.42 - 0.3 * clothes.depth, -0.03), 1.1, ribbed=1),
    "v-neck": _top(lambda clothes: v_neck(_low(clothes)), 1.1, ribbed=1),
    "scoop": _top(lambda clothes: scoop(_low(clothes)), 9.0),
    "tank top": _top(lambda clothes: tank_top(_low(clothes)), 9.0, fine=2),
    "dress": _top(lambda clothes: straps(max(_low(clothes) - 0.2, 4.5)), 9.0, fine=2),
    "sweater": _top(lambda clothes: round_neck(0.0), 9.0, 0.1, ribbed=1),
    "turtleneck": _turtleneck,
    "polo": _shirt,
    "shirt": _shirt,
    "open shirt": _shirt,
    "blouse": _top(lambda clothes: v_neck(_low(clothes) + 0.2), 9.0, 0.08),
    "suit": _jacket,
    "blazer": _jacket,
    "coat": _jacket,
    "hoodie": _hoodie,
}
