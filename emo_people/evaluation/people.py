"""Makes unseen people of the rendered world say unseen sentences and measures what came out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from emo_training.evaluation.identity_similarity import Embedder
from emo_training.evaluation.metrics import pearson

from ..filming.people_cases import KINDS, PersonCase, make_cases, make_portraits
from ..filming.seeds import PEOPLE
from ..filming.speakers import FPS
from .gallery import Gallery
from .judge import Judge
from .person_figures import PersonFigures, summary
from .person_films import Seen
from .person_sheet import contact_sheet
from .pictures import eye_energy
from .turning import measure_speed

SEEDS_PER_RUN, LONG, STRANGERS = 1000, 500, 600  # of a run's seeds: cases, then these
MOST_CASES, MOST_SEED = 500, 900
ENDS = 10.0  # seconds at the start and at the end of long sound


@dataclass(frozen=True)
class Scope:
    """How much is made; the defaults are what is reported."""

    seed: int = 1
    cases: int = 60
    speed_people: int = 3
    speeds: tuple[float, ...] = (4.0, 9.0, 14.0, 20.0, 25.0, 30.0)
    long_seconds: float = 60.0  # 0: no long sound
    portraits: int = 100  # among which the own one must be found
    workers: int = 1  # processes that draw

    def __post_init__(self) -> None:
        if not 1 <= self.cases <= MOST_CASES or not 0 <= self.seed < MOST_SEED:
            raise ValueError(
                f"need 1..{MOST_CASES} cases and a seed in 0..{MOST_SEED - 1}, got {self.cases} cases, seed "
                f"{self.seed}"
            )

    def seeds(self, first: int, count: int) -> range:
        start = PEOPLE + self.seed * SEEDS_PER_RUN + first
        return range(start, start + count)


def evaluate_people(
    judge: Judge, scope: Scope, embedder: Embedder | None = None
) -> tuple[dict[str, Any], Image.Image]:
    """Everything the model of rendered people is judged by, ready for JSON, and a sheet to look at.

    Raises FileNotFoundError when flite or espeak-ng is not installed, CannotDraw without OpenGL.
    """
    judge.log(f"speaking and drawing {scope.cases} cases in {judge.cases}")
    cases = make_cases(judge.cases, scope.seeds(0, scope.cases), scope.workers)
    gallery = _gallery(judge, scope, cases, embedder) if embedder else None
    rows = []
    for case in cases:
        rows.append(judge.measure(case, gallery))
        judge.log(f"case {len(rows)}/{len(cases)}: {_line(rows[-1])}")
    kinds = {kind: [row for row in rows if row.kind == kind] for kind in KINDS}
    turning = cases[:: len(KINDS)][: scope.speed_people]
    report = {
        "seed": scope.seed,
        "all": summary(rows, rows),
        **{kind: summary(some, rows) for kind, some in kinds.items() if some},
        "speed": measure_speed(judge, turning, scope.speeds) if turning else "not measured",
        "long": _measure_long(judge, scope) if scope.long_seconds else "not measured",
        "per_case": [row.row() for row in rows],
    }
    return report, contact_sheet(rows)


def _measure_long(judge: Judge, scope: Scope) -> dict[str, Any]:
    seconds = scope.long_seconds
    (case,) = make_cases(judge.cases, scope.seeds(LONG, 1), scope.workers, (seconds, seconds), films=False)
    seen = judge.film(case, f"{case.seed}-long.mp4", case.head_speed)
    opening = judge.files(case).truth()["mouth_open"]
    span = round(min(ENDS, seconds / 2) * FPS)
    parts = {"first": slice(0, span), "last": slice(len(opening) - span, len(opening))}
    judge.log(f"{seconds:g} s of sound: {len(seen.frames)} frames")
    return {
        "seconds": seconds,
        "frames": len(seen.frames),
        **{name: _part_figures(seen, opening, part) for name, part in parts.items()},
    }


def _part_figures(seen: Seen, opening: np.ndarray, part: slice) -> dict[str, float]:
    """What must not become worse: faces, lips, and the sharpness of the eyes (of no scale of its own)."""
    assert seen.track.landmarks is not None  # this analyser always has them
    return {
        "faces": float((seen.track.counts[part] == 1).mean()),
        "lip_r": pearson(seen.opening[part], opening[part]),
        "eye_sharpness": eye_energy(seen.frames[part], seen.track.landmarks[part]),
    }


def _gallery(judge: Judge, scope: Scope, cases: Sequence[PersonCase], embedder: Embedder) -> Gallery:
    """The portraits of the cases, and of as many others as are missing."""
    strangers = scope.seeds(STRANGERS, max(0, scope.portraits - len(cases)))
    paths = {case.seed: judge.files(case).portrait for case in cases[: scope.portraits]}
    others = make_portraits(judge.cases / "strangers", strangers, scope.workers)
    paths |= dict(zip(strangers, others, strict=True))
    pictures = {seed: np.array(Image.open(path).convert("RGB")) for seed, path in paths.items()}
    return Gallery.of(embedder, judge.analyzer, pictures)


def _line(row: PersonFigures) -> str:
    mouth, pictures = row.mouth, row.pictures
    return (
        f"{row.voice} lip r {mouth.opening_r:.2f} width r {mouth.width_r:.2f} lag {mouth.lag} "
        f"closures {mouth.closures.met}/{mouth.closures.asked} eyes {pictures.eye_energy:.2f} "
        f"change {pictures.change:.2f} speed {row.speed:.1f} of {row.asked_speed:.1f} off {row.place.off:.3f}"
    )
