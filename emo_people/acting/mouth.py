"""The mouth while speaking: visemes that pull at each other, and lips that meet when they must."""

from dataclasses import dataclass

import numpy as np

from ..speech.synthesis import Phoneme, Speech
from .face import ACTIONS, INDEX
from .hearing import RATE, loudness
from .visemes import Viseme, hold_lips, segments

REACH = 0.18  # seconds from a sound beyond which its viseme does nothing
OPENING = tuple(
    INDEX[name]
    for name in ACTIONS
    if name.startswith(("jawOpen", "mouthLowerDown", "mouthUpperUp", "mouthFunnel"))
)
_GIVES_WAY = 0.06  # seconds after a closure in which the lips may be open again
_QUIET, _LOUD = 0.72, 1.15  # factors of the opening


@dataclass(frozen=True)
class Sequence:
    """Visemes (P) with the seconds (P,) in which they sound, ending at rest."""

    visemes: tuple[Viseme, ...]
    starts: np.ndarray
    ends: np.ndarray

    @classmethod
    def of(cls, speech: Speech, until: float) -> "Sequence":
        end = speech.phonemes[-1].end if speech.phonemes else 0.0
        rest = Phoneme("pau", end, max(end, until) + 1)
        visemes, starts, ends = zip(*segments([*speech.phonemes, rest]), strict=True)
        return cls(visemes, np.array(starts), np.array(ends))

    def numbers(self, name: str) -> np.ndarray:
        """One property of every viseme, (P,)."""
        return np.array([getattr(viseme, name) for viseme in self.visemes])

    @property
    def shapes(self) -> np.ndarray:
        """Actions (P, 52)."""
        shapes = np.zeros((len(self.visemes), len(ACTIONS)))
        for row, viseme in zip(shapes, self.visemes, strict=True):
            for name, value in viseme.actions.items():
                row[INDEX[name]] = value
        return shapes


def speak(speech: Speech, times: np.ndarray, fps: float) -> np.ndarray:
    """Actions (F, 52), 0..1, at `times` (F,) in seconds, which are the middles of frames.

    What is said up to `hearing.LOOK_AHEAD` after a frame decides about it. Silence shuts the mouth; a louder
    vowel opens it wider. Shapes are blended by dominance (Cohen and Massaro, 1993).
    """
    sequence = Sequence.of(speech, times[-1])
    weights = dominance(sequence, times)
    actions = weights @ sequence.shapes / weights.sum(axis=1, keepdims=True)
    opening = list(OPENING)
    actions[:, opening] *= _emphasis(speech, times)[:, None]
    most = np.full(len(times), np.inf)
    for k, viseme in enumerate(sequence.visemes):
        if viseme.lips_apart < 1:
            distance = _distance(times, sequence.starts[k], sequence.ends[k], fps)
            _yield(actions, viseme, distance)
            most = np.minimum(most, viseme.lips_apart + (distance / _GIVES_WAY) ** 1.5)
    return np.asarray(hold_lips(actions, most).clip(0, 1))


def dominance(sequence: Sequence, times: np.ndarray) -> np.ndarray:
    """Weights (F, P): a viseme's strength while it sounds, less before (anticipation) and after it."""
    before = np.maximum(sequence.starts - times[:, None], 0)
    after = np.maximum(times[:, None] - sequence.ends, 0)
    fall = np.exp(-((before / sequence.numbers("early")) ** 2) - (after / sequence.numbers("late")) ** 2)
    return np.asarray(sequence.numbers("strength") * fall * (before + after < REACH))


def _emphasis(speech: Speech, times: np.ndarray) -> np.ndarray:
    """Factors (F,) of the opening, from how loud it is within 0.1 s of each time."""
    heard = loudness(speech, int(times[-1] * RATE) + 22)
    kernel = np.hanning(21)
    smooth = np.convolve(heard, kernel / kernel.sum(), mode="same")
    return _QUIET + (_LOUD - _QUIET) * np.interp(times * RATE, np.arange(len(heard)), smooth)


def _distance(times: np.ndarray, start: float, end: float, fps: float) -> np.ndarray:
    """Seconds (F,) to a sound, which is made long enough to hold the middle of a frame."""
    half = max((end - start) / 2 - 0.01, 0.52 / fps)
    return np.maximum(np.abs(times - (start + end) / 2) - half, 0)


def _yield(actions: np.ndarray, viseme: Viseme, distance: np.ndarray) -> None:
    """Lets a viseme that narrows the mouth take from its neighbours (F, 52) what opens it, in place.

    Lips are quick and give in wholly, the jaw is slow and gives in by half.
    """
    near = distance < _GIVES_WAY
    share = viseme.lips_apart + (1 - viseme.lips_apart) * (distance[near] / _GIVES_WAY) ** 1.5
    for action in OPENING:
        asked = actions[near, action]
        left = (1 + share) / 2 if ACTIONS[action] == "jawOpen" else share
        actions[near, action] = np.minimum(
            asked, np.maximum(viseme.actions.get(ACTIONS[action], 0.0), left * asked)
        )
