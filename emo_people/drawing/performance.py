"""What a speaker's face and head do while saying a sentence: curves per video frame, driven by the speech."""

import math
from dataclasses import dataclass

import numpy as np

from emo_training.perception.pose import head_speed

from ..speech.alphabet import VOWELS
from ..speech.synthesis import SAMPLE_RATE, Speech
from .face import Expression, Pose

# Mouth opening and width of each sound, 0..1.
VISEMES: dict[str, tuple[float, float]] = {
    "pau": (0.0, 0.5),
    "aa": (1.0, 0.55), "ae": (0.8, 0.75), "ah": (0.65, 0.55), "ao": (0.75, 0.25), "aw": (0.85, 0.4),
    "ax": (0.4, 0.5), "ay": (0.85, 0.65), "eh": (0.6, 0.75), "er": (0.4, 0.3), "ey": (0.5, 0.85),
    "ih": (0.4, 0.75), "iy": (0.35, 0.95), "ow": (0.55, 0.15), "oy": (0.6, 0.25), "uh": (0.35, 0.2),
    "uw": (0.3, 0.05),
    "b": (0.0, 0.45), "m": (0.0, 0.45), "p": (0.0, 0.45), "f": (0.08, 0.5), "v": (0.08, 0.5),
    "d": (0.2, 0.65), "t": (0.2, 0.65), "n": (0.22, 0.62), "s": (0.15, 0.7), "z": (0.15, 0.7),
    "th": (0.22, 0.55), "dh": (0.22, 0.55), "l": (0.3, 0.55), "sh": (0.25, 0.2), "zh": (0.25, 0.2),
    "ch": (0.25, 0.2), "jh": (0.25, 0.2), "r": (0.25, 0.2), "w": (0.15, 0.0), "y": (0.25, 0.8),
    "g": (0.25, 0.5), "k": (0.25, 0.5), "ng": (0.25, 0.55), "hh": (0.35, 0.5),
}  # fmt: skip
# How far the lips may open while the sound lasts.
CLOSURES = {"b": 0.0, "m": 0.0, "p": 0.0, "f": 0.08, "v": 0.08}
YAW_LIMIT, PITCH_LIMIT, ROLL_LIMIT = 16.0, 11.0, 8.0

_STRONG = frozenset(("pau", "b", "m", "p", "f", "v", "w", "sh", "zh", "ch", "jh"))
_ANTICIPATION, _CARRY_OVER = 0.045, 0.035
_RANDOM_SHARE = 0.27
_AXIS_WEIGHTS = np.array([1.0, 0.75, 0.5])


@dataclass(frozen=True)
class Performance:
    """Curves (F,) float32: opening, width, blink 0..1; brow -1..1; yaw, pitch, roll in degrees;
    x, y as fractions of the picture's width; speed in degrees per second."""

    fps: float
    mouth_open: np.ndarray
    mouth_width: np.ndarray
    blink: np.ndarray
    brow: np.ndarray
    yaw: np.ndarray
    pitch: np.ndarray
    roll: np.ndarray
    x: np.ndarray
    y: np.ndarray
    speed: np.ndarray

    def pose(self, k: int) -> Pose:
        """Of frame k."""
        yaw, pitch, roll, x, y = (float(c[k]) for c in (self.yaw, self.pitch, self.roll, self.x, self.y))
        return Pose(yaw, pitch, roll, x, y)

    def expression(self, k: int) -> Expression:
        """Of frame k."""
        opening, width = float(self.mouth_open[k]), float(self.mouth_width[k])
        return Expression(opening, width, float(self.blink[k]), float(self.brow[k]))


