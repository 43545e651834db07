"""Renders people who speak, only the part around their mouths: what the SyncNet for photographs and films
learns from and is checked with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from emo_modules.writing.partial import whole_file
from emo_training.perception.syncnet import FRAMES, face_crops

from ..acting.face import Expression
from ..acting.performance import Performance, perform
from ..filming.seeds import CHECK_MOUTHS, MOUTHS
from ..filming.speakers import FPS, random_head_speed, random_mood, random_pose, speak
from ..people.person import random_person
from ..rendering.context import drawing_processes
from ..rendering.framing import Framing
from ..rendering.scene import random_scene
from ..speech.augment import augment
from ..speech.synthesis import SAMPLE_RATE, Speech
from .degrade import compress
from .syncnet import SHAPE, SOUNDS, SPAN, SyncSamples, cepstra, jitter, middles_of

if TYPE_CHECKING:
    from ..rendering.studio import Studio

FRAMES_SHOWN = 36  # of a clip to train on
WINDOWS_HEARD = FRAMES_SHOWN - FRAMES + 1 + 2 * SPAN
FRAMES_HEARD = WINDOWS_HEARD + FRAMES
CHECKED = 75  # frames of a clip to check with, as short as those that are prepared
SHARD = 25  # clips
FACE = (40.0, 95.0)  # px: height of the face's box
AROUND = 1.4  # sides of the picture over that height
LOWER = 0.2  # of that height: from the middle of the box to the middle of what is seen
TRAINING_FILES, CHECK_FILES = "mouths-{:05d}.npz", "check-{:05d}.npz"


@dataclass(frozen=True, eq=False)
class Rehearsal:
    """Who (a seed), what they do, of which `shown` frames are filmed, and what is kept of the sound."""

    seed: int
    performance: Performance
    shown: range
    sounds: np.ndarray


def render_mouths(folder: Path, people: int, checked: int, workers: int = 1) -> None:
    """Writes shards of clips to train on and to check with; those that are there already are left alone."""
    # Speech starts processes, which must not fork from one that holds a GL context: others draw.
    with ProcessPoolExecutor(1, get_context("spawn")) as speakers, drawing_processes(workers) as artists:
        for files, first, count, rehearse in (
            (CHECK_FILES, CHECK_MOUTHS, checked, rehearse_check),
            (TRAINING_FILES, MOUTHS, people, rehearse_training),
        ):
            shards = list(_missing(folder, files, count))
            spoken = (_speak(speakers, rehearse, range(first, first + count), k) for k, _ in shards)
            list(artists.map(_write, [path for _, path in shards], spoken))


def _missing(folder: Path, files: str, count: int) -> Iterator[tuple[int, Path]]:
    paths = ((k, folder / files.format(k)) for k in range(-(-count // SHARD)))
    return ((k, path) for k, path in paths if not path.exists())


def _speak(
    speakers: Executor, rehearse: Callable[[int], Rehearsal], seeds: range, shard: int
) -> list[Rehearsal]:
    return list(speakers.map(rehearse, seeds[shard * SHARD : (shard + 1) * SHARD]))


def rehearse_training(seed: int) -> Rehearsal:
    """A moment of a speech with the sound around it, as it is and in rooms, noise and music; cepstra
    (versions, windows, 1, 13, 20)."""
    rng = np.random.default_rng([seed, 0])
    speech = speak(seed, FRAMES_HEARD, held_out=False)
    performance = _act(speech, seed, rng)
    first = int(rng.integers(len(performance.yaw) - FRAMES_HEARD + 1))
    heard = _heard(speech.waveform, first, FRAMES_HEARD)
    versions = [heard * rng.uniform(0.1, 1)]
    versions += [augment(heard.astype(np.float32), rng, telephones=True) for _ in range(SOUNDS - 1)]
    sounds = np.stack([cepstra(sound, WINDOWS_HEARD, rng) for sound in versions])
    shown = range(first + SPAN, first + SPAN + FRAMES_SHOWN)
    return Rehearsal(seed, performance, shown, sounds)


def rehearse_check(seed: int) -> Rehearsal:
    """Voices, sentences and languages that are not trained on; the sound (S,) as long as the frames."""
    rng = np.random.default_rng([seed, 0])
    speech = speak(seed, CHECKED, held_out=True)
    sound = augment(_heard(speech.waveform, 0, CHECKED), rng)
    return Rehearsal(seed, _act(speech, seed, rng), range(CHECKED), sound)


def _act(speech: Speech, seed: int, rng: np.random.Generator) -> Performance:
    """Heads turned and tilted, faces that smile, frown or press their lips while they speak."""
    frames = max(CHECKED, int(len(speech.waveform) * FPS / SAMPLE_RATE))
    start = random_pose(rng, (14, 6, 4), 40)
    mood = Expression.of((0.0, 0.0), **random_mood(rng))
    return perform(speech, frames, FPS, random_head_speed(rng), start, seed, mood)


def _heard(waveform: np.ndarray, first: int, frames: int) -> np.ndarray:
    """So many frames of sound from frame `first` on, silent after its end."""
    start, stop = (round(k * SAMPLE_RATE / FPS) for k in (first, first + frames))
    part = waveform[start:stop]
    return np.pad(part, (0, stop - start - len(part)))


def film_mouth(studio: Studio, rehearsal: Rehearsal) -> np.ndarray:
    """Face crops' middles (F, 3, 64, 64) uint8 BGR: faces of any sharpness, half of them through H.264, boxes
    as an analyser would find them."""
    rng = np.random.default_rng([rehearsal.seed, 1])
    person, scene = random_person(rehearsal.seed), random_scene(rehearsal.seed)
    height = float(np.exp(rng.uniform(*np.log(FACE))))
    side = 2 * round(AROUND * height / 2)
    framing = Framing(side, side, height / side, 0.5, 0.5 - LOWER * height / side, float(rng.uniform(8, 25)))
    frames, boxes = [], []
    for k in rehearsal.shown:
        moment = rehearsal.performance.expression(k), rehearsal.performance.pose(k)
        frames.append(studio.photograph(person, *moment, framing, k, scene))
        boxes.append(studio.truth(person, *moment, framing).face_box)
    if rng.random() < 0.5:
        frames = compress(frames, int(rng.integers(15, 35)))
    return middles_of(face_crops(frames, jitter(np.array(boxes), rng), SHAPE.side))


def _write(path: Path, rehearsals: list[Rehearsal]) -> None:
    from ..rendering.studio import own_studio

    pictures = np.stack([film_mouth(own_studio(), rehearsal) for rehearsal in rehearsals])
    sounds = np.stack([rehearsal.sounds for rehearsal in rehearsals])
    with whole_file(path) as unfinished, unfinished.open("wb") as file:
        np.savez(file, pictures=pictures, sounds=sounds)


def read_mouths(folder: Path) -> SyncSamples:
    """The clips to train on. Raises FileNotFoundError where there are none."""
    pictures, sounds = _read(folder, TRAINING_FILES)
    return SyncSamples(torch.from_numpy(pictures), torch.from_numpy(sounds), SPAN)


def read_checks(folder: Path) -> Iterable[tuple[np.ndarray, np.ndarray]]:
    """Face crops (75, 96, 96, 3) RGB, grey where nothing was kept, and sounds (S,) of the people to check
    with."""
    pictures, sounds = _read(folder, CHECK_FILES)
    return zip(whole_crops(pictures), sounds, strict=True)


def whole_crops(middles: np.ndarray) -> np.ndarray:
    """Face crops (C, F, 96, 96, 3) RGB, grey where nothing was kept, of middles (C, F, 3, 64, 64) BGR."""
    edge = (SHAPE.side - middles.shape[-1]) // 2
    around = ((0, 0), (0, 0), (edge, edge), (edge, edge), (0, 0))
    return np.pad(middles[:, :, ::-1].transpose(0, 1, 3, 4, 2), around)


def _read(folder: Path, files: str) -> tuple[np.ndarray, np.ndarray]:
    paths = sorted(folder.glob(files.replace("{:05d}", "*")))
    if not paths:
        raise FileNotFoundError(
            f"{folder} has no {files.replace('{:05d}', '*')}: make them with render-mouths"
        )
    shards = [np.load(path) for path in paths]
    pictures, sounds = (np.concatenate([shard[name] for shard in shards]) for name in ("pictures", "sounds"))
    return pictures, sounds
