"""Trains the tracker of drawn faces, and checks it on people and sentences that nothing is trained on."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from emo_modules.cues.box import Box
from emo_modules.cues.finder import STRIDE, FaceFinder
from emo_modules.models.precision import fast_autocast
from emo_training.perception.pose import estimate_speed
from emo_training.perception.tracker import POSE_UNIT, PoseNet, Tracker

from ..drawing.avatars import face_box
from ..drawing.identity import random_identity
from ..filming.cases import Case, make_case
from ..filming.people import FPS, draw_frame
from ..filming.seeds import CHECK_TRACKER
from .degrade import compress
from .fit import Log, OneCycle, channels_last, create_net, fit
from .tracker_pictures import VIEWS, HeadSamples, Scenes, draw_crops

WEIGHTS = Path(__file__).with_name("tracker.safetensors")
CHECK_SIDE = 256  # px of the videos it is checked on
# Pitch is the hardest to tell from an expression: mouth and brows move up and down.
AXIS_WEIGHTS = torch.tensor([1.0, 2.0, 1.0])
MOVING = 5.0  # degrees per second: above, speeds are compared by their ratio


def train_tracker(
    seed: int = 0, people: int = 3000, views: int = 10, steps: int = 1400, log: Log = print
) -> Tracker:
    """Draws the people and fits both networks; the defaults made the tracker that comes with the package, in
    half an hour of one core."""
    pool = HeadSamples.draw(people, views, seed)
    log(f"tracker: drew {people} people in {views} views")
    return Tracker(fit_finder(pool, seed, steps, log), fit_pose(pool, seed, steps, log))


def fit_finder(pool: HeadSamples, seed: int, steps: int, log: Log = print) -> FaceFinder:
    """Fits the finder to pictures with no, one or two faces, in two rounds of `steps`; the second sharpens
    the boxes."""
    finder = channels_last(create_net(FaceFinder, seed))
    for part, lr in enumerate((3e-3, 2e-3)):
        scenes = Scenes(pool, seed + part)
        fit(finder, partial(finder_loss, finder, scenes), OneCycle(steps, lr), "finder", log)
    return finder


def fit_pose(pool: HeadSamples, seed: int, steps: int, log: Log = print) -> PoseNet:
    """Fits the pose network to crops of several views of each person: first the pose; then, in as many steps,
    above all that the pose stays when the face moves and the head does not."""
    generator = torch.Generator().manual_seed(seed + 1)
    net = channels_last(create_net(PoseNet, seed))
    fit(net, partial(_pose_loss, net, pool, generator), OneCycle(steps, 2e-3), "pose", log)
    fit(net, partial(_change_loss, net, pool, generator), OneCycle(steps, 1e-3), "change", log)
    return net


def _pose_loss(net: PoseNet, pool: HeadSamples, generator: torch.Generator) -> dict[str, Tensor]:
    error = _pose_errors(net, pool, generator)
    return {"pose": error.square().mean(), "change": 4 * _between_views(error).square().mean()}


def _change_loss(net: PoseNet, pool: HeadSamples, generator: torch.Generator) -> dict[str, Tensor]:
    """Absolute errors, since squares would hardly see the small ones of nearly equal poses."""
    error = _pose_errors(net, pool, generator)
    change = F.smooth_l1_loss(_between_views(error), torch.zeros_like(error), reduction="none", beta=0.01)
    return {"pose": error.square().mean(), "change": (change * AXIS_WEIGHTS).mean()}


def _pose_errors(net: PoseNet, pool: HeadSamples, generator: torch.Generator) -> Tensor:
    """(P, V, 3), of the poses of P people in V views each, in the network's units."""
    crops, poses = draw_crops(pool, generator)
    with fast_autocast("cpu"):
        read = net(crops)
    return (read - poses).unflatten(0, (-1, VIEWS)) / POSE_UNIT


def _between_views(errors: Tensor) -> Tensor:
    """Errors in how the views of one person differ: what is left without the person's own mean error."""
    return errors - errors.mean(1, keepdim=True)


