"""Chooses how sure the face finder must be, on people, scenes and people without a face that it never saw.

    python -m benchmarks.face_thresholds --pool pool

The rule, for faces, for tiny ones and for those of pictures that lie: the lowest score, in hundredths, that
false faces reach in at most one of 1,000 looks at pictures without any. A search looks up to five times (at
the picture, beyond its edges, and at its three turns), so that is one false face in 200 pictures. A third of
the pictures are the pool's held-out scenes, a third its held-out people without a face, a third new heaps of
things; each in its own size, turn and light. No photograph is among them. Beside every score stands the
share of faces on held-out people's pictures that it lets be found. Prints JSON.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks.seeing.scores import rounded
from emo_modules.cues.box import iou
from emo_modules.cues.detect import TURNS, WEIGHTS
from emo_modules.cues.pyramid import FoundFace, PyramidFinder, tiny_height
from emo_people.networks.backdrops import draw_backdrop, draw_object
from emo_people.networks.crowds import Crowds
from emo_people.networks.degrade import degrade, relight
from emo_people.networks.faces import FEW, NOISE, batch_of, held_out
from emo_people.networks.pool import Pool, read_backgrounds, read_faceless
from emo_people.networks.textures import draw_texture

LEAST = 0.2  # score of what is looked at
SIDES = (128, 480)  # px of the pictures without a face
TILES = 2  # heaps of things along each side of a picture
CROWD = 5  # canvases along each side of a large picture of people
SAME = 0.5  # overlap (IoU)
FALSE = 1000  # looks of which one may find a false face
TRIED = range(30, 96, 5)  # hundredths

Scores = dict[str, list[float]]


def faceless(folder: Path, count: int, rng: np.random.Generator) -> Iterator[Tensor]:
    """Pictures (H, W, 3) in 0..1."""
    scenes, (people, numbers) = read_backgrounds(folder), read_faceless(folder)
    scenes, people = scenes[held_out(np.arange(len(scenes)))], people[held_out(numbers)][..., :3]
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    for k in range(count):
        pixels = _heaps(rng) if k % 3 == 2 else _any((scenes, people)[k % 3], rng)
        side = 16 * int(rng.integers(SIDES[0] // 16, SIDES[1] // 16 + 1))
        turned = Image.fromarray(pixels).rotate(float(rng.normal(0, 15)), Image.Resampling.BILINEAR)
        planes = torch.from_numpy(np.array(turned.resize((side, side)))).permute(2, 0, 1)[None] / 255
        yield degrade(relight(planes, generator), generator, NOISE)[0].permute(1, 2, 0)


def _any(pictures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    chosen: np.ndarray = pictures[rng.integers(len(pictures))]
    return chosen


def _heaps(rng: np.random.Generator) -> np.ndarray:
    draw = (draw_texture, draw_texture, draw_backdrop)
    rows = [[draw[rng.integers(3)](rng) for _ in range(TILES)] for _ in range(TILES)]
    picture = Image.fromarray(np.concatenate([np.concatenate(row, 1) for row in rows]))
    for _ in range(int(rng.integers(0, 6))):
        thing = Image.fromarray(draw_object(rng)).resize((int(rng.integers(20, 200)),) * 2)
        x, y = (rng.uniform(-0.1, 0.9, 2) * picture.width).astype(int).tolist()
        picture.paste(thing, (x, y), thing)
    return np.array(picture)


def false_scores(finder: PyramidFinder, pictures: Iterator[Tensor]) -> Scores:
    """Of what is taken for "faces", "tiny" ones, and for "lying" ones once a picture is turned."""
    scores: Scores = {"faces": [], "tiny": [], "lying": []}
    for picture in pictures:
        tiny = tiny_height(*picture.shape[:2])
        for face in finder.find(picture, LEAST, LEAST):
            scores["tiny" if face.box.height < tiny else "faces"].append(face.score)
        turned = [finder.find(picture.rot90(turn), LEAST, LEAST) for turn in TURNS]
        scores["lying"] += [max(face.score for face in faces) for faces in turned if faces]
    return scores


def true_scores(finder: PyramidFinder, crowds: Crowds, crowd_count: int) -> Scores:
    """Scores of the faces that must be found, 0 where one is not: large ones and tiny ones."""
    scores: Scores = {"faces": [], "tiny": []}
    generator = torch.Generator().manual_seed(0)
    for _ in range(crowd_count):
        pictures, labels = batch_of([crowds.draw() for _ in range(CROWD**2)], generator)
        side = pictures.shape[-1]
        rows = [torch.cat(list(pictures[k : k + CROWD]), -1) for k in range(0, CROWD**2, CROWD)]
        crowd = torch.cat(rows, -2)
        places = [np.tile([k % CROWD * side, k // CROWD * side], 2) for k in range(CROWD**2)]
        boxes = np.concatenate([part.boxes + place for part, place in zip(labels, places, strict=True)])
        wanted = np.concatenate([part.wanted for part in labels])
        _note(scores, finder.find(crowd.permute(1, 2, 0), LEAST, LEAST), boxes[wanted], CROWD * side)
        for picture, part in zip(pictures, labels, strict=True):
            _note(scores, finder.find(picture.permute(1, 2, 0), LEAST, LEAST), part.boxes[part.wanted], side)
    return scores


def _note(scores: Scores, found: list[FoundFace], boxes: np.ndarray, side: int) -> None:
    tiny = tiny_height(side, side)
    seen = np.array([[face.box.x0, face.box.y0, face.box.x1, face.box.y1] for face in found]).reshape(-1, 4)
    for box in boxes:
        same = iou(seen, box) >= SAME
        best = max((face.score for face, is_it in zip(found, same, strict=True) if is_it), default=0.0)
        scores["tiny" if box[3] - box[1] < tiny else "faces"].append(best)


def threshold(scores: list[float], looks: int) -> float:
    """The lowest score, in hundredths, that at most one in 1,000 looks reaches."""
    allowed = looks // FALSE
    above = sorted(scores, reverse=True)[allowed : allowed + 1]
    return int(100 * max([LEAST, *above]) + 1) / 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pool", type=Path, required=True)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--pictures", type=int, default=1000, help="without a face (default 1000)")
    parser.add_argument("--crowds", type=int, default=20, help="of 25 pictures of people (default 20)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    finder = PyramidFinder.load(options.weights).fused()
    false = false_scores(finder, faceless(options.pool, options.pictures, np.random.default_rng(0)))
    scenes, (people, numbers) = read_backgrounds(options.pool), read_faceless(options.pool)
    unseen = scenes[held_out(np.arange(len(scenes)))], people[held_out(numbers)]
    true = true_scores(finder, Crowds(Pool.read(options.pool).split()[1], *unseen, 1, FEW), options.crowds)
    looks = {"lying": len(TURNS) * options.pictures}
    figures: dict[str, object] = {
        name: {
            "threshold": threshold(scores, looks.get(name, options.pictures)),
            "false_in_1000_pictures": {
                k / 100: rounded(_reach(scores, k) * 1000 / options.pictures) for k in TRIED
            },
            "found": {k / 100: rounded(_reach(true[name], k) / len(true[name])) for k in TRIED}
            if name in true
            else None,
        }
        for name, scores in false.items()
    }
    print(json.dumps(figures, indent=1))


def _reach(scores: list[float], hundredths: int) -> int:
    return sum(100 * score >= hundredths for score in scores)


if __name__ == "__main__":
    main()
