"""How near what was seen is to the reference."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.seeing.conditions import View
from benchmarks.seeing.seers import Seen
from emo_modules.cues.ibug import inter_ocular

FOUND = 0.6  # overlap (IoU) from which a face counts as found


@dataclass(frozen=True)
class Score:
    """Of one picture: the overlap of the best box, 0 without one; how far the points are off on average, over
    the inter-ocular distance, and the mouth's opening, both None where no face was found or read."""

    overlap: float
    error: float | None
    mouth_open: float | None

    @property
    def found(self) -> bool:
        return self.overlap >= FOUND


def compare(view: View, faces: Sequence[Seen]) -> Score:
    """Only what the picture shows is compared: the parts of both boxes, and the points, that lie in it."""
    size = view.picture.shape[1], view.picture.shape[0]
    overlaps = [face.box.clipped(*size).iou(view.box) for face in faces]
    if not overlaps or max(overlaps) < FOUND:
        return Score(max(overlaps, default=0.0), None, None)
    best = faces[int(np.argmax(overlaps))]
    error = None
    if best.points is not None:
        away = np.linalg.norm(best.points - view.points, axis=1)[view.inside]
        error = float(away.mean() / inter_ocular(view.points))
    return Score(max(overlaps), error, best.mouth_open)


def summarise(scores: Sequence[Score]) -> dict[str, float | int | None]:
    """Shares and means of many pictures; errors in percent of the inter-ocular distance."""
    errors = [score.error for score in scores if score.error is not None]
    return {
        "pictures": len(scores),
        "found": rounded(np.mean([score.found for score in scores])),
        "overlap": rounded(np.mean([score.overlap for score in scores])),
        "error_percent": rounded(100 * np.mean(errors), 2) if errors else None,
        "error_percent_median": rounded(100 * np.median(errors), 2) if errors else None,
    }


def correlate(seen: Sequence[float | None], true: Sequence[float]) -> float | None:
    """Pearson's r over the frames that were read; None for fewer than three, or where nothing changes."""
    pairs = np.array([(a, b) for a, b in zip(seen, true, strict=True) if a is not None and np.isfinite(b)])
    if len(pairs) < 3 or (pairs.std(0) == 0).any():
        return None
    return rounded(np.corrcoef(pairs.T)[0, 1])


def rounded(value: float | np.floating, digits: int = 3) -> float:
    return round(float(value), digits)
