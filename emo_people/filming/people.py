"""The person of a seed: how they speak, hold their head and look."""

import numpy as np

from ..drawing.avatars import render
from ..drawing.face import Expression, Pose
from ..drawing.identity import random_identity
from ..drawing.performance import Performance
from ..speech.augment import augment, sing
from ..speech.sentences import sentence
from ..speech.synthesis import SAMPLE_RATE, Speech, synthesize
from ..speech.voices import TRAINING_VOICES

FPS = 25.0


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
    return alter(speech, rng) if altered else speech


def alter(speech: Speech, rng: np.random.Generator, telephones: bool = False) -> Speech:
    """Some sing; half are heard in noise, music and rooms."""
    if rng.random() < 0.08:
        speech = sing(speech, rng)
    if rng.random() < 0.5:
        speech = Speech(augment(speech.waveform, rng, telephones), speech.phonemes)
    return speech


def sentence_frames(speech: Speech) -> int:
    return max(1, round(len(speech.waveform) / SAMPLE_RATE * FPS))


def random_head_speed(rng: np.random.Generator, fastest: float = 36) -> float:
    """Degrees per second: a fifth of all nearly still, the rest even over calm to lively."""
    return float(rng.uniform(0, 3) if rng.random() < 0.2 else rng.uniform(3, fastest))


def random_expression(rng: np.random.Generator) -> Expression:
    """Any mouth, with lids and brows that go with none: nothing must be told from what else is seen."""
    opening = 0.0 if rng.random() < 0.2 else rng.random() ** 1.4
    return Expression(opening, rng.random(), max(0.0, rng.uniform(-1.5, 1)), rng.uniform(-1, 1))


def draw_portrait(seed: int, rng: np.random.Generator, size: int) -> np.ndarray:
    """(H, W, 3) uint8: the person of `seed` looking roughly ahead, mouth mostly closed."""
    opening = 0.0 if rng.random() < 0.6 else rng.uniform(0, 0.5)
    pose = Pose(rng.uniform(-7, 7), rng.uniform(-5, 5), rng.uniform(-3, 3))
    return render(random_identity(seed), Expression(opening, rng.uniform(0.4, 0.65)), pose, size)


def draw_frame(seed: int, performance: Performance, k: int, size: int) -> np.ndarray:
    """(H, W, 3) uint8: the person of `seed` in frame k of the performance."""
    return render(random_identity(seed), performance.expression(k), performance.pose(k), size)
