"""Trains the measuring network on renders of identities that nothing else ever sees, and checks it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..data.avatar_clips import (
    FPS,
    READER,
    frame_at,
    portrait,
    pose_at,
    random_head_speed,
    sentence_frames,
    speak,
)
from ..data.avatars import Expression, Pose, face_box, mouth_box, render
from ..data.identity import Identity, random_identity
from ..data.performance import PITCH_LIMIT, ROLL_LIMIT, YAW_LIMIT, perform
from ..data.speech import VOICES
from .metrics import iou, nearest
from .reader import POSE_UNIT, SIZE, FaceReader, Log, crop_mouth, read_frames
from .softness import soften

CHECK = READER + 500_000  # identities from here on check the reader
SCENE = ("background_style", "background", "background_phase", "clothes_style", "clothes", "clothes_trim",
         "light_x", "light_strength", "warmth", "scale", "offset_x", "offset_y")  # fmt: skip
TEMPERATURE = 0.1
# Pitch is the hardest: the features of one face sit higher than those of another.
AXIS_WEIGHTS = torch.tensor([1.0, 2.0, 1.0])
VIEWS = 8  # pictures of each identity
PEOPLE = 64  # of whom a step sees two pictures each


@dataclass(frozen=True)
class Pool:
    """Pictures (I, V, 3, H, W) uint8 of I identities in V views and their truth (I, V, 11):
    opening, width, yaw, pitch, roll, face box, mouth centre."""

    pictures: Tensor
    truth: Tensor

    @classmethod
    def draw(cls, seeds: Iterable[int], rng: np.random.Generator, log: Log) -> Self:
        pictures, truth = [], []
        for count, seed in enumerate(seeds):
            if count % 200 == 0:
                log(f"reader: drawn {count} identities")
            views = [_view(person, rng) for person in _scenes(seed) for _ in range(VIEWS // 2)]
            pictures.append(np.stack([picture for picture, _ in views]))
            truth.append(np.stack([values for _, values in views]))
        images = torch.from_numpy(np.stack(pictures)).permute(0, 1, 4, 2, 3).contiguous()
        return cls(images, torch.from_numpy(np.stack(truth)).float())

    def sample(self, identities: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Two views of each of `identities` people, half of the people mirrored: 0..1 pictures and truth,
        first views first."""
        people = torch.randperm(len(self.pictures), generator=generator)[:identities]
        views = torch.rand(identities, VIEWS, generator=generator).argsort(1)[:, :2]
        pictures, truth = (
            part[people[:, None], views].transpose(0, 1) for part in (self.pictures, self.truth)
        )
        mirrored = torch.rand(identities, generator=generator) < 0.5
        pictures = torch.where(mirrored[None, :, None, None, None], pictures.flip(-1), pictures)
        truth = torch.where(mirrored[None, :, None], _mirrored(truth), truth)
        return pictures.flatten(0, 1) / 255, truth.flatten(0, 1)


def _mirrored(truth: Tensor) -> Tensor:
    opening, width, yaw, pitch, roll, x0, y0, x1, y1, cx, cy = truth.unbind(-1)
    return torch.stack([opening, width, -yaw, pitch, -roll, 1 - x1, y0, 1 - x0, y1, 1 - cx, cy], -1)


def _scenes(seed: int) -> tuple[Identity, Identity]:
    """The same head in two places and two sets of clothes: the embedding must not live on the background."""
    person, other = random_identity(seed), random_identity(seed + 10_000_000)
    return person, replace(person, **{name: getattr(other, name) for name in SCENE})


