"""Trains the measuring network on renders of identities that nothing else ever sees, and checks it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from emo_modules.cues.box import iou
from emo_modules.models.precision import fast_autocast
from emo_training.evaluation.metrics import nearest
from emo_training.perception.avatar_reader import (
    POSE_UNIT,
    SIZE,
    AvatarReader,
    AvatarReading,
    crop_mouth,
    read_frames,
)

from ..drawing.avatars import face_box, mouth_box, render
from ..drawing.face import Pose
from ..drawing.identity import Identity, random_identity
from ..drawing.performance import PITCH_LIMIT, ROLL_LIMIT, YAW_LIMIT, perform
from ..filming.people import (
    FPS,
    draw_frame,
    draw_portrait,
    random_expression,
    random_head_speed,
    sentence_frames,
    speak,
)
from ..filming.seeds import CHECK_READER, READER
from ..speech.voices import VOICES
from .degrade import soften
from .fit import Log, OneCycle, channels_last, create_net, fit

WEIGHTS = Path(__file__).with_name("reader.safetensors")
SCENE = ("background_style", "background", "background_phase", "clothes_style", "clothes", "clothes_trim",
         "light_x", "light_strength", "warmth", "scale", "offset_x", "offset_y")  # fmt: skip
TEMPERATURE = 0.1
# Pitch is the hardest: the features of one face sit higher than those of another.
AXIS_WEIGHTS = torch.tensor([1.0, 2.0, 1.0])
VIEWS = 8  # pictures of each identity
READ = ("mouth_open", "mouth_width", "yaw", "pitch", "roll")
PEOPLE = 64  # of whom a step sees two pictures each


@dataclass(frozen=True)
class FaceSamples:
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
            views = [_view(person, rng) for person in _two_scenes(seed) for _ in range(VIEWS // 2)]
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
        truth = torch.where(mirrored[None, :, None], _mirror(truth), truth)
        return pictures.flatten(0, 1) / 255, truth.flatten(0, 1)


def _mirror(truth: Tensor) -> Tensor:
    opening, width, yaw, pitch, roll, x0, y0, x1, y1, cx, cy = truth.unbind(-1)
    return torch.stack([opening, width, -yaw, pitch, -roll, 1 - x1, y0, 1 - x0, y1, 1 - cx, cy], -1)


def _two_scenes(seed: int) -> tuple[Identity, Identity]:
    """The same head in two places and two sets of clothes: the embedding must not live on the background."""
    person, other = random_identity(seed), random_identity(seed + 10_000_000)
    return person, replace(person, **{name: getattr(other, name) for name in SCENE})


def _view(person: Identity, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    expression = random_expression(rng)
    reach = 1.1 if rng.random() < 0.6 else 0.4
    yaw, pitch, roll = reach * np.array([YAW_LIMIT, PITCH_LIMIT, ROLL_LIMIT]) * rng.uniform(-1, 1, 3)
    # About as `perform` lets the head's place follow its turning; freer places hide small turns.
    x = 0.012 * yaw / YAW_LIMIT + rng.uniform(-0.01, 0.01)
    pose = Pose(yaw, pitch, roll, x, 0.008 * pitch / PITCH_LIMIT + rng.uniform(-0.006, 0.006))
    box, lips = (np.array(f(person, pose, 1)) for f in (face_box, mouth_box))
    centre = (lips[:2] + lips[2:]) / 2
    values = [expression.mouth_open, expression.mouth_width, pose.yaw, pose.pitch, pose.roll, *box, *centre]
    return render(person, expression, pose, SIZE), np.array(values)


def train_reader(seed: int = 0, steps: int = 900, identities: int = 1200, log: Log = print) -> AvatarReader:
    """Draws `identities` people and fits the reader; each step sees two softened views of `PEOPLE` of them.

    The defaults made the reader that comes with the package, in 10 minutes on one core.
    """
    generator = torch.Generator().manual_seed(seed)
    pool = FaceSamples.draw(range(READER, READER + identities), np.random.default_rng(seed), log)
    reader = channels_last(create_net(AvatarReader, seed))

    def loss() -> dict[str, Tensor]:
        pictures, truth = pool.sample(min(PEOPLE, identities), generator)
        frames = soften(pictures, generator).contiguous(memory_format=torch.channels_last)
        return _losses(reader, frames, truth, generator)

    fit(reader, loss, OneCycle(steps, 2e-3), "reader", log)
    return reader


def _losses(
    reader: AvatarReader, frames: Tensor, truth: Tensor, generator: torch.Generator
) -> dict[str, Tensor]:
    mouth, pose, box, centre = truth.split((2, 3, 4, 2), 1)
    # The crop's centre errs as the prediction will.
    near = centre + (0.012 * torch.randn(centre.shape, generator=generator))
    with fast_autocast("cpu"):
        read_pose, read_box, read_centre = reader.read_geometry(frames)
        read_mouth = reader.read_mouth(crop_mouth(frames, near))
        identity = reader.read_identity(frames)
    return {
        "pose": ((read_pose - pose) / POSE_UNIT).square().mul(AXIS_WEIGHTS).mean(),
        "place": 100 * (F.mse_loss(read_box, box) + F.mse_loss(read_centre, centre)),
        "mouth": 4 * F.mse_loss(read_mouth, mouth),
        "identity": 0.1 * _contrast(identity),
    }


def _contrast(identity: Tensor) -> Tensor:
    """Each view (2P, D) must find the other of the same person among all others of the batch."""
    likeness = identity @ identity.T / TEMPERATURE
    likeness = likeness - 1e4 * torch.eye(len(likeness))
    half = len(identity) // 2
    return F.cross_entropy(likeness, (torch.arange(2 * half) + half) % (2 * half))


def check_reader(reader: AvatarReader, people: int = 100) -> dict[str, dict[str, float]]:
    """How well unseen people are read: "renders" in every pose and mouth shape, and "acted" sentences, whose
    heads turn much less and whose R2 is harder for it. Needs flite and espeak-ng.

    R2 of opening, width, yaw, pitch and roll; mean box IoU; `identity_top1` is the share of acted frames
    whose nearest portrait among `people` is their own.
    """
    rng, seeds = np.random.default_rng(0), range(CHECK_READER, CHECK_READER + people)
    pool = FaceSamples.draw([seed + 1000 for seed in seeds], rng, lambda line: None)
    renders = pool.pictures.permute(0, 1, 3, 4, 2).flatten(0, 1).numpy()
    acted, truth = (np.concatenate(part) for part in zip(*map(_act, seeds), strict=True))
    reading = read_frames(reader, acted)
    gallery = np.stack([draw_portrait(seed, np.random.default_rng([seed, 1]), SIZE) for seed in seeds])
    found = nearest(reading.identity, read_frames(reader, gallery).identity)
    right = found == torch.arange(people).repeat_interleave(VIEWS)
    return {
        "renders": _agreement(read_frames(reader, renders), pool.truth.flatten(0, 1).numpy()),
        "acted": _agreement(reading, truth) | {"identity_top1": float(right.float().mean())},
    }


def _agreement(reading: AvatarReading, truth: np.ndarray) -> dict[str, float]:
    pairs = [(getattr(reading, name).numpy(), truth[:, k]) for k, name in enumerate(READ)]
    figures = {
        f"r2_{name}": float(1 - np.mean((read - true) ** 2) / np.var(true))
        for name, (read, true) in zip(READ, pairs, strict=True)
    }
    return figures | {"box_iou": float(iou(reading.face_box.numpy(), truth[:, 5:9]).mean(dtype=float))}


def _act(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (V, H, W, 3) and truth (V, 9) of frames spread over one sentence."""
    rng, person = np.random.default_rng(seed), random_identity(seed)
    speech = speak(seed, rng, VOICES, held_out=True, altered=False)
    total = sentence_frames(speech)
    performance = perform(speech, total, FPS, random_head_speed(rng), rng)
    moments = np.linspace(0, total - 1, VIEWS).round().astype(int)
    curves = np.stack([getattr(performance, name)[moments] for name in READ], 1)
    boxes = np.array([face_box(person, performance.pose(k), 1) for k in moments])
    pictures = np.stack([draw_frame(seed, performance, k, SIZE) for k in moments])
    return pictures, np.concatenate([curves, boxes], 1)
