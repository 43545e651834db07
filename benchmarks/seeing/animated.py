"""What MediaPipe sees in films of animated portraits, and how well it agrees with what was to be done."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from benchmarks.seeing.scores import rounded
from emo_modules.cues.box import iou
from emo_people.acting.face import INDEX
from emo_people.acting.performance import Performance
from emo_training.evaluation.motion import agreement, blink_count
from emo_training.perception.face_track import FaceTrack
from emo_training.perception.rates import FPS

ONE_FACE, OVERLAP, R = 0.98, 0.75, 0.6  # asked for: of the frames, of the boxes (IoU), of jawOpen
JAW_OPEN, *LIDS = (1 + INDEX[name] for name in ("jawOpen", "eyeBlinkLeft", "eyeBlinkRight"))


@dataclass(frozen=True, eq=False)
class Acted:
    """What a speaker's jaw and lids do, (F,) from 0 to 1: shut to open, and open to shut."""

    jaw_open: np.ndarray
    blink: np.ndarray

    @classmethod
    def of(cls, performance: Performance) -> "Acted":
        lids = [INDEX[name] for name in ("eyeBlinkLeft", "eyeBlinkRight")]
        return cls(performance.actions[:, INDEX["jawOpen"]], performance.actions[:, lids].mean(1))


@dataclass(frozen=True, eq=False)
class Animated:
    """A film of F frames as it was read: faces (F,) counted; overlaps (F,), IoU of the largest with the
    portrait's, 0 without one; jaw_open and blink (F,) 0..1, and lips (F,), their opening over the
    inter-ocular distance, NaN without one. `acted` is what is true, if anybody knows."""

    portrait: str
    sound: str
    faces: np.ndarray
    overlaps: np.ndarray
    jaw_open: np.ndarray
    blink: np.ndarray
    lips: np.ndarray
    acted: Acted | None = None

    @classmethod
    def of(
        cls, portrait: str, sound: str, still: FaceTrack, film: FaceTrack, acted: Acted | None = None
    ) -> "Animated":
        """`still` is the portrait, in the film's pixels. Raises ValueError without blendshapes."""
        if film.expressions is None or film.openings is None:
            raise ValueError("the analyser knows no expressions or openings: take MediaPipe")
        overlaps = np.nan_to_num(iou(film.boxes, still.boxes[0]))
        jaw, lids = film.expressions[:, JAW_OPEN], film.expressions[:, LIDS].mean(1)
        return cls(portrait, sound, film.counts, overlaps, jaw, lids, film.openings[:, 0], acted)

    @property
    def one_face(self) -> float:
        """Share of the frames."""
        return float((self.faces == 1).mean())

    @property
    def overlap(self) -> float:
        return float(self.overlaps.mean())

    @property
    def blinks(self) -> int:
        return count_blinks(self.blink)

    def r(self, acted: Acted | None) -> float | None:
        """Of the jaw with an acted one; None where too little is known."""
        return None if acted is None else agreement(self.jaw_open, acted.jaw_open)

    def r_lips(self, acted: Acted | None) -> float | None:
        """The same of the lips, whose opening is seen where MediaPipe's jawOpen stays at 0."""
        return None if acted is None else agreement(self.lips, acted.jaw_open)

    @property
    def misses(self) -> list[str]:
        """What is asked for and not reached."""
        r = self.r(self.acted)
        reached = {
            "one face": self.one_face >= ONE_FACE,
            "overlap": self.overlap >= OVERLAP,
            "r": self.acted is None or (r is not None and r >= R),
        }
        return [name for name, fine in reached.items() if not fine]

    def row(self) -> dict[str, Any]:
        row = {
            "portrait": self.portrait,
            "sound": self.sound,
            "frames": len(self.faces),
            "one_face": rounded(self.one_face),
            "overlap": rounded(self.overlap),
            "jaw_open_most": _most(self.jaw_open),
            "blink_most": _most(self.blink),
            "blinks": self.blinks,
        }
        if self.acted is not None:
            row |= {
                "r": _rounded(self.r(self.acted)),
                "r_lips": _rounded(self.r_lips(self.acted)),
                "true_jaw_open_most": _most(self.acted.jaw_open),
                "true_blinks": count_blinks(self.acted.blink),
            }
        return row | {"misses": self.misses}


def count_blinks(blink: np.ndarray) -> int:
    """Of lids (F,), 0 open to 1 shut."""
    known = blink[np.isfinite(blink)]
    return blink_count(1 - known) if len(known) else 0


def summarise(films: Sequence[Animated]) -> dict[str, Any]:
    """Of the acted sentences, of the recordings, and of all. Shuffled r are those with what was acted to
    another portrait's sentence."""
    acted = [film for film in films if film.acted is not None]
    recorded = [film for film in films if film.acted is None]
    pairs = [(film, other.acted) for film in acted for other in acted if other is not film]
    own = _known([film.r(film.acted) for film in acted])
    lips = _known([film.r_lips(film.acted) for film in acted])
    shuffled, shuffled_lips = (
        _known([read(film, truth) for film, truth in pairs]) for read in (Animated.r, Animated.r_lips)
    )
    return {
        "films": len(films),
        "frames": sum(len(film.faces) for film in films),
        "one_face": rounded(np.concatenate([film.faces == 1 for film in films]).mean()),
        "overlap": rounded(np.concatenate([film.overlaps for film in films]).mean()),
        "overlap_least": rounded(min(film.overlap for film in films)),
        "r": _median(own),
        "r_least": _rounded(min(own, default=None)),
        "r_shuffled": _median(shuffled),
        "r_lips": _median(lips),
        "r_lips_shuffled": _median(shuffled_lips),
        "blinks": sum(film.blinks for film in acted),
        "true_blinks": sum(count_blinks(film.acted.blink) for film in acted if film.acted is not None),
        "blinks_a_minute_in_recordings": _a_minute(recorded),
        "missed_by": {f"{film.portrait}, {film.sound}": film.misses for film in films if film.misses},
    }


def _known(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _rounded(value: float | None) -> float | None:
    return None if value is None else rounded(value)


def _median(values: Sequence[float]) -> float | None:
    return rounded(median(values)) if values else None


def _most(curve: np.ndarray) -> float | None:
    known = curve[np.isfinite(curve)]
    return rounded(known.max()) if len(known) else None


def _a_minute(films: Sequence[Animated]) -> float | None:
    frames = sum(len(film.faces) for film in films)
    return rounded(60 * FPS * sum(film.blinks for film in films) / frames, 1) if frames else None