def _view(person: Identity, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    opening = 0.0 if rng.random() < 0.2 else rng.random() ** 1.4
    expression = Expression(opening, rng.random(), max(0.0, rng.uniform(-1.5, 1)), rng.uniform(-1, 1))
    reach = 1.1 if rng.random() < 0.6 else 0.4
    yaw, pitch, roll = reach * np.array([YAW_LIMIT, PITCH_LIMIT, ROLL_LIMIT]) * rng.uniform(-1, 1, 3)
    # About as `perform` lets the head's place follow its turning; freer places hide small turns.
    x = 0.012 * yaw / YAW_LIMIT + rng.uniform(-0.01, 0.01)
    pose = Pose(yaw, pitch, roll, x, 0.008 * pitch / PITCH_LIMIT + rng.uniform(-0.006, 0.006))
    box, lips = (np.array(f(person, pose, 1)) for f in (face_box, mouth_box))
    centre = (lips[:2] + lips[2:]) / 2
    values = [opening, expression.mouth_width, pose.yaw, pose.pitch, pose.roll, *box, *centre]
    return render(person, expression, pose, SIZE), np.array(values)


def train_reader(
    seed: int = 0, steps: int = 900, refining: int = 600, identities: int = 1200, log: Log = print
) -> FaceReader:
    """Fits the reader to `identities` people, then its pose for `refining` steps to as many others.

    Pose takes longer than the rest: an unknown face's height of eyes and mouth looks like a pitch. About
    15 minutes on one core.
    """
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        reader = FaceReader().to(memory_format=torch.channels_last)
    first = Pool.draw(range(READER, READER + identities), rng, log)
    _fit(partial(_losses, reader), reader.parameters(), first, steps, 2e-3, generator, log)
    del first
    second = Pool.draw(range(READER + identities, READER + 2 * identities), rng, log)
    geometry = reader.geometry.parameters()
    _fit(partial(_geometry_losses, reader), geometry, second, refining, 1e-3, generator, log)
    return reader.requires_grad_(False).eval()


def _fit(
    losses: Callable[[Tensor, Tensor, torch.Generator], dict[str, Tensor]],
    parameters: Iterable[nn.Parameter],
    pool: Pool,
    steps: int,
    lr: float,
    generator: torch.Generator,
    log: Log,
) -> None:
    """Each step sees two softened views of `PEOPLE` people."""
    optimizer = torch.optim.AdamW(parameters, lr=lr, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps)
    for step in range(steps):
        pictures, truth = pool.sample(min(PEOPLE, len(pool.pictures)), generator)
        frames = soften(pictures, generator).contiguous(memory_format=torch.channels_last)
        values = losses(frames, truth, generator)
        optimizer.zero_grad()
        sum(values.values()).backward()
        optimizer.step()
        schedule.step()
        if step % 50 == 0 or step == steps - 1:
            log(f"reader: step {step} " + " ".join(f"{k} {v.item():.4f}" for k, v in values.items()))


def _losses(
    reader: FaceReader, frames: Tensor, truth: Tensor, generator: torch.Generator
) -> dict[str, Tensor]:
    mouth, centre = truth[:, :2], truth[:, 9:]
    # The crop's centre errs as the prediction will.
    near = centre + (0.012 * torch.randn(centre.shape, generator=generator))
    with torch.autocast("cpu", torch.bfloat16):
        read_mouth = reader.read_mouth(crop_mouth(frames, near))
        identity = reader.read_identity(frames)
    return _geometry_losses(reader, frames, truth, generator) | {
        "mouth": 4 * F.mse_loss(read_mouth, mouth),
        "identity": 0.1 * _contrast(identity),
    }


def _geometry_losses(
    reader: FaceReader, frames: Tensor, truth: Tensor, generator: torch.Generator
) -> dict[str, Tensor]:
    pose, box, centre = truth[:, 2:].split((3, 4, 2), 1)
    with torch.autocast("cpu", torch.bfloat16):
        read_pose, read_box, read_centre = reader.read_geometry(frames)
    return {
        "pose": ((read_pose - pose) / POSE_UNIT).square().mul(AXIS_WEIGHTS).mean(),
        "place": 100 * (F.mse_loss(read_box, box) + F.mse_loss(read_centre, centre)),
    }


def _contrast(identity: Tensor) -> Tensor:
    """Each view (2P, D) must find the other of the same person among all others of the batch."""
    likeness = identity @ identity.T / TEMPERATURE
    likeness = likeness - 1e4 * torch.eye(len(likeness))
    half = len(identity) // 2
    return F.cross_entropy(likeness, (torch.arange(2 * half) + half) % (2 * half))


def check_reader(reader: FaceReader, people: int = 100, frames: int = 8) -> dict[str, float]:
    """How well unseen people acting unseen sentences are read: R2 of opening, width, yaw, pitch and roll
    (their spread being that of natural speech), mean box IoU, mean pose error in degrees, and the share of
    frames whose nearest portrait among `people` is their own. Needs flite and espeak-ng."""
    pictures, truth, boxes = zip(*(_acted(CHECK + k, frames) for k in range(people)), strict=True)
    reading = read_frames(reader, np.concatenate(pictures))
    expected = np.concatenate(truth, 1)
    names = ("mouth_open", "mouth_width", "yaw", "pitch", "roll")
    read = [getattr(reading, name).numpy() for name in names]
    result = {f"r2_{name}": _r2(a, b) for name, a, b in zip(names, read, expected, strict=True)}
    pairs = zip(reading.face_box.numpy(), np.concatenate(boxes), strict=True)
    gallery = np.stack(
        [portrait(CHECK + k, np.random.default_rng([CHECK + k, 1]), SIZE) for k in range(people)]
    )
    found = nearest(reading.identity, read_frames(reader, gallery).identity)
    return result | {
        "pose_error_degrees": float(np.abs(np.stack(read[2:]) - expected[2:]).mean()),
        "box_iou": float(np.mean([iou(a, b) for a, b in pairs])),
        "identity_top1": float((found == torch.arange(people).repeat_interleave(frames)).float().mean()),
    }


def _acted(seed: int, frames: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pictures (F, H, W, 3), curves (5, F) and face boxes (F, 4) in fractions, spread over one sentence."""
    rng = np.random.default_rng(seed)
    speech = speak(seed, rng, VOICES, held_out=True, altered=False)
    total = sentence_frames(speech)
    performance = perform(speech, total, FPS, random_head_speed(rng), rng)
    moments = np.linspace(0, total - 1, frames).round().astype(int)
    curves = [
        getattr(performance, name)[moments] for name in ("mouth_open", "mouth_width", "yaw", "pitch", "roll")
    ]
    boxes = [face_box(random_identity(seed), pose_at(performance, k), 1) for k in moments]
    return (
        np.stack([frame_at(seed, performance, k, SIZE) for k in moments]),
        np.stack(curves),
        np.array(boxes),
    )


def _r2(read: np.ndarray, truth: np.ndarray) -> float:
    return float(1 - np.mean((read - truth) ** 2) / np.var(truth))