def perform(
    speech: Speech, frames: int, fps: float, head_speed: float, rng: np.random.Generator
) -> Performance:
    """Acts `speech` for `frames` frames; the head's mean speed is `head_speed` degrees per second (0..45).

    About three quarters of the head's motion follows the loudness and the vowels; the rest is random. Speeds
    beyond what the limits of the pose allow at a natural rate are not reached.
    """
    if frames < 1 or not 0 <= head_speed <= 45:
        raise ValueError(f"need 1 frame or more and a speed in 0..45, got {frames} frames and {head_speed}")
    opening, width = mouth_curves(speech, frames, fps)
    volume = loudness(speech, frames, fps)
    yaw, pitch, roll = _move(np.stack([width, volume, opening]), fps, head_speed, rng)
    curves = {
        "mouth_open": opening,
        "mouth_width": width,
        "blink": _blinks(speech, frames, fps, rng),
        "brow": np.tanh(0.7 * _standard(_band(volume, fps, 0.12, 0.8))),
    } | _head_curves(yaw, pitch, roll, fps)
    return Performance(fps=fps, **{name: curve.astype(np.float32) for name, curve in curves.items()})


def _head_curves(yaw: np.ndarray, pitch: np.ndarray, roll: np.ndarray, fps: float) -> dict[str, np.ndarray]:
    return {
        "yaw": yaw,
        "pitch": pitch,
        "roll": roll,
        "x": 0.012 * yaw / YAW_LIMIT + 0.004 * roll / ROLL_LIMIT,
        "y": 0.008 * pitch / PITCH_LIMIT,
        "speed": head_speed(yaw, pitch, roll, fps),
    }


def loudness(speech: Speech, frames: int, fps: float) -> np.ndarray:
    """Root mean square (F,) of the samples of each frame, over 0.2: about 0.5 for a vowel; 0 past the end."""
    edges = np.rint(np.arange(frames + 1) * SAMPLE_RATE / fps).astype(int)
    samples = speech.waveform[: edges[-1]].astype(np.float64)
    energy = np.concatenate([[0.0], np.cumsum(np.pad(samples, (0, edges[-1] - len(samples))) ** 2)])
    return np.sqrt(np.maximum(np.diff(energy[edges]) / np.diff(edges), 0)) / 0.2


