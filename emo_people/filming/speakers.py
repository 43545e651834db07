"""People who speak: what they say, how fast their heads turn, and the pose and the face they begin with."""

from dataclasses import replace

import numpy as np

from ..acting.face import Pose
from ..speech.augment import augment, sing
from ..speech.phrasebook import sentence_in
from ..speech.synthesis import SAMPLE_RATE, Phoneme, Speech, join
from ..speech.utterances import utterance

FPS = 25.0
LONGEST_SILENCE = 1.2  # seconds


def speak(seed: int, frames: int, held_out: bool) -> Speech:
    """Sentences of one voice for at least so many frames."""
    said = utterance(seed, held_out)
    speech = said.speak()
    for more in range(1, 20):
        if len(speech.waveform) * FPS >= frames * SAMPLE_RATE:
            break
        text = sentence_in(said.language, seed + more, held_out)
        speech = join(speech, replace(said, text=text).speak())
    return speech


def between_silences(speech: Speech, rng: np.random.Generator) -> Speech:
    """With silence before and after it, half of which is short."""
    before, after = (_silence(rng) for _ in range(2))
    return join(join(before, speech), after)


def _silence(rng: np.random.Generator) -> Speech:
    samples = int(rng.uniform(0.04, LONGEST_SILENCE if rng.random() < 0.5 else 0.1) * SAMPLE_RATE)
    return Speech(np.zeros(samples, np.float32), (Phoneme("pau", 0.0, samples / SAMPLE_RATE),))


def alter(speech: Speech, rng: np.random.Generator, sung: float = 0.08) -> Speech:
    """A share `sung` sings; half are heard in noise, music and rooms, or by telephone."""
    if rng.random() < sung:
        speech = sing(speech, rng)
    if rng.random() < 0.5:
        speech = Speech(augment(speech.waveform, rng, telephones=True), speech.phonemes)
    return speech


def random_head_speed(rng: np.random.Generator, fastest: float = 36) -> float:
    """Degrees per second: a fifth of all nearly still, the rest even over calm to lively."""
    return float(rng.uniform(0, 3) if rng.random() < 0.2 else rng.uniform(3, fastest))


def random_pose(rng: np.random.Generator, deviations: tuple[float, float, float], farthest: float) -> Pose:
    """deviations of yaw, pitch and roll, degrees; farthest: the most yaw."""
    yaw, pitch, roll = rng.normal(0, 1, 3) * deviations
    return Pose(float(np.clip(yaw, -farthest, farthest)), float(pitch), float(roll))


def random_mood(rng: np.random.Generator) -> dict[str, float]:
    """Actions of a face that lasts: some smile, frown or press their lips."""
    smile, frown, press = (rng.uniform(0, most) * (rng.random() < 0.4) for most in (0.7, 0.4, 0.4))
    return {
        "mouthSmileLeft": smile, "mouthSmileRight": smile, "browDownLeft": frown, "browDownRight": frown,
        "mouthFrownLeft": frown, "mouthFrownRight": frown, "mouthPressLeft": press, "mouthPressRight": press,
    }  # fmt: skip
