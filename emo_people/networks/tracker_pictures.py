"""Pictures that the tracker of drawn faces learns from: people of its own, whole scenes, crops of faces."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Self

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageOps
from torch import Tensor

from emo_modules.cues.finder import FINDER_SIDE
from emo_training.perception.tracker import cut_faces

from ..drawing.avatars import face_box, render
from ..drawing.face import Pose
from ..drawing.identity import Identity, random_identity
from ..drawing.performance import PITCH_LIMIT, ROLL_LIMIT, YAW_LIMIT
from ..filming.people import random_expression
from ..filming.seeds import TRACKER
from .degrade import degrade

SIDE = 192  # px of the drawn pictures
LIMITS = np.array([YAW_LIMIT, PITCH_LIMIT, ROLL_LIMIT])
SPREADS = (0.06, 0.2, 0.6, 1.1)  # of the limits: how far the views of one person lie apart
FACE_SIDES = (24, 260)  # px: side of a drawn picture in the finder's, whose face is 0.6 of it
BESIDE_FACE = 0.15  # of a drawn picture's side: hardly a face is closer to its edge
BACKDROPS = 300
PICTURES = 24  # that the finder sees in a step
PEOPLE, VIEWS = 16, 4  # that the pose network sees in a step
# Of white. The pose network lives on fine detail, and footage is hardly noisier.
FINDER_NOISE, POSE_NOISE = 0.08, 0.03


@dataclass(frozen=True)
class HeadSamples:
    """Pictures (I, V, 192, 192, 3) uint8 of I people in V views, poses (I, V, 3) yaw, pitch, roll in
    degrees, boxes (I, V, 4) in px."""

    pictures: Tensor
    poses: Tensor
    boxes: Tensor

    @classmethod
    def draw(cls, people: int, views: int, seed: int, workers: int = 2) -> Self:
        with ProcessPoolExecutor(workers) as processes:
            drawn = processes.map(partial(_views, views=views, seed=seed), range(people), chunksize=8)
            pictures, poses, boxes = zip(*drawn, strict=True)
        tensors = (torch.from_numpy(np.stack(part)) for part in (pictures, poses, boxes))
        return cls(*tensors)


def _views(person: int, views: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One person in poses around a random one; what the face does tells nothing of the pose."""
    rng = np.random.default_rng([seed, person])
    identity = random_identity(TRACKER + person)
    centre = rng.uniform(-1, 1, 3)
    drawn = []
    for _ in range(views):
        turn = 1.15 * np.clip(centre + float(rng.choice(SPREADS)) * rng.uniform(-1, 1, 3), -1, 1)
        yaw, pitch, roll = LIMITS * turn
        pose = Pose(yaw, pitch, roll, rng.uniform(-0.025, 0.025), rng.uniform(-0.02, 0.02))
        drawn.append(_view(identity, pose, rng))
    pictures, poses, boxes = (np.stack(part) for part in zip(*drawn, strict=True))
    return pictures, poses.astype(np.float32), boxes.astype(np.float32)