def mouth_curves(speech: Speech, frames: int, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """Mouth opening and width (F,), both 0..1, by dominance-blended visemes; lips close for b, m, p."""
    times = (np.arange(frames) + 0.5) / fps
    symbols = [phoneme.symbol for phoneme in speech.phonemes] + ["pau"]
    starts = np.array([phoneme.start for phoneme in speech.phonemes] + [speech.phonemes[-1].end])
    ends = np.append(starts[1:], max(frames / fps, starts[-1]) + 1)
    targets = np.array([VISEMES[symbol] for symbol in symbols])
    targets[:, 0] *= _stress(speech, symbols)
    weights = _dominance(times, symbols, starts, ends)
    curves = weights @ targets / weights.sum(axis=1, keepdims=True)
    ceiling = _closure_ceiling(times, symbols, starts, ends, fps)
    return np.clip(np.minimum(curves[:, 0], ceiling), 0, 1), np.clip(curves[:, 1], 0, 1)


def _stress(speech: Speech, symbols: list[str]) -> np.ndarray:
    """Factors 0.8..1.15 by which louder vowels open more."""
    energy = np.concatenate([[0.0], np.cumsum(speech.waveform.astype(np.float64) ** 2)])
    edges = np.array([[p.start, p.end] for p in speech.phonemes]) * SAMPLE_RATE
    first, last = np.rint(edges).astype(int).T
    level = np.sqrt((energy[last] - energy[first]) / np.maximum(last - first, 1))
    vowels = np.array([symbol in VOWELS for symbol in symbols[:-1]])
    if not vowels.any():
        return np.ones(len(symbols))
    factors = np.clip(0.6 + 0.4 * level / max(np.median(level[vowels]), 1e-6), 0.8, 1.15)
    return np.append(np.where(vowels, factors, 1.0), 1.0)


def _dominance(times: np.ndarray, symbols: list[str], starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Weights (F, P): 1 inside a sound, falling smoothly before it (anticipation) and after it."""
    early = np.maximum(starts - times[:, None], 0) / _ANTICIPATION
    late = np.maximum(times[:, None] - ends, 0) / _CARRY_OVER
    strength = np.array([1.0 if s in VOWELS else 1.5 if s in _STRONG else 0.5 for s in symbols])
    return strength * np.exp(-(early**2) - late**2) + 1e-12


def _closure_ceiling(
    times: np.ndarray, symbols: list[str], starts: np.ndarray, ends: np.ndarray, fps: float
) -> np.ndarray:
    """The most the lips may open (F,); each closure is long enough to hold a frame's centre."""
    ceiling = np.full(len(times), 2.0)
    for symbol, start, end in zip(symbols, starts, ends, strict=True):
        if symbol in CLOSURES:
            half = max((end - start) / 2 - 0.01, 0.52 / fps)
            distance = np.maximum(np.abs(times - (start + end) / 2) - half, 0)
            ceiling = np.minimum(ceiling, CLOSURES[symbol] + (distance / 0.06) ** 1.5)
    return ceiling


def _move(drivers: np.ndarray, fps: float, speed: float, rng: np.random.Generator) -> np.ndarray:
    """Yaw, pitch, roll (3, F) in degrees from three curves of the speech."""
    rest = rng.uniform(-1, 1, (3, 1)) * np.array([[4.0], [3.0], [2.0]])
    noise = _standard(_band(rng.standard_normal(drivers.shape), fps, 0.18, 0.42))
    driven = _standard(_band(drivers, fps, 0.18, 0.42))
    motion = math.sqrt(1 - _RANDOM_SHARE) * driven + math.sqrt(_RANDOM_SHARE) * noise
    room = np.array([[YAW_LIMIT], [PITCH_LIMIT], [ROLL_LIMIT]]) - np.abs(rest)
    if speed == 0 or drivers.shape[1] < 2:
        return np.broadcast_to(rest, drivers.shape)
    return rest + _at_speed(motion, room, fps, speed)


def _at_speed(motion: np.ndarray, room: np.ndarray, fps: float, speed: float) -> np.ndarray:
    """Scales `motion` (3, F) until its mean speed is `speed`, saturating smoothly inside `room`."""
    motion = motion * _AXIS_WEIGHTS[:, None]
    gain = 1.0
    for _ in range(12):
        # The Gaussian after tanh keeps the saturated curve band-limited and within the room.
        moved = room * _smooth(np.tanh(gain * motion / room), fps, 0.13)
        yaw, pitch, roll = moved
        ratio = speed / max(head_speed(yaw, pitch, roll, fps).mean(), 1e-6)
        if abs(ratio - 1) < 0.02 or gain > 100:
            break
        gain *= ratio
    return moved


def _blinks(speech: Speech, frames: int, fps: float, rng: np.random.Generator) -> np.ndarray:
    """Eye closing (F,) 0..1: about one blink in three seconds, drawn to pauses and phrase starts."""
    edges = [edge for p in speech.phonemes if p.symbol == "pau" for edge in (p.start, p.end - 0.05)]
    times = (np.arange(frames) + 0.5) / fps
    blink = np.zeros(frames)
    moment = rng.uniform(0.3, 2.5)
    while moment < times[-1]:
        near = [edge for edge in edges if abs(edge - moment) < 0.8]
        begin = min(near, key=lambda edge: abs(edge - moment)) if near and rng.random() < 0.8 else moment
        blink = np.maximum(blink, _blink_shape(times - begin))
        moment = max(begin, moment) + rng.uniform(1.8, 4.2)
    return blink


def _blink_shape(age: np.ndarray) -> np.ndarray:
    """Closes in 0.09 s, opens in 0.14 s."""
    phase = np.where(age < 0.09, age / 0.18, 0.5 + (age - 0.09) / 0.28)
    return np.where((phase > 0) & (phase < 1), np.sin(np.pi * np.clip(phase, 0, 1)) ** 1.5, 0.0)


def _smooth(curves: np.ndarray, fps: float, seconds: float) -> np.ndarray:
    from scipy.ndimage import gaussian_filter1d

    return gaussian_filter1d(curves, seconds * fps, axis=-1, mode="nearest")


def _band(curves: np.ndarray, fps: float, fast: float, slow: float) -> np.ndarray:
    """Difference of two Gaussians: what is slower than `fast` and faster than `slow` seconds."""
    return _smooth(curves, fps, fast) - _smooth(curves, fps, slow)


def _standard(curves: np.ndarray) -> np.ndarray:
    centred = curves - curves.mean(axis=-1, keepdims=True)
    return centred / np.maximum(centred.std(axis=-1, keepdims=True), 1e-4)
