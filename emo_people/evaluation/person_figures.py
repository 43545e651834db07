"""What was filmed of a case, measured against its truth; the figures of many cases."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean, median
from typing import Any

import numpy as np

from emo_modules.prepared import Prepared
from emo_training.evaluation.metrics import best_lag, pearson
from emo_training.evaluation.motion import blink_count
from emo_training.evaluation.pairs import Video
from emo_training.perception.faces import PeopleAnalyzer

from ..filming.people_cases import CaseFiles, PersonCase
from .person_films import Seen, picture_of
from .pictures import border_ratio, change, cut_film, cut_points, eye_energy, outside
from .speaking import Closures, Silence, measure_closures, measure_silence

Find = Callable[[Seen, np.ndarray], float | None]


@dataclass(frozen=True)
class Mouth:
    """Correlations with the true curves; those of the true film, read likewise, are the most that the reader
    can see."""

    opening_r: float
    width_r: float
    opening_r_of_truth: float
    width_r_of_truth: float
    lag: int  # frames by which the lips are late
    motion: float  # standard deviation of the opening over that in the true film
    closures: Closures
    closures_of_truth: Closures  # in the true film, read likewise
    silence: Silence
    silence_of_truth: Silence


@dataclass(frozen=True)
class Pictures:
    """eye_energy, change: over the true film's; outside_change: grey levels from frame to frame outside the
    head, None where there is no outside; border: change at the borders of clips over that elsewhere."""

    eye_energy: float
    blinks: int
    true_blinks: int
    change: float
    outside_change: float | None
    outside_change_of_truth: float | None
    border: float
    border_of_truth: float


@dataclass(frozen=True)
class Place:
    """How far the face's middle is from the portrait's, over the picture's width, and its size over the
    portrait's; 1 and 0 where no face was found."""

    off: float
    size: float


@dataclass(frozen=True, eq=False)
class PersonFigures:
    """One case; `opening` and `true_opening` are the curves (F,) behind the mouth's correlation, `made` and
    `true` the frames (F, H, W, 3) uint8."""

    seed: int
    kind: str
    language: str
    voice: str
    frames: int
    zoom: float  # the picture's width over the crop's
    faces: float  # share of the frames with one face
    asked_speed: float
    speed: float
    speed_of_truth: float  # of the true film, read likewise
    mouth: Mouth
    pictures: Pictures
    place: Place
    top1: bool | None
    opening: np.ndarray
    true_opening: np.ndarray
    made: np.ndarray
    true: np.ndarray

    def row(self) -> dict[str, Any]:
        light = replace(self, made=np.empty(0), true=np.empty(0))
        return {name: value for name, value in asdict(light).items() if not isinstance(value, np.ndarray)}


def measure_person(
    case: PersonCase,
    files: CaseFiles,
    prepared: Prepared,
    seen: Seen,
    analyzer: PeopleAnalyzer,
    clip: int,
    top1: bool | None,
) -> PersonFigures:
    """clip: frames of the model's clips; top1: whether the face is the portrait's among others."""
    truth = files.truth()
    crop = prepared.crop
    true = Seen.of(np.stack(list(cut_film(Video(files.film), crop))), analyzer)
    count = min(len(seen.frames), len(true.frames))
    return PersonFigures(
        seed=case.seed,
        kind=case.kind,
        language=case.said.language,
        voice=case.said.voice,
        frames=count,
        zoom=crop.source_width / crop.box.width,
        faces=seen.faces,
        asked_speed=case.head_speed,
        speed=seen.speed,
        speed_of_truth=true.speed,
        mouth=_mouth(case, seen, true, truth),
        pictures=_pictures(prepared, seen, true, truth, clip),
        place=measure_place(Seen.of(picture_of(prepared)[None], analyzer), seen),
        top1=top1,
        opening=seen.opening,
        true_opening=truth["mouth_open"],
        made=seen.frames[:count],
        true=true.frames[:count],
    )


def _mouth(case: PersonCase, seen: Seen, true: Seen, truth: dict[str, np.ndarray]) -> Mouth:
    speech = case.take.speech
    opening, width = truth["mouth_open"], truth["mouth_width"]
    return Mouth(
        opening_r=pearson(seen.opening, opening),
        width_r=pearson(seen.width, width),
        opening_r_of_truth=pearson(true.opening, opening),
        width_r_of_truth=pearson(true.width, width),
        lag=best_lag(seen.opening, opening),
        motion=float(seen.opening.std() / max(true.opening.std(), 1e-6)),
        closures=measure_closures(seen.opening, speech.phonemes),
        closures_of_truth=measure_closures(true.opening, speech.phonemes),
        silence=measure_silence(seen.opening, speech),
        silence_of_truth=measure_silence(true.opening, speech),
    )


