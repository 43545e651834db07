"""Where cloth ends: necklines, sleeves, lapels and ties, as cuts of a shell."""

from __future__ import annotations

import numpy as np

from .cloth import Cut, along_arm, level

SHOULDERS = 0.1, 0.65  # z on the template, dm, between which a neckline turns from back to front
# Half widths of a tie, dm.
TIE_TOP, TIE_BOTTOM = 0.13, 0.36


def round_neck(high: float) -> Cut:
    return scoop(5.42 + high, high)


def v_neck(low: float, high: float = 0.0) -> Cut:
    """Open in front down to y = low."""
    slope = (5.75 - low) / 0.6

    def cut(rest: np.ndarray, flat: np.ndarray) -> np.ndarray:
        line = low + slope * np.abs(flat[:, 0]) + _shoulder(flat) - flat[:, 1]
        return _joined(high, rest, line / np.hypot(1, slope))

    return cut


def scoop(low: float, high: float = 0.0) -> Cut:
    def cut(rest: np.ndarray, flat: np.ndarray) -> np.ndarray:
        line = low + (5.75 - low) * (flat[:, 0] / 0.72) ** 2 + _shoulder(flat) - flat[:, 1]
        return _joined(high, rest, 0.6 * line)

    return cut


def with_sleeves(cut: Cut, reach: float) -> Cut:
    """Cut off `reach` dm below the shoulder too."""
    return lambda rest, flat: np.minimum(cut(rest, flat), reach - along_arm(rest))


def within(cut: Cut, opening: Cut) -> Cut:
    """Only what shows in the opening of what is worn above, and a little more."""
    return lambda rest, flat: np.minimum(cut(rest, flat), 0.45 - opening(rest, flat))


def tank_top(low: float) -> Cut:
    neck = scoop(low)

    def cut(rest: np.ndarray, flat: np.ndarray) -> np.ndarray:
        armhole = 1.12 + 0.5 * (4.9 - flat[:, 1]).clip(0, 2) ** 2 - np.abs(flat[:, 0])
        return np.minimum(np.minimum(neck(rest, flat), armhole), 0.2 - along_arm(rest))

    return cut


def straps(low: float) -> Cut:
    """A dress below y = low, higher over the breasts, held by straps."""

    def cut(rest: np.ndarray, flat: np.ndarray) -> np.ndarray:
        x, y = np.abs(flat[:, 0]), flat[:, 1]
        strap = np.minimum(0.08 - np.abs(x - 0.9), 0.1 - level(rest))
        line = low - 0.1 * np.cos(np.pi * np.clip(x / 0.7, 0, 1)) - 0.3 * (x - 0.7).clip(0)
        trunk = np.minimum(line - y, 0.2 - along_arm(rest) - 0.3 * (y - 4.2).clip(0))
        return np.maximum(strap, trunk)

    return cut


def lapel(opening: Cut, wide: float, low: float) -> Cut:
    """Lapel and collar beside the opening, with the notch between them."""
    notch = 0.6 * (5.0 - low) / (5.75 - low)
    flap = [(0.0, low), (0.45 * notch + 0.38 + wide, 0.5 * (low + 5.0)), (notch + 0.6 + wide, 5.1)]
    flap += [(notch + 0.3, 5.1), (notch, 5.0)]
    collar = [(notch, 5.02), (notch + 0.42, 5.24), (1.02, 5.85), (0.6, 6.0), (0.4, 5.6)]

    def cut(rest: np.ndarray, flat: np.ndarray) -> np.ndarray:
        places = np.stack([np.abs(flat[:, 0]), flat[:, 1]], 1)
        inside = np.maximum(_inside_polygon(places, flap), _inside_polygon(places, collar))
        return _only_front(rest, np.minimum(inside, opening(rest, flat) + 0.02))

    return cut


def tie_blade(rest: np.ndarray, flat: np.ndarray) -> np.ndarray:
    wide = TIE_TOP + (TIE_BOTTOM - TIE_TOP) * np.clip((5.4 - flat[:, 1]) / 2.6, 0, 1)
    return _only_front(rest, np.minimum(wide - np.abs(flat[:, 0]), 5.4 - flat[:, 1]))


def tie_knot(rest: np.ndarray, flat: np.ndarray) -> np.ndarray:
    # Rounded where it goes below the collar.
    wide = 0.12 + 0.3 * (flat[:, 1] - 5.32) - 0.7 * np.clip(flat[:, 1] - 5.46, 0, 1)
    return _only_front(rest, np.minimum(wide - np.abs(flat[:, 0]), 0.17 - np.abs(flat[:, 1] - 5.5)))


def _joined(high: float, rest: np.ndarray, front: np.ndarray) -> np.ndarray:
    """A neckline's front on the chest, a round collar at a level around the neck behind, one turning into the
    other over the shoulders: where the two were only cut across, skin showed in notches."""
    share = np.clip((SHOULDERS[1] - rest[:, 2]) / (SHOULDERS[1] - SHOULDERS[0]), 0, 1)
    share = share * share * (3 - 2 * share)
    around = high - level(rest)
    return np.minimum(share * around + (1 - share) * front, around + 0.4)


def _shoulder(flat: np.ndarray) -> np.ndarray:
    """How much a neckline rises where it meets the shoulders, which some people carry higher."""
    return 1.5 * np.clip(np.abs(flat[:, 0]) - 0.66, 0, 1)


def _inside_polygon(places: np.ndarray, corners: list[tuple[float, float]]) -> np.ndarray:
    """How far places (N, 2) lie inside a convex polygon, corners counterclockwise; negative outside."""
    start, end = np.array(corners), np.roll(corners, -1, axis=0)
    along = (end - start) / np.linalg.norm(end - start, axis=1, keepdims=True)
    away = places[:, None] - start
    return np.asarray((along[:, 0] * away[..., 1] - along[:, 1] * away[..., 0]).min(1))


def _only_front(rest: np.ndarray, inside: np.ndarray) -> np.ndarray:
    return np.minimum(inside, rest[:, 2] - 0.05)
