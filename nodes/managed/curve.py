"""A curve over time as text: "seconds:value, seconds:value"."""

import numpy as np

from .values import MAX_VALUES, shorten

Points = list[tuple[float, float]]
MAX_SECONDS = 24 * 3600.0  # the page's curve.mjs has the same two limits
MAX_POINTS = 10_000
EXAMPLE = "such as 0:4, 2.5:20 (seconds:degrees per second)"


def parse_curve(text: str, top: float) -> Points:
    """Points (seconds, value) in the order of time.

    Raises ValueError naming the part that is no point or lies outside the limits, and for too many of them.
    """
    parts = [part for part in text.replace("\n", ",").split(",") if part.strip()]
    if len(parts) > MAX_POINTS:
        raise ValueError(f"the curve has {len(parts)} points, it may have {MAX_POINTS}: leave some out")
    points = sorted(_point(part, top) for part in parts)
    if not points:
        raise ValueError(f"the curve is empty: write points {EXAMPLE}, or choose another mode")
    return points


def _point(part: str, top: float) -> tuple[float, float]:
    try:
        seconds, value = (float(number) for number in part.split(":"))
    except ValueError as error:
        raise ValueError(
            f"{shorten(part.strip())!r} is no point of a curve: write points {EXAMPLE}"
        ) from error
    if not (0 <= seconds <= MAX_SECONDS and 0 <= value <= top):
        raise ValueError(
            f"{shorten(part.strip())!r} lies outside: seconds from 0 to {MAX_SECONDS:g}, values from "
            f"0 to {top:g}"
        )
    return seconds, value


def at_frames(points: Points, frames: int, fps: float) -> list[float]:
    """The curve at the middle of each frame, straight between its points, held at the ends.

    Raises ValueError for more frames than EMO Sampler takes values.
    """
    if frames > MAX_VALUES:
        raise ValueError(
            f"the curve would have {frames} values at {fps:g} frames per second, it may have {MAX_VALUES}: "
            "shorten the audio, or the curve"
        )
    seconds, values = zip(*points, strict=True)
    return np.interp((np.arange(frames) + 0.5) / fps, seconds, values).tolist()
