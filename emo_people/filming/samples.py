"""What the built-in model trains on: people who speak, with mouth, head pose and speed, face box known."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from emo_modules.writing.partial import remove_partials, whole_file

from ..drawing.avatars import face_box
from ..drawing.identity import random_identity
from ..drawing.performance import perform
from ..speech.synthesis import SAMPLE_RATE, phoneme_frames
from ..speech.voices import HELD_OUT_VOICES, TRAINING_VOICES
from .people import FPS, draw_frame, draw_portrait, random_head_speed, sentence_frames, speak
from .seeds import HELD_OUT

FEATURE_RATE = 50  # phoneme labels per second, the audio encoder's rate


@dataclass(frozen=True)
class Sample:
    """One training example as arrays, all named as they are stored."""

    frames: np.ndarray  # (F, H, W, 3) uint8
    portraits: np.ndarray  # (P, H, W, 3) uint8, the same person elsewhere: reference candidates
    waveform: np.ndarray  # (T,) float32, 16 kHz, the whole sentence
    phonemes: np.ndarray  # (T50,) int64 labels of the whole sentence at 50 Hz
    start: np.ndarray  # () int64, index of frames[0] in the sentence's frames
    total: np.ndarray  # () int64, frames of the whole sentence
    boxes: np.ndarray  # (F, 4) float32 pixels
    curves: np.ndarray  # (F, 6) float32: mouth_open, mouth_width, yaw, pitch, roll, speed


CURVES = ("mouth_open", "mouth_width", "yaw", "pitch", "roll", "speed")


def make_sample(seed: int, frames: int = 28, portraits: int = 3, size: int = 128) -> Sample:
    """The sample of `seed`: a random window of a random sentence by a random person."""
    rng = np.random.default_rng(seed)
    speech = speak(
        seed, rng, HELD_OUT_VOICES if seed >= HELD_OUT else TRAINING_VOICES, held_out=seed >= HELD_OUT
    )
    total = max(frames, sentence_frames(speech))
    performance = perform(speech, total, FPS, random_head_speed(rng), rng)
    start = int(rng.integers(total - frames + 1))
    window = range(start, start + frames)
    identity = random_identity(seed)
    return Sample(
        frames=np.stack([draw_frame(seed, performance, k, size) for k in window]),
        portraits=np.stack([draw_portrait(seed, rng, size) for _ in range(portraits)]),
        waveform=speech.waveform.astype(np.float32),
        phonemes=phoneme_frames(speech, len(speech.waveform) * FEATURE_RATE // SAMPLE_RATE, FEATURE_RATE),
        start=np.array(start),
        total=np.array(total),
        boxes=np.array([face_box(identity, performance.pose(k), size) for k in window], np.float32),
        curves=np.stack([getattr(performance, n)[start : start + frames] for n in CURVES], axis=1).astype(
            np.float32
        ),
    )


def _write_sample(seed: int, folder: Path, **options: int) -> None:
    path = folder / f"{seed:07d}.safetensors"
    if not path.exists():
        arrays = asdict(make_sample(seed, **options))
        with whole_file(path) as unfinished:
            save_file(arrays, unfinished)


def draw_samples(folder: Path, seeds: range, workers: int = 2, **options: int) -> None:
    """Draw and speak the samples of `seeds` into `folder`; those already there are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    remove_partials(folder)
    with ProcessPoolExecutor(workers) as pool:
        for _ in pool.map(partial(_write_sample, folder=folder, **options), seeds, chunksize=4):
            pass


def read_samples(folder: Path) -> Iterator[Sample]:
    for path in sorted(folder.glob("*.safetensors")):
        yield Sample(**load_file(path))
