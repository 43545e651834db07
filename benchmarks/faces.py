"""How well faces are found and read in real pictures, against MediaPipe on the same pictures as they are.

    python -m benchmarks.faces --reference reference.npz --faceless RENDERS --seer cascade

Makes each portrait of the reference harder (turned, far away, cut by the edge, dark, masked), asks the seers,
and compares: faces found (IoU of at least 0.6), mean overlap, how far iBUG's 68 points are off, r of the
mouth's opening over the frames of each film, false faces in pictures without any, and the time on one core
for a picture of 1080p. Prints JSON, and a table to stderr.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.seeing.conditions import CONDITIONS, HD, View, far
from benchmarks.seeing.faceless import faceless
from benchmarks.seeing.reference import Sight, is_film, load_sights, read_frames
from benchmarks.seeing.scores import compare, correlate, rounded, summarise
from benchmarks.seeing.seers import SEERS, Seer
from emo_modules.cues.ibug import mouth_open
from emo_training.perception.mesh_points import ibug_points

REPEATS = 5
GOOD_R = 0.8
FACE_AT_HD = 0.4  # of the picture's height, where time is measured


def portraits(sights: Mapping[Path, Sight]) -> dict[Path, View]:
    """Pictures in which the reference sees a face."""
    seen = {path: sight for path, sight in sights.items() if sight.seen.any() and not is_film(path)}
    return {path: View(read_frames(path)[0], sight.meshes[0]) for path, sight in seen.items()}


def harder(views: Mapping[Path, View], name: str) -> Iterator[tuple[Path, View]]:
    """All pictures under one condition, the same at each run."""
    for k, (path, view) in enumerate(views.items()):
        yield path, CONDITIONS[name](view, np.random.default_rng(k))


def under_conditions(seer: Seer, views: Mapping[Path, View]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in CONDITIONS:
        scores = {path: compare(view, seer.see(view.picture)) for path, view in harder(views, name)}
        missed = [str(path) for path, score in scores.items() if not score.found]
        found[name] = summarise(list(scores.values())) | {"missed": missed}
        print(f"{seer.name}, {name}: {found[name]}", file=sys.stderr)
    return found


def on_film(seer: Seer, path: Path, sight: Sight, most: int) -> dict[str, Any]:
    frames = read_frames(path)[: len(sight.seen)]
    chosen = np.flatnonzero(sight.seen)
    chosen = chosen[np.linspace(0, len(chosen) - 1, min(most, len(chosen))).round().astype(int)]
    scores = [compare(View(frames[k], sight.meshes[k]), seer.see(frames[k])) for k in chosen]
    openings = mouth_open(ibug_points(sight.meshes[chosen])).tolist()
    return summarise(scores) | {"r_mouth_open": correlate([score.mouth_open for score in scores], openings)}


def on_films(seer: Seer, sights: Mapping[Path, Sight], most: int) -> dict[str, Any]:
    """Each film's figures, and what they come to: the median of their r, and how many reach 0.8."""
    films = {path: sight for path, sight in sights.items() if is_film(path) and sight.seen.any()}
    figures = {str(path): on_film(seer, path, sight, most) for path, sight in films.items()}
    known = [row["r_mouth_open"] for row in figures.values() if row["r_mouth_open"] is not None]
    summary: dict[str, Any] = {"films": len(films), "read": len(known)}
    if known:
        good = sum(r >= GOOD_R for r in known)
        summary |= {"r_median": rounded(np.median(known)), "r_least": min(known), "r_good": good}
    for name in ("found", "overlap", "error_percent"):
        values = [row[name] for row in figures.values() if row[name] is not None]
        summary[name] = rounded(np.mean(values)) if values else None
    print(f"{seer.name}, films: {summary}", file=sys.stderr)
    return summary | {"each": figures}


def false_faces(seer: Seer, folders: list[Path]) -> dict[str, Any]:
    counts = {name: len(seer.see(picture)) for name, picture in faceless(folders)}
    wrong = {name: count for name, count in counts.items() if count}
    return {"pictures": len(counts), "faces": sum(wrong.values()), "where": wrong}


def milliseconds(seer: Seer, view: View) -> float:
    """Of the processor for a picture of 1920 x 1080: the median of five looks after a first one."""
    picture = far(view, np.random.default_rng(0), HD, FACE_AT_HD).picture
    taken = []
    for _ in range(REPEATS + 1):
        start = time.process_time()
        seer.see(picture)
        taken.append(time.process_time() - start)
    return rounded(1000 * np.median(taken[1:]), 1)


def measure(seer: Seer, sights: Mapping[Path, Sight], folders: list[Path], most: int) -> dict[str, Any]:
    views = portraits(sights)
    if not views:
        raise SystemExit("the reference has no picture with a face: give benchmarks.face_reference portraits")
    return {
        "portraits": under_conditions(seer, views),
        "films": on_films(seer, sights, most),
        "faceless": false_faces(seer, folders),
        "milliseconds_at_1080p": milliseconds(seer, next(iter(views.values()))),
    }


def table(figures: Mapping[str, Any]) -> str:
    """Lines of Markdown, one condition each."""
    lines = ["| | " + " | ".join(f"{name}: found, IoU, points" for name in figures) + " |"]
    lines.append("|---|" + "---|" * len(figures))
    for condition in CONDITIONS:
        rows = [seer["portraits"][condition] for seer in figures.values()]
        cells = [f"{100 * row['found']:.0f} %, {row['overlap']:.2f}, {_percent(row)}" for row in rows]
        lines.append(f"| {condition} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _percent(row: Mapping[str, Any]) -> str:
    return "none" if row["error_percent"] is None else f"{row['error_percent']:.1f} %"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--reference", nargs="+", type=Path, required=True, help="of benchmarks.face_reference"
    )
    parser.add_argument(
        "--faceless", nargs="*", type=Path, default=[], help="folders of pictures without a face"
    )
    parser.add_argument("--seer", nargs="+", choices=sorted(SEERS), default=sorted(SEERS), help="who looks")
    parser.add_argument("--frames", type=int, default=120, help="of each film, spread over it (default 120)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    sights = {path: sight for file in options.reference for path, sight in load_sights(file).items()}
    figures = {
        name: measure(SEERS[name](), sights, options.faceless, options.frames) for name in options.seer
    }
    print(json.dumps(figures, indent=1))
    print(table(figures), file=sys.stderr)


if __name__ == "__main__":
    main()
