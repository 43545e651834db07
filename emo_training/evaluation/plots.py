"""Plots of a report as SVG, in the colours of the page they stand on."""

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..perception.rates import FPS
from .frechet import EXTRA
from .lipsync import SPAN
from .measure import MeasuredPair, MeasuredVideo

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GENERATED, TRUE, CONTROL = "#3f7fe0", "#e0872a", "#8b93a1"
INK = "#010203"  # becomes the page's own text colour
CURVES = 4  # pairs whose head speed is drawn over time


def all_plots(pairs: Sequence[MeasuredPair]) -> dict[str, str]:
    """SVG by title, of what was measured. Raises ValueError when matplotlib is not installed."""
    plots = {
        "Lip sync: mean distance by shift of the sound": (_sync_curves, _any(pairs, "sync")),
        "Head speed: each clip's mean": (_speed_scatter, _any(pairs, "speed")),
        "Head speed over time": (_speed_curves, _any(pairs, "speed")),
        "Values of single clips": (_distributions, _any(pairs, "sync") or _any(pairs, "identity")),
    }
    return {title: _svg(draw, pairs) for title, (draw, wanted) in plots.items() if wanted}


def _any(pairs: Sequence[MeasuredPair], name: str) -> bool:
    return any(getattr(pair.generated, name) is not None for pair in pairs)


def _svg(draw: Callable[["Figure", Sequence[MeasuredPair]], None], pairs: Sequence[MeasuredPair]) -> str:
    """Drawn without pyplot, which would keep every figure and ask for a screen."""
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ValueError(f"the plots of the report need matplotlib: {EXTRA}") from error
    with rc_context(
        {
            "text.color": INK,
            "axes.labelcolor": INK,
            "xtick.color": INK,
            "ytick.color": INK,
            "axes.edgecolor": INK,
            "svg.fonttype": "none",
            "svg.hashsalt": draw.__name__,
            "font.size": 9,
            "font.family": "sans-serif",
            "axes.spines.top": False,
            "axes.spines.right": False,
        }
    ):
        figure = Figure(figsize=(5.6, 3.2), layout="constrained")
        draw(figure, pairs)
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    text = file.getvalue()
    return text[text.index("<svg") :].replace(INK, "currentColor")


def _sync_curves(figure: "Figure", pairs: Sequence[MeasuredPair]) -> None:
    axes = figure.subplots()
    shifts = np.arange(-SPAN, SPAN + 1)
    for pair in pairs:
        if pair.generated.sync:
            axes.plot(shifts, pair.generated.sync.distances, color=GENERATED, alpha=0.2, linewidth=0.8)
    curves = {
        "generated": (GENERATED, [pair.generated.sync for pair in pairs]),
        "true": (TRUE, [pair.true.sync for pair in pairs]),
        "another clip's sound": (CONTROL, [pair.generated.foreign_sync for pair in pairs]),
    }
    for label, (colour, found) in curves.items():
        if known := [sync.distances for sync in found if sync]:
            axes.plot(shifts, np.mean(known, 0), color=colour, linewidth=2, label=label)
    axes.set_xlabel("shift in frames; right of 0 the sound comes late")
    axes.set_ylabel("mean distance")
    axes.legend(frameon=False)
    _grid(axes)


def _speed_scatter(figure: "Figure", pairs: Sequence[MeasuredPair]) -> None:
    axes = figure.subplots()
    speeds = np.array([pair.mean_speeds for pair in pairs if pair.mean_speeds]).reshape(-1, 2)
    limit = 1.1 * max(speeds.max(initial=0), 1)
    axes.plot([0, limit], [0, limit], color=CONTROL, linewidth=1, linestyle="--", label="equal")
    axes.scatter(speeds[:, 1], speeds[:, 0], color=GENERATED, s=26)
    axes.set(xlim=(0, limit), ylim=(0, limit), xlabel="true, °/s", ylabel="generated, °/s")
    axes.set_aspect("equal")
    axes.legend(frameon=False)
    _grid(axes)


def _speed_curves(figure: "Figure", pairs: Sequence[MeasuredPair]) -> None:
    shown = [pair for pair in pairs if pair.mean_speeds][:CURVES]
    for axes, pair in zip(
        np.ravel(figure.subplots(len(shown), 1, squeeze=False, sharex=True)), shown, strict=True
    ):
        for side, colour in ((pair.true, TRUE), (pair.generated, GENERATED)):
            if side.speed is not None:
                axes.plot(np.arange(len(side.speed)) / FPS, side.speed, color=colour, linewidth=1.3)
        axes.set_ylim(0)
        axes.set_title(pair.name, fontsize=8, loc="left")
        _grid(axes)
    axes.set_xlabel("seconds; true orange, generated blue; °/s")


def _distributions(figure: "Figure", pairs: Sequence[MeasuredPair]) -> None:
    values: dict[str, Callable[[MeasuredVideo], float | None]] = {
        "LSE-C": lambda video: video.confidence,
        "LSE-D": lambda video: video.distance,
        "identity": lambda video: video.mean_identity,
        "head speed, °/s": lambda video: video.mean_speed,
    }
    rows = {}
    for name, read in values.items():
        sides = [[pair.generated for pair in pairs], [pair.true for pair in pairs]]
        known = [[value for value in map(read, side) if value is not None] for side in sides]
        if known[0]:
            rows[name] = known
    for axes, (name, known) in zip(
        np.ravel(figure.subplots(1, len(rows), squeeze=False)), rows.items(), strict=True
    ):
        for place, (side, colour) in enumerate(zip(known, (GENERATED, TRUE), strict=True)):
            spread = np.linspace(-0.18, 0.18, len(side)) if len(side) > 1 else np.zeros(len(side))
            axes.scatter(place + spread, side, s=14, color=colour, alpha=0.75, linewidths=0)
            if side:
                axes.hlines(np.median(side), place - 0.28, place + 0.28, color=colour, linewidth=2)
        axes.set_xticks([0, 1], ["generated", "true"], fontsize=7)
        axes.set_xlim(-0.5, 1.5)
        axes.set_title(name, fontsize=9)
        _grid(axes)


def _grid(axes: "Axes") -> None:
    axes.grid(alpha=0.18, color=CONTROL, linewidth=0.7)
