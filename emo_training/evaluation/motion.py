"""How fast generated heads turn against how fast they should, whether lips and lids do what those of the true
videos do, and how faces move as a distribution."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..perception.analyzers import FaceTrack
from ..perception.deep3d import EXPRESSION, Deep3D
from ..perception.pose import estimate_speed, smooth_poses
from ..perception.rates import FPS
from .metrics import pearson, spearman
from .pairs import Video
from .seen_faces import seen_faces

FEWEST = 10  # frames from which on two curves are compared
OPEN, SHUT = 0.75, 0.5  # quantile that is an open eye's opening, and the share of it below which it is shut
LONGEST_BLINK = 0.6  # seconds


@dataclass(frozen=True)
class SpeedAgreement:
    """Over pairs: mean absolute difference in degrees per second, mean generated speed over mean true speed,
    and rank correlation (None for fewer than 3 pairs)."""

    difference: float
    ratio: float
    spearman: float | None


def speed_agreement(generated: np.ndarray, true: np.ndarray) -> SpeedAgreement:
    """Of mean speeds (K,) of K pairs."""
    ranks = spearman(generated, true) if len(generated) > 2 else None
    return SpeedAgreement(
        float(np.abs(generated - true).mean()), float(generated.mean() / max(true.mean(), 1e-6)), ranks
    )


def speed_curve(rotations: np.ndarray) -> np.ndarray:
    """Head speed (T,) in degrees per second of yaw, pitch, roll (T, 3) in degrees, NaN where unknown. Raises
    ValueError when all of it is."""
    speeds = estimate_speed(rotations, FPS)
    if not np.isfinite(speeds).any():
        raise ValueError("no head pose was found")
    return speeds


def trembling(rotations: np.ndarray) -> float:
    """Root mean square, in degrees, of what smoothing takes from poses (T, 3): the tracker's noise, and in a
    generated video also trembling of the head, which `speed_curve` does not count as motion."""
    rest = rotations - smooth_poses(rotations, FPS)
    return float(np.sqrt(np.nanmean((rest**2).sum(1))))


def agreement(made: np.ndarray, true: np.ndarray) -> float | None:
    """Correlation of two curves over the frames that both have and know; None for fewer than ten."""
    both = np.stack([curve[: min(len(made), len(true))] for curve in (made, true)])
    known = both[:, np.isfinite(both).all(axis=0)]
    return pearson(*known) if known.shape[1] >= FEWEST else None


def blinks(eyes: np.ndarray) -> float | None:
    """How often in a minute both eyes shut and open again, of their openings (T, 2); None where unknown."""
    opening = eyes.mean(axis=1)
    opening = opening[np.isfinite(opening)]
    if len(opening) < FEWEST:
        return None
    return float(blink_count(opening) * 60 * FPS / len(opening))


def blink_count(opening: np.ndarray) -> int:
    """How often eyes shut and open again, of their opening (T,)."""
    shut = opening < SHUT * np.quantile(opening, OPEN)
    starts = np.flatnonzero(shut[1:] & ~shut[:-1]) + 1
    ends = np.flatnonzero(~shut[1:] & shut[:-1]) + 1
    after = np.searchsorted(ends, starts)
    lasts = ends[after[after < len(ends)]] - starts[after < len(ends)]
    return int((lasts <= LONGEST_BLINK * FPS).sum())


class Expressions(Protocol):
    """What a face does in each frame, as vectors for a Frechet distance."""

    label: str
    caveat: str
    instrument: str  # whose weights it reads

    def read(self, video: Video, track: FaceTrack) -> np.ndarray: ...


class Blendshapes:
    """MediaPipe's 52 blendshapes as the analyser found them."""

    label = "E-FID (blendshape)"
    caveat = "not comparable to the paper's E-FID, which reads a 3D morphable model"
    instrument = "analyzer"

    def read(self, video: Video, track: FaceTrack) -> np.ndarray:
        """(N, 52) of the frames that show a face."""
        assert track.expressions is not None, "MediaPipe's analyser always has them"
        return track.expressions[np.isfinite(track.expressions).all(axis=1)]


class Openings:
    """Mouth and lids as the analyser read them."""

    label = "Mouth and lids, Frechet distance"
    caveat = "of openings and width over the inter-ocular distance"
    instrument = "analyzer"

    def read(self, video: Video, track: FaceTrack) -> np.ndarray:
        """(N, 4) of the frames that show a face."""
        assert track.openings is not None, "this analyser always has them"
        return track.openings[np.isfinite(track.openings).all(axis=1)]


@dataclass(frozen=True)
class FaceModel:
    """Deep3DFaceRecon's expressions, which papers' E-FID compares."""

    net: Deep3D
    label = "E-FID"
    caveat = "of 64 expression parameters; some papers' are another tracker's"
    instrument = "deep3d"

    def read(self, video: Video, track: FaceTrack) -> np.ndarray:
        """(N, 64) of the frames that show a face."""
        none = np.zeros((0, EXPRESSION.stop - EXPRESSION.start), np.float32)
        return np.concatenate([none, *(self.net.expressions(*faces) for faces in seen_faces(video, track))])
