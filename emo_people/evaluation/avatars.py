"""Generates unseen people saying unseen sentences and measures what came out."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from emo_training.perception.avatar_reader import AvatarReader, read_frames

from ..filming.cases import SIZE, make_case
from ..filming.people import draw_portrait
from ..filming.seeds import EVALUATION
from ..networks.fit import Log
from ..networks.reader import check_reader
from .cases import Measured, measure_case, summary
from .subject import Subject
from .sweeps import measure_long, measure_speed

SEEDS_PER_RUN = 1000  # of which the first 500 are cases
LONG, STRANGERS = 500, 600
MOST_CASES, MOST_SEED = 500, 900  # beyond the latter the reader's own identities begin


@dataclass(frozen=True)
class Extent:
    """How much is generated besides the cases; the defaults are what is reported."""

    portraits: int = 100  # among which the own one must be found
    speed_people: int = 8
    speeds: tuple[float, ...] = (2.0, 8.0, 14.0, 20.0, 26.0, 32.0)
    speed_seconds: float = 2.4
    long_cases: int = 3
    long_seconds: float = 20.0
    reader_people: int = 100


REPORTED = Extent()


def evaluate_avatars(
    subject: Subject, reader: AvatarReader, seed: int, cases: int, log: Log, extent: Extent = REPORTED
) -> dict[str, Any]:
    """Everything the demo model is judged by, ready for JSON; training voices and held-out voices also apart.

    Raises ValueError for fewer than 2 cases or seeds outside the range kept for evaluation, FileNotFoundError
    when flite or espeak-ng is not installed.
    """
    if not 2 <= cases <= MOST_CASES or not 0 <= seed < MOST_SEED:
        raise ValueError(
            f"need 2..{MOST_CASES} cases and a seed in 0..{MOST_SEED - 1}, got {cases} cases, seed {seed}"
        )
    first = EVALUATION + seed * SEEDS_PER_RUN
    checked = check_reader(reader, extent.reader_people)
    for kind, figures in checked.items():
        log(f"reader on {kind}: " + " ".join(f"{name} {value:.3f}" for name, value in figures.items()))
    strangers = _strangers(reader, first + STRANGERS, extent.portraits - 1)
    rows: list[Measured] = []
    for k in range(cases):
        rows.append(measure_case(subject, reader, make_case(first + k), strangers))
        log(f"case {k + 1}/{cases}: " + _line(rows[-1]))
    spoken = [[row for row in rows if row.held_out_voice == held_out] for held_out in (False, True)]
    return {
        "seed": seed,
        "cases": cases,
        "reader": checked,
        "all": summary(rows, rows),
        "training_voices": summary(spoken[0], rows),
        "held_out_voices": summary(spoken[1], rows),
        **_sweeps(subject, reader, first, strangers, extent, log),
        "per_case": [row.row() for row in rows],
    }


def _sweeps(
    subject: Subject, reader: AvatarReader, first: int, strangers: Tensor, extent: Extent, log: Log
) -> dict[str, Any]:
    seconds = extent.speed_seconds
    people = [make_case(first + k, seconds, seconds) for k in range(extent.speed_people)]
    report = {"speed": measure_speed(subject.generate, reader, people, extent.speeds, log)}
    if subject.generate_without_speed:
        log("head speed once more, without the speed layers")
        report["speed_without_layers"] = measure_speed(
            subject.generate_without_speed, reader, people[:3], extent.speeds, log
        )
    seconds = extent.long_seconds
    talkers = [make_case(first + LONG + k, seconds, seconds) for k in range(extent.long_cases)]
    report["long_audio"] = measure_long(subject.generate, reader, talkers, strangers, log)
    return report


def _strangers(reader: AvatarReader, first: int, count: int) -> Tensor:
    """Identities (count, D) of portraits of people who are in no case."""
    seeds = range(first, first + count)
    portraits = [draw_portrait(seed, np.random.default_rng(seed), SIZE) for seed in seeds]
    return read_frames(reader, np.stack(portraits)).identity


def _line(row: Measured) -> str:
    return (
        f"{row.voice} lip r {row.lip_r:.2f} width r {row.width_r:.2f} lag {row.lag_frames} "
        f"change {row.latent_change_ratio:.2f} identity {row.identity_top1_frames:.2f} "
        f"background {row.background_psnr:.1f} dB box {row.region_iou:.2f}"
        + (f" zoom {row.framed.zoom:.2f}" if row.framed else "")
    )
