"""Trains the face reader (emo_modules/cues/face_reader.safetensors) on rendered people, and checks it on
people that it has not seen."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from emo_modules.cues.face_reader import (
    EYE_IN_EYES,
    IN_EYES,
    LIDS,
    LIPS,
    MOUTH_IN_EYES,
    POSE_UNIT,
    FaceReader,
)
from emo_modules.cues.ibug import OUTER_EYE_CORNERS
from emo_modules.cues.point_net import Looked, PointNet, cell_places
from emo_modules.cues.squares import around_boxes
from emo_modules.models.precision import fast_autocast

from .face_views import FaceViews, View
from .fit import Log, WallClock, channels_last, create_net, fit, with_norms_held, write_weights
from .pool import Pool

BATCH = 32
RATE, WARMUP, DECAY = 4e-3, 100, 0.02
HELD, HELD_RATE = 0.15, 6e-4  # share of the time that is trained with the norms as they will be used
CHECKED = 300  # pictures, at most
SHARES = {"face": 0.5, "mouth": 0.3, "eye": 0.2}  # of the time
SMALL = 0.02  # of that distance: errors below it still count fully
CHECKS = ("mouth_open", "mouth_width", "left_eye_open", "right_eye_open", "yaw", "pitch", "roll")

Loss = Callable[[FaceReader, FaceViews, torch.Generator], dict[str, Tensor]]

POSE_WEIGHT, BOX_WEIGHT, OPEN_WEIGHT, MAP_WEIGHT = 0.5, 0.3, 3.0, 0.2
# Jaw, brows, nose, eyes, outer and inner lips, irises.
WEIGHTS = torch.tensor([0.6] * 17 + [0.8] * 10 + [1.0] * 9 + [1.5] * 12 + [1.2] * 12 + [1.5] * 8 + [1.0] * 2)


def train_face_reader(
    folder: Path, out: Path, minutes: float, seed: int = 0, start: Path | None = None, log: Log = print
) -> FaceReader:
    """Fits the three networks one after the other, in so many minutes altogether, to the rendered people in
    `folder`, from `start`'s weights if given, and writes them to `out`, now and then and at the end, in half
    precision."""
    pool, unseen = Pool.read(folder).split()
    log(f"face reader: {len(pool)} pictures to train on, {len(unseen)} to check with")
    views, generator = FaceViews.of(pool), torch.Generator().manual_seed(seed)
    reader = channels_last(FaceReader.load(start) if start else create_net(FaceReader, seed))

    def write() -> str:
        write_weights(reader, out, torch.half)
        return ""

    losses: dict[str, Loss] = {"face": _face_loss, "mouth": _mouth_loss, "eye": _eye_loss}
    for name, loss in losses.items():
        net, look = getattr(reader, name), partial(loss, reader, views, generator)
        share = minutes * SHARES[name]
        fit(net, look, WallClock((1 - HELD) * share, RATE, WARMUP, DECAY), name, log, write)
        # Else a net leans on what its batch says of each picture, and reads a single one worse.
        held = with_norms_held(net, look)
        fit(net, held, WallClock(HELD * share, HELD_RATE, WARMUP, DECAY), f"{name}, held", log, write)
    write()
    log(f"face reader: {check_face_reader(reader.eval(), unseen.only(np.arange(len(unseen))[:CHECKED]))}")
    return reader


def _face_loss(reader: FaceReader, views: FaceViews, generator: torch.Generator) -> dict[str, Tensor]:
    view = views.draw_faces(BATCH, generator)
    seen = _looked(reader.face, view)
    pose, box = reader.pose_and_box(seen.numbers)
    true_pose, true_box = view.numbers.split((3, 4), 1)
    turn = (pose - true_pose) / POSE_UNIT
    return {
        "points": (_distance(IN_EYES * (seen.points - view.places)) * WEIGHTS).mean(),
        "maps": _map_loss(seen.maps, view.places),
        "pose": POSE_WEIGHT * F.smooth_l1_loss(turn, torch.zeros_like(turn), beta=0.1),
        "box": BOX_WEIGHT * (box - true_box).abs().mean(),
    }


def _mouth_loss(reader: FaceReader, views: FaceViews, generator: torch.Generator) -> dict[str, Tensor]:
    view = views.draw_mouths(BATCH, generator)
    seen = _looked(reader.mouth, view)
    return _close_loss(seen, reader.mouth_numbers(seen), view, LIPS, MOUTH_IN_EYES)


def _eye_loss(reader: FaceReader, views: FaceViews, generator: torch.Generator) -> dict[str, Tensor]:
    view = views.draw_eyes(BATCH, generator)
    seen = _looked(reader.eye, view)
    return _close_loss(seen, reader.eye_numbers(seen), view, LIDS, EYE_IN_EYES)


def _looked(net: PointNet, view: View) -> Looked:
    with fast_autocast("cpu"):
        return net(view.pictures.contiguous(memory_format=torch.channels_last))


def _close_loss(
    seen: Looked, numbers: Tensor, view: View, pairs: tuple[tuple[int, int], ...], unit: float
) -> dict[str, Tensor]:
    """Of points, of how far those of the pairs are apart, and of the numbers; `unit` is half a side in
    distances of the eyes' outer corners."""
    error = unit * (seen.points - view.places)
    upper, lower = (list(side) for side in zip(*pairs, strict=True))
    return {
        "points": _distance(error).mean(),
        "maps": _map_loss(seen.maps, view.places),
        "gap": _distance(error[:, upper] - error[:, lower]).mean(),
        "numbers": OPEN_WEIGHT * _wing(numbers - view.numbers).mean(),
    }


