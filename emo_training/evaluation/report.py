"""A report's folder: report.json with every number, report.html to look at, plots and videos."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emo_modules.writing.partial import write_text

from .figures import Figure, all_figures
from .instruments import Instruments
from .measure import Log, MeasuredPair, MeasuredVideo, measure_pairs
from .page import page
from .pairs import Pair
from .plots import all_plots
from .side_by_side import write_side_by_side

SHOWN = 12  # pairs that are put side by side


@dataclass(frozen=True)
class Report:
    settings: dict[str, Any]
    figures: list[Figure]
    pairs: list[MeasuredPair]


def evaluate_videos(
    pairs: Sequence[Pair], tools: Instruments, settings: dict[str, Any], out: Path, log: Log
) -> Report:
    """Measures all pairs and writes the report. Raises ValueError for a file that is no video."""
    measured, distances = measure_pairs(pairs, tools, log)
    used = settings | {"weights": tools.labels}
    report = Report(used, all_figures(measured, distances, tools), measured)
    write_report(report, pairs, out)
    return report


def write_report(report: Report, pairs: Sequence[Pair], out: Path) -> None:
    """report.json, report.html, plots/*.svg and videos/*.mp4 of the first pairs."""
    plots, videos = out / "plots", out / "videos"
    for folder in (out, plots, videos):
        folder.mkdir(parents=True, exist_ok=True)
    write_text(out / "report.json", json.dumps(as_json(report), indent=1, allow_nan=False))
    drawn = all_plots(report.pairs)
    for number, (_, svg) in enumerate(drawn.items(), 1):
        write_text(plots / f"{number}.svg", svg.replace("currentColor", "#555"))
    for pair in pairs[:SHOWN]:
        write_side_by_side(pair, videos)
    shown = [pair.name for pair in pairs[:SHOWN]]
    write_text(out / "report.html", page(report.settings, report.figures, report.pairs, drawn, shown))


def as_json(report: Report) -> dict[str, Any]:
    """The report's numbers with nothing left out; what was not measured is null. Each figure says how films
    were looked at and by what faces were found, so that none is quoted without it."""
    seen = {
        "looked at": report.settings["looked at"],
        "faces by": report.settings["weights"]["analyzer"],
    }
    return {
        "settings": report.settings,
        "figures": [asdict(figure) | seen for figure in report.figures],
        "clips": [
            {
                "name": pair.name,
                "person": pair.person,
                "generated": _video(pair.generated),
                "true": _video(pair.true),
                "problems": list(pair.problems),
            }
            for pair in report.pairs
        ],
    }


def _video(video: MeasuredVideo) -> dict[str, Any]:
    measured = {
        name: _plain(asdict(value) if hasattr(value, "distances") else value)
        for name, value in vars(video).items()
    }
    return measured | {"csim": video.mean_identity}


def _plain(value: Any) -> Any:
    """Arrays as lists, and None for what is not finite."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, np.ndarray):
        return [None if not np.isfinite(number) else round(float(number), 5) for number in value]
    return value