def _view(
    identity: Identity, pose: Pose, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    box = np.array(face_box(identity, pose, SIDE))
    angles = np.array([pose.yaw, pose.pitch, pose.roll])
    return render(identity, random_expression(rng), pose, SIDE), angles, box


class Scenes:
    """Whole pictures (N, 3, 192, 192) with no, one or two faces, and each one's boxes (K, 4), endlessly."""

    def __init__(self, pool: HeadSamples, seed: int, textures: Sequence[np.ndarray] = ()) -> None:
        """Half of the backdrops are parts of the textures (H, W, 3) uint8, if there are any."""
        self._pool = pool
        self._rng = np.random.default_rng([seed, 1])
        self._generator = torch.Generator().manual_seed(seed)
        rng = self._rng

        def backdrop() -> np.ndarray:
            if textures and rng.random() < 0.5:
                return _part_of(textures[int(rng.integers(len(textures)))], rng)
            return _draw_backdrop(rng)

        self._backdrops = np.stack([backdrop() for _ in range(BACKDROPS)])

    def draw(self) -> tuple[Tensor, list[np.ndarray]]:
        scenes = [_scene(self._pool, self._backdrops, self._rng) for _ in range(PICTURES)]
        pictures = torch.from_numpy(np.stack([picture for picture, _ in scenes])).permute(0, 3, 1, 2) / 255
        pictures = degrade(pictures, self._generator, FINDER_NOISE)
        return pictures.contiguous(memory_format=torch.channels_last), [boxes for _, boxes in scenes]


def draw_crops(pool: HeadSamples, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Crops (P * V, 3, 128, 128) as the tracker cuts them, and their poses (P * V, 3); half of the people
    mirrored. The box errs a lot for a person and a little for each view."""
    people = torch.randint(len(pool.poses), (PEOPLE, 1), generator=generator)
    views = torch.rand(PEOPLE, pool.poses.shape[1], generator=generator).argsort(1)[:, :VIEWS]
    pictures, poses, boxes = (part[people, views] for part in (pool.pictures, pool.poses, pool.boxes))
    # Boxes smoothed over time follow the person's mean, not each view's own box.
    near = torch.lerp(boxes, boxes.mean(1, keepdim=True), torch.rand(PEOPLE, 1, 1, generator=generator))
    pictures = pictures.flatten(0, 1).permute(0, 3, 1, 2)
    crops = cut_faces(pictures, _jitter(near, generator).flatten(0, 1))
    mirrored = (torch.rand(PEOPLE, 1, generator=generator) < 0.5).expand(-1, VIEWS).flatten()
    crops = torch.where(mirrored[:, None, None, None], crops.flip(-1), crops)
    poses = poses.flatten(0, 1)
    poses = torch.where(mirrored[:, None], poses * torch.tensor([-1.0, 1.0, -1.0]), poses)
    return degrade(crops, generator, POSE_NOISE).contiguous(memory_format=torch.channels_last), poses


def _jitter(boxes: Tensor, generator: torch.Generator) -> Tensor:
    """Boxes (P, V, 4) moved by up to 6 % of their size and scaled by up to 8 %."""
    centre, size = (boxes[..., 2:] + boxes[..., :2]) / 2, boxes[..., 2:] - boxes[..., :2]

    def uniform(each_person: float, each_view: float) -> Tensor:
        person = torch.rand(len(boxes), 1, 2, generator=generator) - 0.5
        view = torch.rand(*boxes.shape[:2], 2, generator=generator) - 0.5
        return 2 * (each_person * person + each_view * view)

    centre = centre + size * uniform(0.05, 0.015)
    half = size / 2 * (1 + uniform(0.07, 0.01)[..., :1])
    return torch.cat([centre - half, centre + half], -1)


def _scene(
    pool: HeadSamples, backdrops: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A picture (192, 192, 3) uint8 and its faces' boxes (K, 4): drawn people of any size on a backdrop."""
    canvas = backdrops[rng.integers(len(backdrops))].copy()
    faces = rng.choice([0, 1, 2], p=[0.2, 0.5, 0.3])
    if faces < 2:
        spans = [(0, FINDER_SIDE)][:faces]
        spill = BESIDE_FACE
    else:
        middle = int(rng.integers(60, FINDER_SIDE - 60))
        spans = [(0, middle), (middle, FINDER_SIDE)]
        spill = 0.0  # neither may cover the other
    boxes = [_paste_person(canvas, pool, span, spill, rng) for span in spans]
    return canvas, np.array(boxes, np.float32).reshape(-1, 4)


def _paste_person(
    canvas: np.ndarray, pool: HeadSamples, span: tuple[int, int], spill: float, rng: np.random.Generator
) -> np.ndarray:
    """Draws a random person somewhere in columns `span` of the canvas and returns the face's box (4,).

    The square may reach out by `spill` of its side, and by what is beside the face at the top and bottom.
    """
    person, view = rng.integers(pool.pictures.shape[0]), rng.integers(pool.pictures.shape[1])
    most = min(FACE_SIDES[1], (span[1] - span[0]) / (1 - 2 * spill))
    side = round(np.exp(rng.uniform(np.log(FACE_SIDES[0]), np.log(most))))
    square = Image.fromarray(pool.pictures[person, view].numpy()).resize(
        (side, side), Image.Resampling.BILINEAR
    )
    box = pool.boxes[person, view].numpy() * (side / SIDE)
    if rng.random() < 0.5:
        square, box = ImageOps.mirror(square), np.array([side - box[2], box[1], side - box[0], box[3]])
    (x0, x1), (y0, y1) = (
        (a - s * side, b - (1 - s) * side) for a, b, s in ((*span, spill), (0, FINDER_SIDE, BESIDE_FACE))
    )
    x, y = round(rng.uniform(x0, max(x0, x1))), round(rng.uniform(y0, max(y0, y1)))
    whole = Image.fromarray(canvas)
    whole.paste(square, (x, y))
    canvas[:] = np.asarray(whole)
    return box + np.array([x, y, x, y])


def _part_of(texture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A square of it at (192, 192), half of the time in other colours."""
    height, width = texture.shape[:2]
    side = int(rng.uniform(0.25, 1) * min(height, width))
    y, x = rng.integers(height - side + 1), rng.integers(width - side + 1)
    part = Image.fromarray(texture[y : y + side, x : x + side]).resize(
        (FINDER_SIDE, FINDER_SIDE), Image.Resampling.BILINEAR
    )
    pixels: np.ndarray = np.asarray(part, np.float32)
    if rng.random() < 0.5:
        pixels = pixels * rng.uniform(0.5, 1.3, 3) + rng.uniform(-40, 40)
    return pixels.clip(0, 255).astype(np.uint8)


def _draw_backdrop(rng: np.random.Generator) -> np.ndarray:
    """A picture (192, 192, 3) uint8 without a face: a colour, a gradient, noise, clutter or text."""
    grain = int(rng.choice([1, 2, 3, 12, FINDER_SIDE]))
    coarse = Image.fromarray(rng.integers(0, 256, (grain, grain, 3), np.uint8))
    resample = Image.Resampling.BICUBIC if rng.random() < 0.7 else Image.Resampling.NEAREST
    picture = coarse.resize((FINDER_SIDE, FINDER_SIDE), resample)
    draw = ImageDraw.Draw(picture)
    for _ in range(int(rng.choice([0, 0, 3, 12, 30]))):
        (x0, x1), (y0, y1) = (sorted(rng.integers(-20, FINDER_SIDE + 20, 2).tolist()) for _ in "xy")
        colour = tuple(rng.integers(0, 256, 3).tolist())
        shape = rng.choice(["ellipse", "rectangle", "line", "text"])
        if shape == "text":
            draw.text((x0, y0), "".join(chr(c) for c in rng.integers(65, 123, 12)), fill=colour)
        else:
            getattr(draw, shape)((x0, y0, x1, y1), fill=colour)
    return np.array(picture)
