"""Speaking avatars with everything known: picture, sound, mouth, head pose and speed, face box, identity."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from emo_modules.writing.partial import remove_partials, whole_file

from .acting.performance import Performance, perform
from .drawing.avatars import Expression, Pose, face_box, render
from .drawing.identity import random_identity
from .speech.augment import augment, sung
from .speech.sentences import sentence
from .speech.synthesis import HELD_OUT_VOICES, TRAINING_VOICES, Speech, phoneme_frames, synthesize

FPS = 25.0
FEATURE_RATE = 50  # phoneme labels per second, the audio encoder's rate
HELD_OUT = 1_000_000  # identities and sentences from this seed on are never trained on
READER = 2_000_000  # from here on: only for the networks that measure


@dataclass(frozen=True)
class AvatarClip:
    """One clip as arrays, all named as they are stored."""

    frames: np.ndarray  # (F, H, W, 3) uint8
    portraits: np.ndarray  # (P, H, W, 3) uint8, the same person elsewhere: reference candidates
    waveform: np.ndarray  # (T,) float32, 16 kHz, the whole sentence
    phonemes: np.ndarray  # (T50,) int64 labels of the whole sentence at 50 Hz
    start: np.ndarray  # () int64, index of frames[0] in the sentence's frames
    total: np.ndarray  # () int64, frames of the whole sentence
    boxes: np.ndarray  # (F, 4) float32 pixels
    curves: np.ndarray  # (F, 6) float32: mouth_open, mouth_width, yaw, pitch, roll, speed


CURVES = ("mouth_open", "mouth_width", "yaw", "pitch", "roll", "speed")


def speak(
    seed: int,
    rng: np.random.Generator,
    voices: tuple[str, ...] = TRAINING_VOICES,
    *,
    held_out: bool = False,
    altered: bool = True,
) -> Speech:
    """A random sentence; `altered` mixes in singing, noise, music and rooms."""
    speech = synthesize(
        sentence(seed, held_out=held_out),
        str(rng.choice(voices)),
        rng.uniform(0.85, 1.15),
        rng.uniform(0.85, 1.2),
    )
    if altered and rng.random() < 0.08:
        speech = sung(speech, rng)
    if altered and rng.random() < 0.5:
        speech = Speech(augment(speech.waveform, rng), speech.phonemes)
    return speech


def random_head_speed(rng: np.random.Generator) -> float:
    """Degrees per second: a fifth of the clips nearly still, the rest even over calm to lively."""
    return float(rng.uniform(0, 3) if rng.random() < 0.2 else rng.uniform(3, 36))


def portrait(seed: int, rng: np.random.Generator, size: int) -> np.ndarray:
    """(H, W, 3) uint8: the person of `seed` looking roughly ahead, mouth mostly closed."""
    opening = 0.0 if rng.random() < 0.6 else rng.uniform(0, 0.5)
    pose = Pose(rng.uniform(-7, 7), rng.uniform(-5, 5), rng.uniform(-3, 3))
    return render(random_identity(seed), Expression(opening, rng.uniform(0.4, 0.65)), pose, size)


def pose_at(performance: Performance, k: int) -> Pose:
    return Pose(*(float(getattr(performance, name)[k]) for name in ("yaw", "pitch", "roll", "x", "y")))


def frame_at(seed: int, performance: Performance, k: int, size: int) -> np.ndarray:
    expression = Expression(
        *(float(getattr(performance, n)[k]) for n in ("mouth_open", "mouth_width", "blink", "brow"))
    )
    return render(random_identity(seed), expression, pose_at(performance, k), size)


def sentence_frames(speech: Speech, fps: float = FPS) -> int:
    return max(1, round(len(speech.waveform) / 16000 * fps))


def make_clip(seed: int, frames: int = 28, portraits: int = 3, size: int = 128) -> AvatarClip:
    """The training clip of `seed`: a random window of a random sentence by a random person."""
    rng = np.random.default_rng(seed)
    speech = speak(
        seed, rng, HELD_OUT_VOICES if seed >= HELD_OUT else TRAINING_VOICES, held_out=seed >= HELD_OUT
    )
    total = max(frames, sentence_frames(speech))
    performance = perform(speech, total, FPS, random_head_speed(rng), rng)
    start = int(rng.integers(total - frames + 1))
    window = range(start, start + frames)
    identity = random_identity(seed)
    return AvatarClip(
        frames=np.stack([frame_at(seed, performance, k, size) for k in window]),
        portraits=np.stack([portrait(seed, rng, size) for _ in range(portraits)]),
        waveform=speech.waveform.astype(np.float32),
        phonemes=phoneme_frames(speech, len(speech.waveform) * FEATURE_RATE // 16000, FEATURE_RATE),
        start=np.array(start),
        total=np.array(total),
        boxes=np.array([face_box(identity, pose_at(performance, k), size) for k in window], np.float32),
        curves=np.stack([getattr(performance, n)[start : start + frames] for n in CURVES], axis=1).astype(
            np.float32
        ),
    )


def write_clip(seed: int, folder: Path, **options: int) -> None:
    path = folder / f"{seed:07d}.safetensors"
    if not path.exists():
        clip = asdict(make_clip(seed, **options))
        with whole_file(path) as unfinished:
            save_file(clip, unfinished)


def prepare(folder: Path, seeds: range, workers: int = 2, **options: int) -> None:
    """Draw and speak the clips of `seeds` into `folder`; clips already there are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    remove_partials(folder)
    with ProcessPoolExecutor(workers) as pool:
        for _ in pool.map(partial(write_clip, folder=folder, **options), seeds, chunksize=4):
            pass


def read_clips(folder: Path) -> Iterator[AvatarClip]:
    for path in sorted(folder.glob("*.safetensors")):
        yield AvatarClip(**load_file(path))
