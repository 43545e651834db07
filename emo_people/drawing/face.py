"""What a head and a face do at one moment, whoever draws them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pose:
    """Degrees (positive yaw turns right, pitch down, roll clockwise) and shifts in image widths."""

    yaw: float = 0
    pitch: float = 0
    roll: float = 0
    x: float = 0
    y: float = 0


@dataclass(frozen=True)
class Expression:
    """mouth_open 0..1, mouth_width 0 pursed .. 0.5 rest .. 1 spread, blink 0..1, brow -1..1."""

    mouth_open: float = 0
    mouth_width: float = 0.5
    blink: float = 0
    brow: float = 0
