"""The table of a report: every metric with its value, what it was measured with, and why it is missing."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np

from ..perception.syncnet import SyncNetConfig
from .feature_nets import WINDOW
from .frechet import FrechetDistance
from .instruments import Instruments
from .intervals import Interval, interval_of, mean_interval
from .measure import Distances, MeasuredPair, MeasuredVideo
from .motion import Expressions, SpeedAgreement, speed_agreement

LOWER, HIGHER, NEAR_ZERO, NEAR_ONE, NEAR_TRUE = "lower", "higher", "near 0", "near 1", "near true"
UNSEEN = "could be measured on no clip; the table of clips says why"
FEW_SAMPLES = "fewer samples than features: comes out too large, compare only at equal numbers"
TREMBLES = "the generated heads tremble, and motion as slow as that trembling may count as noise"
OWN_SYNCNET = "not by the public network: not comparable to published values"
ONE_NETWORK = "cosine with the first face of the true video; another network gives other values"
NOISE = "what smoothing takes from the poses; the true value is the tracker's own noise"

Pairs = Sequence[MeasuredPair]


@dataclass(frozen=True)
class Figure:
    """One row. `value` None: not measured, and `note` says why. `true` is the same of the true videos, and
    `control` with the sound of another pair. The intervals hold 95 % of what other clips of the kind would
    give; None for a single clip or person."""

    metric: str
    value: float | None
    better: str
    weights: str = ""
    over: str = ""
    note: str = ""
    true: float | None = None
    control: float | None = None
    unit: str = ""
    interval: Interval | None = None
    true_interval: Interval | None = None
    control_interval: Interval | None = None


@dataclass(frozen=True)
class Metric:
    """How a row is made of what `read` finds in every video."""

    name: str
    better: str
    read: Callable[[MeasuredVideo], float | None]
    instrument: str = ""  # whose weights it is measured with
    option: str = ""  # what gives them
    note: str | Callable[[Pairs, Instruments], str] = ""
    unit: str = ""
    control: bool = False  # also with the sound of another pair
    paired: bool = False  # only over pairs of which both videos have it
    compare: Callable[[SpeedAgreement], float | None] | None = None  # else the means are given
    detail: bool = False  # left out where it could not be measured: the row above says why

    def mean(self, videos: Iterable[MeasuredVideo]) -> float | None:
        """Over the videos that have it; None when none has."""
        known = [value for value in map(self.read, videos) if value is not None]
        return fmean(known) if known else None


def note_syncnet(pairs: Pairs, tools: Instruments) -> str:
    return "" if tools.syncnet and tools.syncnet.config == SyncNetConfig() else OWN_SYNCNET


def note_trembling(pairs: Pairs, tools: Instruments) -> str:
    shaken = TREMBLING.mean(pair.generated for pair in pairs)
    noise = TREMBLING.mean(pair.true for pair in pairs)
    return TREMBLES if shaken is not None and noise is not None and shaken > 2 * noise else ""


SYNC = ("syncnet", "--syncnet FILE")
FACE = ("identity", "--identity FILE")
POSE = ("analyzer", "--analyzer faces, or mediapipe:FILE")
TREMBLING = Metric("Head trembling", NEAR_TRUE, lambda v: v.trembling, *POSE, NOISE, "°", detail=True)
LIKENESS = [
    Metric("LSE-C", HIGHER, lambda v: v.confidence, *SYNC, note_syncnet, control=True),
    Metric("LSE-D", LOWER, lambda v: v.distance, *SYNC, note_syncnet, control=True),
    Metric("Lip offset, absolute", NEAR_ZERO, lambda v: v.offset, *SYNC, unit="frames", detail=True),
    Metric("Identity similarity (CSIM, F-SIM)", HIGHER, lambda v: v.mean_identity, *FACE, ONE_NETWORK),
]  # fmt: skip
EFID = ("E-FID", "--deep3d FILE")
BLENDSHAPES = ("E-FID (blendshape)", "--analyzer mediapipe:FILE")
MOUTH = ("analyzer", "--analyzer faces")
MOUTHS = [
    Metric("Lip distance, correlation with the true", HIGHER, lambda v: v.lips, *MOUTH),
    Metric("Mouth width, correlation with the true", HIGHER, lambda v: v.width, *MOUTH, detail=True),
    Metric("Blinks", NEAR_TRUE, lambda v: v.blinks, *MOUTH, unit="per minute", detail=True),
]
MOTION = [
    Metric("Head speed", NEAR_TRUE, lambda v: v.mean_speed, *POSE, note_trembling, "°/s", paired=True),
    Metric(
        "Head speed, absolute difference", LOWER, lambda v: v.mean_speed, *POSE, unit="°/s", paired=True,
        compare=lambda speeds: speeds.difference, detail=True,
    ),
    Metric(
        "Head speed, generated / true", NEAR_ONE, lambda v: v.mean_speed, *POSE, paired=True,
        compare=lambda speeds: speeds.ratio, detail=True,
    ),
    Metric(
        "Head speed, rank correlation", HIGHER, lambda v: v.mean_speed, *POSE, paired=True,
        compare=lambda speeds: speeds.spearman, detail=True,
    ),
    TREMBLING,
    Metric("Frames with a face", HIGHER, lambda v: v.faces),
]  # fmt: skip


def all_figures(pairs: Pairs, distances: Distances, tools: Instruments) -> list[Figure]:
    groups = [pair.group for pair in pairs]
    inception, i3d = tools.labels.get("inception", ""), tools.labels.get("i3d", "")
    fid = frechet_figure("FID", distances.fid, groups, inception, "frames", "--inception FILE")
    fvd = frechet_figure("FVD", distances.fvd, groups, i3d, f"windows of {WINDOW} frames", "--i3d FILE")
    return [
        note_sizes(fid, pairs),
        note_sizes(fvd, pairs),
        *metric_figures(LIKENESS, pairs, tools),
        expression_figure(distances.efid, groups, tools.deep3d, tools.labels, EFID),
        expression_figure(distances.expressions, groups, tools.expressions, tools.labels, BLENDSHAPES),
        *metric_figures(MOUTHS, pairs, tools),
        *metric_figures(MOTION, pairs, tools),
        length_figure(pairs, groups),
    ]


def metric_figures(metrics: Sequence[Metric], pairs: Pairs, tools: Instruments) -> Iterator[Figure]:
    for metric in metrics:
        weights = tools.labels.get(metric.instrument, "")
        counted = [pair for pair in pairs if not metric.paired or _both_have(metric, pair)]
        known = sum(metric.read(pair.generated) is not None for pair in counted)
        if known and (weights or not metric.instrument):
            row = Figure(metric.name, None, metric.better, weights, unit=metric.unit)
            note = metric.note if isinstance(metric.note, str) else metric.note(pairs, tools)
            row = replace(row, over=f"{known} of {len(pairs)} clips", note=note)
            yield (
                compared(row, metric.compare, metric, counted)
                if metric.compare
                else means(row, metric, counted)
            )
        elif not metric.detail:
            yield Figure(metric.name, None, metric.better, weights, note=why_missing(metric, pairs, tools))


def _both_have(metric: Metric, pair: MeasuredPair) -> bool:
    return all(metric.read(video) is not None for video in (pair.generated, pair.true))


def means(row: Figure, metric: Metric, pairs: Pairs) -> Figure:
    """The row with the means over the clips that have a value."""
    value, interval = mean_over(metric, pairs, lambda pair: pair.generated)
    true, true_interval = mean_over(metric, pairs, lambda pair: pair.true)
    row = replace(row, value=value, interval=interval, true=true, true_interval=true_interval)
    if not metric.control:
        return row
    control, control_interval = mean_over(
        metric, pairs, lambda pair: replace(pair.generated, sync=pair.generated.foreign_sync)
    )
    return replace(row, control=control, control_interval=control_interval)


def mean_over(
    metric: Metric, pairs: Pairs, side: Callable[[MeasuredPair], MeasuredVideo]
) -> tuple[float | None, Interval | None]:
    found = [(metric.read(side(pair)), pair.group) for pair in pairs]
    values = [value for value, _ in found if value is not None]
    groups = [group for value, group in found if value is not None]
    return (fmean(values), mean_interval(values, groups)) if values else (None, None)


def compared(
    row: Figure, compare: Callable[[SpeedAgreement], float | None], metric: Metric, pairs: Pairs
) -> Figure:
    """The row with what compares the generated values with the true ones."""
    made, true = (
        np.array([metric.read(video) for video in side])
        for side in ([pair.generated for pair in pairs], [pair.true for pair in pairs])
    )

    def of(clips: np.ndarray) -> float | None:
        return compare(speed_agreement(made[clips], true[clips]))

    value = of(np.arange(len(pairs)))
    if value is None:
        return replace(row, note="needs 3 clips")
    return replace(row, value=value, interval=interval_of(of, [pair.group for pair in pairs]))


def length_figure(pairs: Pairs, groups: Sequence[str]) -> Figure:
    apart = [abs(pair.generated.frames - pair.true.frames) for pair in pairs]
    row = Figure("Difference in length", fmean(apart), NEAR_ZERO, over=f"{len(pairs)} clips", unit="frames")
    return replace(row, interval=mean_interval(apart, groups))


def why_missing(metric: Metric, pairs: Pairs, tools: Instruments) -> str:
    if metric.instrument not in tools.labels:
        return f"skipped: needs {metric.option}"
    asked = any("head speed" in problem for pair in pairs for problem in pair.problems)
    if metric in MOUTHS and not asked:
        return f"skipped: the analyzer {tools.analyzer.name} knows no mouth; give {metric.option}"
    return UNSEEN


def frechet_figure(
    name: str, distance: FrechetDistance, groups: Sequence[str], weights: str, kind: str, option: str
) -> Figure:
    if not weights:
        return Figure(name, None, LOWER, note=f"skipped: needs {option}")
    over = f"{distance.counts[True]} true, {distance.counts[False]} generated {kind}"
    try:
        value = distance.compute()
    except ValueError as error:
        return Figure(name, None, LOWER, weights, over, f"not measured: {error}")
    note = FEW_SAMPLES if distance.rank_deficient else ""
    return Figure(name, value, LOWER, weights, over, note, interval=distance.interval(groups))


def note_sizes(figure: Figure, pairs: Pairs) -> Figure:
    """Says so when pictures of different sizes were compared: the networks see how sharp they are."""
    sizes = {(pair.generated.size, pair.true.size) for pair in pairs}
    if figure.value is None or all(made == true for made, true in sizes):
        return figure
    (w, h), (true_w, true_h) = sorted(pair for pair in sizes if pair[0] != pair[1])[0]
    note = f"generated {w} x {h} against true {true_w} x {true_h}: also measures the difference in sharpness"
    return replace(figure, note="; ".join(filter(None, (note, figure.note))))


def expression_figure(
    distance: FrechetDistance,
    groups: Sequence[str],
    expressions: Expressions | None,
    labels: dict[str, str],
    missing: tuple[str, str],
) -> Figure:
    """`missing` names the row and the option where nothing reads expressions."""
    if expressions is None:
        name, option = missing
        return Figure(name, None, LOWER, note=f"skipped: needs {option}")
    row = frechet_figure(expressions.label, distance, groups, labels[expressions.instrument], "frames", "")
    return replace(row, note="; ".join(filter(None, (expressions.caveat, row.note))))