def _map_loss(maps: Tensor, places: Tensor) -> Tensor:
    """Cross entropy with a peak of one cell's width at each place: means of maps alone start slowly, since
    every cell pulls a little at each."""
    rows, columns = (cell_places(count) for count in maps.shape[2:])
    x, y = ((places[..., k, None] - cells) / (rows[1] - rows[0]) for k, cells in ((0, columns), (1, rows)))
    across, down = (-away.square() / 2 for away in (x, y))
    # a peak is the product of one along each side, and so are its chances
    chances = down.softmax(-1)[..., :, None] * across.softmax(-1)[..., None, :]
    found = maps.flatten(2).log_softmax(-1)
    return -MAP_WEIGHT * (chances.flatten(2) * found).sum(-1).mean()


def _distance(error: Tensor) -> Tensor:
    """(N, K) of errors (N, K, 2)."""
    return _wing((error.square().sum(-1) + 1e-8).sqrt())


def _wing(error: Tensor) -> Tensor:
    """The error's size, and its logarithm, which sees small ones (arXiv 1711.06753)."""
    size = error.abs()
    return size + SMALL * torch.log1p(size / SMALL)


def check_face_reader(reader: FaceReader, pool: Pool, seed: int = 0) -> dict[str, float]:
    """How well the faces of a pool are read that are known by boxes which err by 5 % of their size.

    landmarks: mean error over the inter-ocular distance of faces turned by at most 30 degrees. The others:
    mean error, in degrees or inter-ocular distances, and "_r" the correlation with the truth.
    """
    rng = np.random.default_rng(seed)
    rows = [_check(reader, pool, k, rng) for k in range(len(pool))]
    off, read, true = (np.array(column) for column in zip(*rows, strict=True))
    frontal = np.abs(pool.pose[:, 0]) <= 30
    figures = {"landmarks": float(off[frontal].mean())}
    for name, one, other in zip(CHECKS, read.T, true.T, strict=True):
        figures[name] = float(np.abs(one - other).mean())
        figures[f"{name}_r"] = float(np.corrcoef(one, other)[0, 1])
    return {name: round(value, 4) for name, value in figures.items()}


def _check(
    reader: FaceReader, pool: Pool, k: int, rng: np.random.Generator
) -> tuple[float, list[float], list[float]]:
    """How far picture k's landmarks are off, and what of `CHECKS` was read and is true."""
    height = pool.box[k, 3] - pool.box[k, 1]
    box = pool.box[k] + 0.05 * height * rng.standard_normal(4)
    reading = reader.read(
        torch.from_numpy(pool.picture[k]), around_boxes(torch.from_numpy(box[None]).float())
    )
    off = np.linalg.norm(reading.landmarks.numpy() - pool.landmarks[k], axis=1).mean()
    one, other = pool.landmarks[k, OUTER_EYE_CORNERS, :]
    read = [
        reading.mouth_open,
        reading.mouth_width,
        *reading.eye_open,
        reading.yaw,
        reading.pitch,
        reading.roll,
    ]
    true = [pool.mouth_open[k], pool.mouth_width[k], *pool.eye_open[k], *pool.pose[k]]
    return float(off / np.linalg.norm(one - other)), read, true
