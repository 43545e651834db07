"""How lifelike rendered people are: what MediaPipe, which knows photographs, sees in them, against the truth.

    python -m benchmarks.lifelike DIR --task face_landmarker.task --sheet worst.png

DIR is what benchmarks.lifelike_people renders, or films of `python -m emo_people person`. Prints JSON: the
share of pictures whose face is found, how far iBUG's 68 points lie from the truth in percent of the
inter-ocular distance (all, each part of the face, a histogram), and r of jawOpen with the true opening of the
mouth over each film. The sheet shows the worst.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from benchmarks.seeing.reference import Sight, find_files, is_film, read_frames
from benchmarks.seeing.scores import correlate, rounded
from benchmarks.seeing.truths import has_truth, load_truths
from emo_modules.cues.box import iou
from emo_modules.cues.ibug import eye_open, inter_ocular, mouth_open
from emo_people.acting.face import INDEX
from emo_training.perception.mediapipe import MediaPipeAnalyzer
from emo_training.perception.mesh_points import face_box, ibug_points

SAME_FACE = 0.5  # overlap (IoU) from which it is the face that was rendered
JAW_OPEN = 1 + INDEX["jawOpen"]  # of MediaPipe's blendshapes, whose first is `_neutral`
TRUE = ("landmarks", "face_box", "mouth_open", "eye_open")
PARTS = {
    "jaw": slice(0, 17), "brows": slice(17, 27), "nose": slice(27, 36), "eyes": slice(36, 48),
    "lips": slice(48, 68),
}  # fmt: skip
BINS = (2, 3, 4, 5, 6, 8, 10, 15)  # percent
COLUMNS, ROWS, TILE = 8, 5, 240


@dataclass(frozen=True)
class Look:
    """At one picture: each point's error (68,) in percent of the inter-ocular distance, NaN where the face
    was not found."""

    path: Path
    errors: np.ndarray
    points: np.ndarray
    truth: Mapping[str, np.ndarray]

    @property
    def found(self) -> bool:
        return bool(np.isfinite(self.errors).all())


def look(analyzer: MediaPipeAnalyzer, path: Path) -> Look:
    truth = {name: value[0] for name, value in load_truths(path, TRUE).items()}
    mesh = Sight.of(analyzer.analyze(read_frames(path))).meshes[0]
    points = ibug_points(mesh)
    away = np.linalg.norm(points - truth["landmarks"], axis=1)
    errors = 100 * away / inter_ocular(truth["landmarks"])
    if not iou(face_box(mesh), truth["face_box"]) >= SAME_FACE:
        errors = np.full(len(errors), np.nan)
    return Look(path, errors, points, truth)


def summarise(looks: Sequence[Look]) -> dict[str, Any]:
    found = [one for one in looks if one.found]
    if not found:
        return {"pictures": len(looks), "found": 0.0}
    means = np.array([one.errors.mean() for one in found])
    openings = [float(mouth_open(one.points)) for one in found]
    lids = [float(eye_open(one.points).mean()) for one in found]
    return {
        "pictures": len(looks),
        "found": rounded(len(found) / len(looks)),
        "error_percent": rounded(means.mean(), 2),
        "error_percent_median": rounded(np.median(means), 2),
        "within_6_percent": rounded((means <= 6).mean()),
        "parts": {
            name: rounded(np.mean([one.errors[part].mean() for one in found]), 2)
            for name, part in PARTS.items()
        },
        "histogram": _histogram(means),
        "r_mouth_open": correlate(openings, [float(one.truth["mouth_open"]) for one in found]),
        "r_eye_open": correlate(lids, [float(one.truth["eye_open"].mean()) for one in found]),
    }


def _histogram(means: np.ndarray) -> dict[str, int]:
    counts, _ = np.histogram(means, (0, *BINS, np.inf))
    names = [f"below {edge} %" for edge in BINS] + [f"from {BINS[-1]} %"]
    return dict(zip(names, counts.tolist(), strict=True))


def on_film(analyzer: MediaPipeAnalyzer, path: Path) -> dict[str, Any]:
    sight = Sight.of(analyzer.analyze(read_frames(path)))
    truth = load_truths(path, ["mouth_open"])["mouth_open"].tolist()
    lips = mouth_open(ibug_points(sight.meshes)).tolist()
    seen = [k for k, one in enumerate(sight.seen) if one]
    return {
        "found": rounded(sight.seen.mean()),
        "r_jaw_open": correlate(sight.expressions[seen, JAW_OPEN].tolist(), [truth[k] for k in seen]),
        "r_lips": correlate([lips[k] for k in seen], [truth[k] for k in seen]),
        "most_open": rounded(max(truth)),
    }


def on_films(analyzer: MediaPipeAnalyzer, paths: Sequence[Path]) -> dict[str, Any]:
    each = {f"{path.parent.name}/{path.name}": on_film(analyzer, path) for path in paths}
    summary: dict[str, Any] = {"films": len(each)}
    for name in ("r_jaw_open", "r_lips"):
        known = [row[name] for row in each.values() if row[name] is not None]
        if known:
            summary[name] = {"median": rounded(np.median(known)), "mean": rounded(np.mean(known))}
            summary[name] |= {"least": min(known), "at_least_0.9": sum(r >= 0.9 for r in known)}
    return summary | {"each": each}


def draw_sheet(looks: Sequence[Look], path: Path) -> None:
    """Those that were not found, then the largest errors; the truth in green, what was seen in red."""
    worst = sorted(looks, key=lambda one: (one.found, -one.errors.mean()))[: COLUMNS * ROWS]
    sheet = Image.new("RGB", (COLUMNS * TILE, ROWS * TILE))
    for k, one in enumerate(worst):
        place = k % COLUMNS * TILE, k // COLUMNS * TILE
        sheet.paste(_tile(one), place)
    sheet.save(path)


def _tile(one: Look) -> Image.Image:
    picture = Image.open(one.path).convert("RGB")
    scale = TILE / picture.width
    tile = picture.resize((TILE, TILE))
    drawing = ImageDraw.Draw(tile)
    for points, colour in ((one.truth["landmarks"], "lime"), (one.points, "red")):
        for x, y in points[np.isfinite(points).all(1)] * scale:
            drawing.ellipse([x - 1, y - 1, x + 1, y + 1], fill=colour)
    words = (
        f"{one.path.stem[-4:]} {one.errors.mean():.1f} %" if one.found else f"{one.path.stem[-4:]} not found"
    )
    drawing.text((3, 2), words, fill="white", stroke_width=1, stroke_fill="black")
    return tile


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of benchmarks.lifelike_people")
    parser.add_argument("--task", type=Path, required=True, help="MediaPipe's FaceLandmarker bundle")
    parser.add_argument("--sheet", type=Path, help="the .png to draw the worst to")
    options = parser.parse_args()
    analyzer = MediaPipeAnalyzer(options.task)
    paths = [path for path in find_files([options.folder]) if has_truth(path)]
    looks = [look(analyzer, path) for path in paths if not is_film(path)]
    figures = summarise(looks) if looks else {}
    films = [path for path in paths if is_film(path)]
    if films:
        figures["films"] = on_films(analyzer, films)
    if looks and options.sheet:
        draw_sheet(looks, options.sheet)
        print(f"the worst are in {options.sheet}", file=sys.stderr)
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
