"""Whether heads turn as fast as they are asked to (EMO sec. 3.2, speed layers)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from emo_training.evaluation.metrics import spearman

from ..filming.people_cases import PersonCase
from .judge import Judge

SLOW = 10.0  # degrees per second, which a curve doubles


def measure_speed(judge: Judge, cases: Sequence[PersonCase], speeds: Sequence[float]) -> dict[str, Any]:
    """Every case at every speed: what is seen, and its rank correlation with what was asked for; the same at
    the lowest and the highest with the speed layers zeroed; and what a curve does within clips."""
    ends = (min(speeds), max(speeds))
    seen = _seen(judge, cases, speeds, zeroed=False)
    zeroed = _seen(judge, cases, ends, zeroed=True)
    return {
        "asked": list(speeds),
        "seen": seen.tolist(),
        "mean_over_asked": (seen.mean(0) / np.array(speeds)).tolist(),
        "spearman": spearman(np.tile(speeds, len(cases)), seen.ravel()),
        "zeroed": {
            "asked": list(ends),
            "seen": zeroed.tolist(),
            "spearman": spearman(np.tile(ends, len(cases)), zeroed.ravel()),
        },
        "curve": _measure_curve(judge, cases),
    }


def _seen(judge: Judge, cases: Sequence[PersonCase], speeds: Sequence[float], zeroed: bool) -> np.ndarray:
    """Seen speeds (cases, speeds)."""
    rows = []
    for case in cases:
        names = [f"{case.seed}-{'zeroed-' * zeroed}{speed:g}.mp4" for speed in speeds]
        rows.append(
            [judge.film(case, name, speed, zeroed).speed for name, speed in zip(names, speeds, strict=True)]
        )
        judge.log(
            f"head speed{', layers zeroed' * zeroed}: asked {list(speeds)}, "
            f"seen {[round(speed, 1) for speed in rows[-1]]}"
        )
    return np.array(rows)


def _measure_curve(judge: Judge, cases: Sequence[PersonCase]) -> dict[str, float]:
    """Seen speed of the second halves of clips over that of the first, where a curve doubles in the middle of
    every clip, and where it does not, which is the control: a path of its own speeds up and slows down."""
    found = {}
    for name, fast in (("doubled", 2 * SLOW), ("level", SLOW)):
        halves = []
        for case in cases:
            frames = len(judge.files(case).truth()["mouth_open"])
            late = second_halves(frames, judge.clip_frames)
            curve = tuple(np.where(late, fast, SLOW).tolist())
            speeds = judge.film(case, f"{case.seed}-{name}.mp4", curve).speeds
            halves.append([speeds[late[: len(speeds)]].mean(), speeds[~late[: len(speeds)]].mean()])
        second, first = np.mean(halves, 0)
        found[name] = float(second / first)
        judge.log(f"head speed {SLOW:g} to {fast:g} within clips: {found[name]:.2f} times as fast")
    return found


def second_halves(frames: int, clip_frames: int) -> np.ndarray:
    """(F,) whether a frame lies in the second half of its clip."""
    return np.arange(frames) % clip_frames >= clip_frames / 2