def _pictures(
    prepared: Prepared, seen: Seen, true: Seen, truth: dict[str, np.ndarray], clip: int
) -> Pictures:
    assert seen.track.landmarks is not None  # this analyser always has them
    where = outside(truth["person"], prepared.crop, seen.track.boxes)
    changes, true_changes = change(seen.frames), change(true.frames)
    still, true_still = (
        None if where is None else float(change(film.frames, where).mean()) for film in (seen, true)
    )
    points = cut_points(truth["landmarks"], prepared.crop)
    eyes = eye_energy(true.frames, points)
    return Pictures(
        eye_energy=eye_energy(seen.frames, seen.track.landmarks) / max(eyes, 1e-9),
        blinks=blink_count(seen.eyes),
        true_blinks=blink_count(truth["eye_open"].mean(1)),
        change=float(changes.mean() / max(true_changes.mean(), 1e-9)),
        outside_change=still,
        outside_change_of_truth=true_still,
        border=border_ratio(changes, clip),
        border_of_truth=border_ratio(true_changes, clip),
    )


def measure_place(portrait: Seen, seen: Seen) -> Place:
    """Of the face in the middle of the film's range against that in the portrait, read in the same crop."""
    boxes, (own,) = seen.track.boxes, portrait.track.boxes
    boxes = boxes[np.isfinite(boxes).all(1)]
    if not len(boxes) or not np.isfinite(own).all():
        return Place(1.0, 0.0)
    box = np.median(boxes, 0)
    (x, y), (w, h) = (box[:2] + box[2:] - own[:2] - own[2:]) / 2, box[2:] - box[:2]
    width, height = own[2:] - own[:2]
    return Place(
        float(np.hypot(x, y) / seen.frames.shape[2]), float(np.sqrt(w * h / max(width * height, 1e-6)))
    )


def summary(rows: Sequence[PersonFigures], everyone: Sequence[PersonFigures]) -> dict[str, Any]:
    """The figures of `rows`; their shuffled r is taken against the true curves of all other cases."""
    pairs = [(row, other) for row in rows for other in everyone if other is not row]
    shuffled = [pearson(row.opening, other.true_opening) for row, other in pairs]
    closures, true_closures = (
        _closures([getattr(row.mouth, name) for row in rows]) for name in ("closures", "closures_of_truth")
    )
    known = [row.top1 for row in rows if row.top1 is not None]
    return {
        "cases": len(rows),
        "faces": fmean(row.faces for row in rows),
        "lip_r": median(row.mouth.opening_r for row in rows),
        "lip_r_of_truth": median(row.mouth.opening_r_of_truth for row in rows),
        "lip_r_shuffled": median(shuffled) if shuffled else None,
        "width_r": median(row.mouth.width_r for row in rows),
        "width_r_of_truth": median(row.mouth.width_r_of_truth for row in rows),
        "lip_motion": median(row.mouth.motion for row in rows),
        "lag_within_1": fmean(abs(row.mouth.lag) <= 1 for row in rows),
        "closures": closures,
        "closures_of_truth": true_closures,
        "silence": _silence([row.mouth.silence for row in rows]),
        "silence_of_truth": _silence([row.mouth.silence_of_truth for row in rows]),
        "eye_energy": median(row.pictures.eye_energy for row in rows),
        "blinks": sum(row.pictures.blinks for row in rows),
        "true_blinks": sum(row.pictures.true_blinks for row in rows),
        "change": median(row.pictures.change for row in rows),
        "outside_change": _median([row.pictures.outside_change for row in rows]),
        "outside_change_of_truth": _median([row.pictures.outside_change_of_truth for row in rows]),
        "border": median(row.pictures.border for row in rows),
        "border_of_truth": median(row.pictures.border_of_truth for row in rows),
        "speed_ratio": sum(row.speed for row in rows) / sum(row.asked_speed for row in rows),
        "speed_ratio_of_truth": sum(row.speed_of_truth for row in rows) / sum(r.asked_speed for r in rows),
        "place_off": median(row.place.off for row in rows),
        "size": median(row.place.size for row in rows),
        "in_place": fmean(row.place.off <= 0.04 and abs(row.place.size - 1) <= 0.1 for row in rows),
        "top1": fmean(known) if known else "not measured",
    }


def _closures(rows: Sequence[Closures]) -> dict[str, Any]:
    asked = sum(row.asked for row in rows)
    met = sum(row.met for row in rows)
    return {
        "asked": asked,
        "met": met / asked if asked else None,
        "at_random_places": fmean(row.chance for row in rows),
    }


def _silence(rows: Sequence[Silence]) -> dict[str, Any]:
    frames = sum(row.frames for row in rows)
    if not frames:
        return {"frames": 0}
    shut, opening = sum(row.shut for row in rows), sum(row.opening for row in rows)
    return {"frames": frames, "shut": shut / frames, "opening": opening / frames}


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
