"""Trains the network that finds people's faces (emo_modules/cues/faces.safetensors) on rendered people."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from emo_modules.cues.box import iou
from emo_modules.cues.pyramid import GREY, TYPICAL_SIDE, PyramidFinder, read_maps
from emo_modules.cues.pyramid import STRIDE as CELL
from emo_modules.models.precision import fast_autocast

from .crowds import CANVAS, Crowds, Labels
from .degrade import degrade, relight
from .fit import Log, WallClock, channels_last, create_net, fit, write_weights
from .pool import HELD_OUT as EVERY
from .pool import Pool, read_backgrounds, read_faceless

PICTURES = 32  # in a step
FRESH, AGAIN = 8, 8  # pictures without a face in it besides: new ones, and some of those that misled most
MISLEADING = 600  # pictures that are remembered for that
RATE, WARMUP, DECAY = 3e-3, 100, 0.01
NOISE = 0.04  # of white
WANTED = (17.0, 66.0)  # px: longer side of the faces that are to be found
POSSIBLE = (13.0, 100.0)  # of those that may be found
SPREAD = 0.12  # of a face's sides: standard deviation of its peak
NEAR = 0.3  # height of a peak from which on cells measure the face
ROWS = CANVAS // CELL
LIKELY = 0.5  # score of what counts as found there
CHECKS = 6  # batches that are only looked at
MANY, FEW = 1000, 100  # backdrops, textures and objects that are drawn to train on and to check with

Canvas = tuple[np.ndarray, Labels]


@dataclass(frozen=True)
class Targets:
    """heat (N, h, w), soft peaks; counted (N, h, w), 0 where a face may be found or not; reach (N, 4, h, w)
    and points (N, 10, h, w) of the closest face in px; weight (N, h, w) of those, near its centre only."""

    heat: Tensor
    counted: Tensor
    reach: Tensor
    points: Tensor
    weight: Tensor


def train_faces(
    folder: Path, out: Path, minutes: float, seed: int = 0, start: Path | None = None, log: Log = print
) -> PyramidFinder:
    """Fits the network to a pool of rendered people, from `start`'s weights if given, and writes it to `out`,
    now and then and at the end, in half precision."""
    finder = channels_last(PyramidFinder.load(start) if start else create_net(PyramidFinder, seed))
    generator = torch.Generator().manual_seed(seed)
    crowds, unseen_crowds = read_crowds(folder, seed, log)
    misleading = Misleading(crowds, np.random.default_rng(seed))
    unseen = [
        batch_of([unseen_crowds.draw() for _ in range(PICTURES)], torch.Generator().manual_seed(seed))
        for _ in range(CHECKS)
    ]

    def step() -> dict[str, Tensor]:
        drawn = [crowds.draw() for _ in range(PICTURES)] + misleading.draw()
        pictures, labels = batch_of(drawn, generator)
        with fast_autocast("cpu"):
            maps = finder(pictures)
        misleading.judge(maps[0][PICTURES:].detach().amax((1, 2)).tolist())
        return faces_loss(maps, labels)

    def look() -> str:
        write_weights(finder, out, torch.half)
        return measure(finder, unseen)

    pace = WallClock(minutes, RATE, WARMUP, DECAY)
    fit(finder, step, pace, "faces", log, look)
    write_weights(finder, out, torch.half)
    return finder


def read_crowds(folder: Path, seed: int, log: Log) -> tuple[Crowds, Crowds]:
    """What a pool has to train on, and what it has to check with."""
    people, scenes, (faceless, numbers) = Pool.read(folder), read_backgrounds(folder), read_faceless(folder)
    pool, check = people.split()
    other_scenes, other_people = held_out(np.arange(len(scenes))), held_out(numbers)
    log(
        f"faces: {len(pool)} pictures to train on, {len(check)} to check with; "
        f"{len(scenes)} scenes and {len(faceless)} people without a face"
    )
    unseen = Crowds(check, scenes[other_scenes], faceless[other_people], seed + 1, FEW)
    return Crowds(pool, scenes[~other_scenes], faceless[~other_people], seed, MANY), unseen


def held_out(numbers: np.ndarray) -> np.ndarray:
    """Which scenes and people without a face are not trained on."""
    kept: np.ndarray = numbers % EVERY == EVERY - 1
    return kept


class Misleading:
    """Pictures without a face: always new ones, and again those that looked most like one."""

    def __init__(self, crowds: Crowds, rng: np.random.Generator) -> None:
        self._crowds, self._rng = crowds, rng
        self._kept: list[tuple[float, Canvas]] = []
        self._shown: list[Canvas] = []

    def draw(self) -> list[Canvas]:
        count = min(AGAIN, len(self._kept))
        again = set(self._rng.choice(len(self._kept), count, replace=False).tolist()) if count else set()
        fresh = [self._crowds.draw_faceless() for _ in range(FRESH + AGAIN - count)]
        self._shown = fresh + [self._kept[k][1] for k in again]
        self._kept = [each for k, each in enumerate(self._kept) if k not in again]
        return self._shown

    def judge(self, scores: list[float]) -> None:
        """How much like a face the pictures looked that were drawn last."""
        self._kept += zip(scores, self._shown, strict=True)
        self._kept = sorted(self._kept, key=lambda each: -each[0])[:MISLEADING]


def batch_of(drawn: list[Canvas], generator: torch.Generator) -> tuple[Tensor, list[Labels]]:
    """Pictures (N, 3, 96, 96) in 0..1 as cameras leave them, and the faces on them."""
    pixels = np.stack([pixels for pixels, _ in drawn]).transpose(0, 3, 1, 2)
    pictures = torch.from_numpy(np.ascontiguousarray(pixels)).float() / 255
    pictures = degrade(relight(pictures, generator), generator, NOISE)
    outside = torch.from_numpy(np.stack([labels.outside for _, labels in drawn]))[:, None]
    pictures = torch.where(outside, GREY, pictures)
    return pictures.contiguous(memory_format=torch.channels_last), [labels for _, labels in drawn]


def faces_loss(maps: tuple[Tensor, Tensor, Tensor], labels: list[Labels]) -> dict[str, Tensor]:
    """Focal loss of the peaks; near them, the overlap of the boxes and the distance of the points."""
    true = make_targets(labels)
    found, reach, points = maps
    chance, hit = found.sigmoid(), true.heat == 1
    score = torch.where(
        hit,
        (1 - chance) ** 2 * F.logsigmoid(found),
        (1 - true.heat) ** 4 * chance**2 * F.logsigmoid(-found),
    )
    side = (true.reach[:, :2] + true.reach[:, 2:]).mean(1, keepdim=True)
    astray = F.smooth_l1_loss(points / side, true.points / side, reduction="none", beta=0.03).mean(1)
    count = true.weight.sum().clamp(min=1)
    return {
        "found": -(score * true.counted).sum() / max(int(hit.sum()), 1),
        "box": 2 * (_apart(reach, true.reach) * true.weight).sum() / count,
        "points": 10 * (astray * true.weight).sum() / count,
    }


def _apart(reach: Tensor, true: Tensor) -> Tensor:
    """1 - overlap (N, h, w) of boxes that start from the same cell, and how far their sides are off."""
    shared = torch.minimum(reach, true)
    areas = [(r[:, 0] + r[:, 2]) * (r[:, 1] + r[:, 3]) for r in (shared, reach, true)]
    side = (true[:, :2] + true[:, 2:]).mean(1, keepdim=True)
    off = ((reach - true).abs() / side).mean(1)
    return 1 - areas[0] / (areas[1] + areas[2] - areas[0]) + off


def make_targets(labels: list[Labels]) -> Targets:
    """What the network should say of pictures with these faces."""
    y, x = ((np.mgrid[0:ROWS, 0:ROWS] + 0.5) * CELL).astype(np.float32)
    here = np.stack([x, y])
    heat, counted = (np.full((len(labels), ROWS, ROWS), fill, np.float32) for fill in (0, 1))
    reach = np.full((len(labels), 4, ROWS, ROWS), TYPICAL_SIDE / 2, np.float32)
    points = np.zeros((len(labels), 10, ROWS, ROWS), np.float32)
    for k, faces in enumerate(labels):
        for box, five, wanted in zip(faces.boxes, faces.points, faces.wanted, strict=True):
            size = (box[2:] - box[:2])[:, None, None]
            away = (here - ((box[:2] + box[2:]) / 2)[:, None, None]) / (SPREAD * (size + CELL))
            peak = np.exp(-np.square(away).sum(0) / 2)
            if size.max() < POSSIBLE[0] or size.max() > POSSIBLE[1]:
                continue
            if not wanted or size.max() < WANTED[0] or size.max() > WANTED[1]:
                counted[k] = np.minimum(counted[k], peak < NEAR)
                continue
            peak[np.unravel_index(peak.argmax(), peak.shape)] = 1
            closest = peak > heat[k]
            sides = np.stack([x - box[0], y - box[1], box[2] - x, box[3] - y]).clip(1)
            reach[k] = np.where(closest, sides, reach[k])
            points[k] = np.where(closest, (five[..., None, None] - here).reshape(10, ROWS, ROWS), points[k])
            heat[k] = np.maximum(heat[k], peak)
    counted = np.maximum(counted, heat == 1)
    weight = np.where(heat > NEAR, heat, np.float32(0))
    return Targets(*(torch.from_numpy(part) for part in (heat, counted, reach, points, weight)))


@torch.no_grad()
def measure(finder: PyramidFinder, batches: list[tuple[Tensor, list[Labels]]]) -> str:
    """Shares of the wanted faces that are found and of the finds that are none; overlap, and error of the
    points over the face's mean side, where found."""
    training = finder.training
    finder.eval()
    wanted, false, finds, overlaps, errors = 0, 0, 0, list[float](), list[float]()
    for pictures, labels in batches:
        for faces, *maps in zip(labels, *finder(pictures), strict=True):
            heat, reach, points = maps
            rows = read_maps(heat.sigmoid(), reach, points, LIKELY)
            sides = (faces.boxes[:, 2:] - faces.boxes[:, :2]).max(1, initial=0)
            clear = faces.wanted & (sides > WANTED[0]) & (sides < WANTED[1])
            wanted, finds = wanted + int(clear.sum()), finds + len(rows)
            overlap = iou(rows[:, None, 1:5], faces.boxes[None])
            false += int((overlap.max(1, initial=0) < 0.3).sum())
            for k in np.flatnonzero(clear & (overlap.max(0, initial=0) >= 0.5)):
                best = rows[overlap[:, k].argmax()]
                overlaps.append(float(overlap[:, k].max()))
                error = np.linalg.norm(best[5:].reshape(5, 2) - faces.points[k], axis=1).mean()
                errors.append(float(error / sides[k]))
    finder.train(training)
    share, wrong = len(overlaps) / max(wanted, 1), false / max(finds, 1)
    mean = [float(np.mean(part or [np.nan])) for part in (overlaps, errors)]
    return f"unseen: found {share:.3f} false {wrong:.3f} iou {mean[0]:.3f} points {mean[1]:.3f}"