def finder_loss(finder: FaceFinder, scenes: Scenes) -> dict[str, Tensor]:
    pictures, boxes = scenes.draw()
    heat, reach, weight = _targets(boxes, pictures.shape[-2] // STRIDE, pictures.shape[-1] // STRIDE)
    with fast_autocast("cpu"):
        found, sides = finder(pictures)
    # Focal loss on a soft peak (CenterNet): cells near a centre count less as background.
    chance = found.sigmoid()
    hit = heat == 1
    score = torch.where(
        hit, (1 - chance) ** 2 * F.logsigmoid(found), (1 - heat) ** 4 * chance**2 * F.logsigmoid(-found)
    )
    wrong = (sides.log() - reach.log()).abs().mean(1)
    return {
        "found": -score.sum() / max(int(hit.sum()), 1),
        "sides": 10 * (wrong * weight).sum() / weight.sum().clamp(min=1),
    }


def _targets(boxes: list[np.ndarray], rows: int, columns: int) -> tuple[Tensor, Tensor, Tensor]:
    """Soft peaks (N, rows, columns), distances to the box's sides (N, 4, rows, columns), and how much they
    count (N, rows, columns): near the centre only."""
    y, x = ((np.mgrid[0:rows, 0:columns] + 0.5) * STRIDE).astype(np.float32)
    heat = np.zeros((len(boxes), rows, columns), np.float32)
    reach = np.ones((len(boxes), 4, rows, columns), np.float32)
    for k, faces in enumerate(boxes):
        for x0, y0, x1, y1 in faces:
            away = ((x - (x0 + x1) / 2) ** 2 + (y - (y0 + y1) / 2) ** 2) / (0.12 * (x1 - x0 + STRIDE)) ** 2
            peak = np.exp(-away / 2)
            peak[np.unravel_index(peak.argmax(), peak.shape)] = 1
            closest = peak > heat[k]
            heat[k] = np.maximum(heat[k], peak)
            sides = np.stack([x - x0, y - y0, x1 - x, y1 - y]).clip(1)
            reach[k] = np.where(closest, sides, reach[k])
    weight = np.where(heat > 0.3, heat, np.float32(0))
    return torch.from_numpy(heat), torch.from_numpy(reach), torch.from_numpy(weight)


def check_tracker(tracker: Tracker, people: int = 24) -> dict[str, float]:
    """Tracks so many unseen people acting a sentence, 256 px, after H.264. Needs flite and espeak-ng.

    found: share of frames with exactly one face; iou: its mean overlap with the true box. Of the mean
    head speeds in degrees per second: speed_error, the mean relative error where the truth is above 5, its
    largest as speed_worst; slow_error, the mean absolute error of the others; follows, the mean correlation
    of the speed curves of the former.
    """
    rows = np.array([_check(tracker, make_case(CHECK_TRACKER + k, 3.0)) for k in range(people)])
    found, overlap, truth, measured, follows = rows.T
    wrong, moving = np.abs(measured - truth), truth > MOVING
    return {
        "found": float(found.mean()),
        "iou": float(np.nanmean(overlap)),
        "speed_error": float((wrong / truth)[moving].mean()),
        "speed_worst": float((wrong / truth)[moving].max()),
        "slow_error": float(wrong[~moving].mean()),
        "follows": float(follows[moving].mean()),
    }


def _check(tracker: Tracker, case: Case) -> tuple[float, float, float, float, float]:
    """Share of frames with one face, box overlap, true and measured mean speed, and how the curves agree."""
    frames = (draw_frame(case.seed, case.performance, k, CHECK_SIDE) for k in range(case.frames))
    track = tracker.analyze(compress(frames, crf=18))
    person, truth = random_identity(case.seed), case.performance.speed
    boxes = [face_box(person, case.performance.pose(k), CHECK_SIDE) for k in range(case.frames)]
    overlaps = [Box(*a.tolist()).iou(Box(*b)) for a, b in zip(track.boxes, boxes, strict=True)]
    speed = estimate_speed(track.rotations, FPS)
    known = np.isfinite(speed)
    agreement = np.corrcoef(truth[known], speed[known])[0, 1]
    one = float((track.counts == 1).mean())
    return one, float(np.mean(overlaps)), float(truth.mean()), float(np.nanmean(speed)), float(agreement)
