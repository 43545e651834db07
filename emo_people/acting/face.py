"""What a face and a head do at one moment: 52 facial actions, a gaze and a pose."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

# ARKit's names in the order of anny's table, so that an array of actions needs no look-up.
ACTIONS: tuple[str, ...] = (
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight",
    "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight",
    "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight",
    "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight",
    "jawForward", "jawLeft", "jawOpen", "jawRight",
    "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight", "mouthFunnel",
    "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight",
    "mouthPucker", "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper",
    "mouthSmileLeft", "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight",
    "mouthUpperUpLeft", "mouthUpperUpRight",
    "noseSneerLeft", "noseSneerRight", "tongueOut",
)  # fmt: skip
INDEX: dict[str, int] = {name: index for index, name in enumerate(ACTIONS)}


@dataclass(frozen=True)
class Pose:
    """Degrees as the viewer sees the head: yaw + turns the nose right, pitch + down, roll + clockwise.

    x, y shift the face in widths of its box, + right and down.
    """

    yaw: float = 0
    pitch: float = 0
    roll: float = 0
    x: float = 0
    y: float = 0

    def __post_init__(self) -> None:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        if not all(np.isfinite(value) for value in values.values()):
            raise ValueError(f"a pose needs finite numbers, got {values}")


@dataclass(frozen=True, eq=False)
class Expression:
    """actions (52,) float32 0..1 in the order of `ACTIONS`; gaze: yaw + right, pitch + down, in degrees.

    The gaze is relative to the head, as a viewer in front of it sees it. Raises ValueError for other shapes
    and ranges.
    """

    actions: np.ndarray
    gaze: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        if self.actions.shape != (len(ACTIONS),) or self.actions.dtype != np.float32:
            given = f"{self.actions.shape} {self.actions.dtype}"
            raise ValueError(f"an expression needs {len(ACTIONS)} float32 actions, got {given}")
        wrong = [
            f"{name}={value}"
            for name, value in zip(ACTIONS, self.actions, strict=True)
            if not 0 <= value <= 1
        ]
        if wrong:
            raise ValueError(f"actions lie in 0..1, got {', '.join(wrong)}")
        if len(self.gaze) != 2 or not np.isfinite(self.gaze).all():
            raise ValueError(f"a gaze is two finite angles, got {self.gaze}")

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Expression)
            and self.gaze == other.gaze
            and np.array_equal(self.actions, other.actions)
        )

    def __hash__(self) -> int:
        return hash((self.actions.tobytes(), self.gaze))

    @classmethod
    def of(cls, gaze: tuple[float, float] = (0.0, 0.0), **actions: float) -> Expression:
        """The neutral face with these actions: `Expression.of(jawOpen=0.5)`."""
        values = np.zeros(len(ACTIONS), np.float32)
        for name, value in actions.items():
            if name not in INDEX:
                raise ValueError(f"unknown facial action {name!r}: choose one of {', '.join(ACTIONS)}")
            values[INDEX[name]] = value
        return cls(values, gaze)
