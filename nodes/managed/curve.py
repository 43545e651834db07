"""A curve over time as text: "seconds:value, seconds:value"."""

import numpy as np

Points = list[tuple[float, float]]
EXAMPLE = "such as 0:4, 2.5:20 (seconds:degrees per second)"


def parse_curve(text: str, top: float) -> Points:
    """Points (seconds, value) in the order of time.

    Raises ValueError naming the part that is no point, or a value outside 0..top.
    """
    points = sorted(_point(part, top) for part in text.replace("\n", ",").split(",") if part.strip())
    if not points:
        raise ValueError(f"the curve is empty: write points {EXAMPLE}, or choose another mode")
    return points


def _point(part: str, top: float) -> tuple[float, float]:
    try:
        seconds, value = (float(number) for number in part.split(":"))
    except ValueError as error:
        raise ValueError(f"{part.strip()!r} is no point of a curve: write points {EXAMPLE}") from error
    if not (0 <= seconds < float("inf") and 0 <= value <= top):
        raise ValueError(f"{part.strip()!r} lies outside: seconds from 0, values from 0 to {top:g}")
    return seconds, value


def at_frames(points: Points, frames: int, fps: float) -> list[float]:
    """The curve at the middle of each frame, straight between its points, held at the ends."""
    seconds, values = zip(*points, strict=True)
    return np.interp((np.arange(frames) + 0.5) / fps, seconds, values).tolist()
