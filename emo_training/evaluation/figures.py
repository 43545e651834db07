"""The table of a report: every metric with its value, what it was measured with, and why it is missing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np

from ..perception.syncnet import SyncNetConfig
from .feature_nets import WINDOW
from .frechet import FrechetDistance
from .instruments import Instruments
from .measure import Clip, Distances, Side
from .motion import speed_agreement

LOWER, HIGHER, NEAR_ZERO, NEAR_ONE, NEAR_TRUE = "lower", "higher", "near 0", "near 1", "near true"
NO_CLIP = "could be measured on no clip; the table of clips says why"
FEW_SAMPLES = "fewer samples than features: comes out too large, compare only at equal numbers"
TREMBLES = "the generated heads tremble, and motion as slow as that trembling may count as noise"
OWN_SYNCNET = "not by the public network: not comparable to published values"
Read = Callable[[Side], float | None]


@dataclass(frozen=True)
class Figure:
    """One row. `value` None: not measured, and `note` says why. `true` is the same of the true videos, and
    `control` with the sound of another clip."""

    metric: str
    value: float | None
    better: str
    weights: str = ""
    over: str = ""
    note: str = ""
    true: float | None = None
    control: float | None = None
    unit: str = ""


def all_figures(clips: Sequence[Clip], distances: Distances, tools: Instruments) -> list[Figure]:
    inception, i3d = tools.labels.get("inception", ""), tools.labels.get("i3d", "")
    return [
        _at_sizes(clips, frechet_figure("FID", distances.fid, inception, "frames", "--inception FILE")),
        _at_sizes(
            clips,
            frechet_figure("FVD", distances.fvd, i3d, f"windows of {WINDOW} frames", "--i3d FILE"),
        ),
        *_sync_figures(clips, tools),
        _identity_figure(clips, tools.labels.get("identity", "")),
        _expression_figure(distances, tools),
        *_speed_figures(clips, tools),
        *_plain_figures(clips),
    ]


def frechet_figure(name: str, distance: FrechetDistance, weights: str, kind: str, option: str) -> Figure:
    if not weights:
        return Figure(name, None, LOWER, note=f"skipped: needs {option}")
    over = f"{distance.counts[True]} true, {distance.counts[False]} generated {kind}"
    try:
        value = distance.compute()
    except ValueError as error:
        return Figure(name, None, LOWER, weights, over, f"not measured: {error}")
    return Figure(name, value, LOWER, weights, over, FEW_SAMPLES if distance.rank_deficient else "")


def _at_sizes(clips: Sequence[Clip], figure: Figure) -> Figure:
    """Says so when pictures of different sizes were compared: the networks see how sharp they are."""
    sizes = {(clip.generated.size, clip.true.size) for clip in clips}
    if figure.value is None or all(made == true for made, true in sizes):
        return figure
    (w, h), (true_w, true_h) = sorted(pair for pair in sizes if pair[0] != pair[1])[0]
    note = f"generated {w} x {h} against true {true_w} x {true_h}: also measures the difference in sharpness"
    return replace(figure, note="; ".join(filter(None, (note, figure.note))))


def _sync_figures(clips: Sequence[Clip], tools: Instruments) -> list[Figure]:
    names, weights = {"LSE-C": HIGHER, "LSE-D": LOWER}, tools.labels.get("syncnet", "")
    if not weights or not any(clip.generated.sync for clip in clips):
        reason = NO_CLIP if weights else "skipped: needs --syncnet FILE"
        return [Figure(name, None, better, weights, note=reason) for name, better in names.items()]
    note = "" if tools.syncnet and tools.syncnet.config == SyncNetConfig() else OWN_SYNCNET
    return [
        _mean_figure(clips, "LSE-C", HIGHER, weights, _confidence, note, control=_foreign_confidence),
        _mean_figure(clips, "LSE-D", LOWER, weights, _distance, note, control=_foreign_distance),
        _mean_figure(clips, "Lip offset, absolute", NEAR_ZERO, weights, _offset, unit="frames"),
    ]


def _confidence(side: Side) -> float | None:
    return side.sync.confidence if side.sync else None


def _distance(side: Side) -> float | None:
    return side.sync.distance if side.sync else None


def _offset(side: Side) -> float | None:
    return abs(side.sync.offset) if side.sync else None


def _foreign_confidence(side: Side) -> float | None:
    return side.foreign_sync.confidence if side.foreign_sync else None


def _foreign_distance(side: Side) -> float | None:
    return side.foreign_sync.distance if side.foreign_sync else None


def _cosine(side: Side) -> float | None:
    return None if side.identity is None else float(side.identity.mean())


def _trembling(side: Side) -> float | None:
    return side.trembling


def _mean_figure(
    clips: Sequence[Clip],
    name: str,
    better: str,
    weights: str,
    read: Read,
    note: str = "",
    unit: str = "",
    control: Read | None = None,
) -> Figure:
    made, true = [clip.generated for clip in clips], [clip.true for clip in clips]
    known = sum(read(side) is not None for side in made)
    return Figure(
        name,
        mean_of(made, read),
        better,
        weights,
        f"{known} of {len(clips)} clips",
        note,
        true=mean_of(true, read),
        control=mean_of(made, control) if control else None,
        unit=unit,
    )


def mean_of(sides: Sequence[Side], read: Read) -> float | None:
    """Over the sides that have the value; None when none has."""
    known = [value for value in map(read, sides) if value is not None]
    return fmean(known) if known else None


def _identity_figure(clips: Sequence[Clip], weights: str) -> Figure:
    name = "Identity similarity (F-SIM)"
    if not weights:
        return Figure(name, None, HIGHER, note="skipped: needs --identity FILE, or --reader FILE")
    if not any(clip.generated.identity is not None for clip in clips):
        return Figure(name, None, HIGHER, weights, note=NO_CLIP)
    note = "cosine with the first face of the true video; another network gives other values"
    return _mean_figure(clips, name, HIGHER, weights, _cosine, note)


def _expression_figure(distances: Distances, tools: Instruments) -> Figure:
    if tools.expressions is None:
        reason = "skipped: needs --analyzer mediapipe:FILE, or --reader FILE"
        return Figure("E-FID (blendshape)", None, LOWER, note=reason)
    weights = tools.labels[tools.expressions.instrument]
    row = frechet_figure(tools.expressions.label, distances.expressions, weights, "frames", "")
    return replace(row, note="; ".join(filter(None, (tools.expressions.caveat, row.note))))


def _speed_figures(clips: Sequence[Clip], tools: Instruments) -> list[Figure]:
    weights = tools.labels["analyzer"]
    speeds = np.array([pair for clip in clips if (pair := mean_speeds(clip))])
    if len(speeds) == 0:
        asked = any("head speed" in problem for clip in clips for problem in clip.problems)
        blind = f"skipped: the analyzer {tools.analyzer.name} knows no pose; give --analyzer mediapipe:FILE"
        return [Figure("Head speed", None, NEAR_TRUE, weights, note=NO_CLIP if asked else blind)]
    made, true = speeds.T
    agreement, over, unit = speed_agreement(made, true), f"{len(speeds)} of {len(clips)} clips", "°/s"
    few = "" if len(speeds) > 2 else "needs 3 clips"
    shaken = mean_of([clip.generated for clip in clips], _trembling)
    noise = mean_of([clip.true for clip in clips], _trembling)
    doubt = TREMBLES if shaken > 2 * noise else ""
    return [
        Figure(
            "Head speed",
            made.mean().item(),
            NEAR_TRUE,
            weights,
            over,
            doubt,
            true=true.mean().item(),
            unit=unit,
        ),
        Figure("Head speed, absolute difference", agreement.difference, LOWER, weights, over, unit=unit),
        Figure("Head speed, generated / true", agreement.ratio, NEAR_ONE, weights, over),
        Figure("Head speed, rank correlation", agreement.spearman, HIGHER, weights, over, few),
        _mean_figure(
            clips,
            "Head trembling",
            NEAR_TRUE,
            weights,
            _trembling,
            "what smoothing takes from the poses; the true value is the tracker's own noise",
            unit="°",
        ),
    ]


def mean_speeds(clip: Clip) -> tuple[float, float] | None:
    """Generated and true mean head speed, None when one is unknown."""
    if clip.generated.speed is None or clip.true.speed is None:
        return None
    return float(np.nanmean(clip.generated.speed)), float(np.nanmean(clip.true.speed))


def _plain_figures(clips: Sequence[Clip]) -> list[Figure]:
    differences = [abs(clip.generated.frames - clip.true.frames) for clip in clips]
    return [
        _mean_figure(clips, "Frames with a face", HIGHER, "", lambda side: side.faces),
        Figure(
            "Difference in length", fmean(differences), NEAR_ZERO, over=f"{len(clips)} clips", unit="frames"
        ),
    ]
