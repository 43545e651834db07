"""The head while speaking: nods and turns that the sound drives, at the mean speed that is asked for."""

import math

import numpy as np
from scipy.signal import lfilter

from ..speech.synthesis import Speech
from .hearing import LOOK_AHEAD, RATE, Spans, loudness
from .visemes import VISEMES

ROOM = np.array([18.0, 12.0, 9.0])  # degrees of yaw, pitch and roll from rest that are not exceeded
REST = 0.5  # degrees by which rest may differ from the portrait, each way
DICE = 0.05  # share of the motion's variance that no sound decides

STRESS = 4  # power of the loudness that leaves little but stressed syllables

_AHEAD = round((LOOK_AHEAD - 0.03) * RATE)  # loudness itself needs 0.02 s
_CORNERS = (1.3, 2.2, 1.5)  # Hz of the three poles that make motion of sound
_CALM = 0.8  # seconds after which the head has forgotten what moved it
# Standard deviations of what comes out of the filter, over usual speech and for white noise.
_DRIVEN_SIZE = np.array([0.141, 0.158, 0.075])
_NOISE_SIZE = np.array([0.108, 0.142, 0.114])
_WEIGHTS = np.array([1.0, 0.8, 0.5])
_SWAY = 0.15
_SWAY_RATES = np.array([0.19, 0.13, 0.23])  # Hz
_USUAL_SPEED = 7.1  # degrees per second of the unscaled motion over usual speech
_MEMORY = 3.0  # seconds
_CORNERS_CUT = 1.02  # by which a path is longer than the line from frame to frame
_INERTIA = 0.4  # seconds
_LARGEST_GAIN = 2.5  # against the usual


def turn(speech: Speech, count: int, speed: float, rng: np.random.Generator) -> np.ndarray:
    """Yaw, pitch and roll (count, 3) at `RATE` Hz in degrees from the portrait's pose.

    Rest is within `REST` of zero and the motion begins there. Only the sound up to `hearing.LOOK_AHEAD` after
    a moment decides what happens in it; the same dice give the same motion, smaller or larger, at each speed.
    """
    rest = rng.uniform(-REST, REST, 3)
    if speed == 0:
        return np.broadcast_to(rest, (count, 3))
    return rest + _at_speed(_motion(speech, count, rng), _CORNERS_CUT * speed)


def _motion(speech: Speech, count: int, rng: np.random.Generator) -> np.ndarray:
    """(count, 3) of about unit size, beginning at zero without speed."""
    seconds = np.arange(count)[:, None] / RATE
    driven = _filter(_drivers(speech, count + _AHEAD))[_AHEAD:] / _DRIVEN_SIZE
    noise = _filter(rng.standard_normal((count + _AHEAD, 3)))[_AHEAD:] / _NOISE_SIZE
    sway = np.sin(2 * np.pi * _SWAY_RATES * seconds)
    parts = math.sqrt(1 - DICE) * driven + math.sqrt(DICE) * noise + _SWAY * sway
    return np.asarray(begin(count)[:, None] * parts * _WEIGHTS)


def begin(count: int) -> np.ndarray:
    """Factors (count,) that rise from 0 within half a second."""
    phase = np.clip(np.arange(count) / (0.5 * RATE), 0, 1)
    return np.asarray(phase**2 * (3 - 2 * phase))


def _drivers(speech: Speech, count: int) -> np.ndarray:
    """(count, 3): what turns the head (how spread the lips are), nods it (stress) and tilts it (the jaw)."""
    times = np.arange(count) / RATE
    spans = Spans.of(speech, times[-1])
    shapes = np.array([_spread_and_jaw(symbol) for symbol in spans.symbols])[spans.at(times)]
    return np.stack([shapes[:, 0], loudness(speech, count) ** STRESS, shapes[:, 1] + 0.3 * shapes[:, 0]], 1)


def _spread_and_jaw(symbol: str) -> tuple[float, float]:
    actions = VISEMES[symbol].actions
    wide = actions.get("mouthStretchLeft", 0) + actions.get("mouthSmileLeft", 0)
    return wide - actions.get("mouthPucker", 0) - actions.get("mouthFunnel", 0), actions.get("jawOpen", 0)


def _filter(drivers: np.ndarray) -> np.ndarray:
    return np.stack([band(curve, corner) for curve, corner in zip(drivers.T, _CORNERS, strict=True)], 1)


def band(curve: np.ndarray, corner: float) -> np.ndarray:
    """(N,) at `RATE` Hz through three poles at `corner` Hz, less its slow part; it never looks ahead."""
    for _ in range(3):
        curve = _low_pass(curve, 1 / (2 * math.pi * corner))
    return curve - _low_pass(curve, _CALM)


def _low_pass(curve: np.ndarray, seconds: float) -> np.ndarray:
    share = 1 - math.exp(-1 / (RATE * seconds))
    return np.asarray(lfilter([share], [1, share - 1], curve))


def _at_speed(motion: np.ndarray, speed: float) -> np.ndarray:
    """Scales `motion` (N, 3) within `ROOM`, so that its mean speed so far is close to `speed` at any time."""
    pace = np.linalg.norm(np.diff(motion, axis=0, prepend=motion[:1]), axis=1) * RATE
    usual = log_gain = math.log(speed / _USUAL_SPEED)
    path, heard, known = 0.0, _USUAL_SPEED * _MEMORY, _MEMORY
    moved = np.zeros_like(motion)
    keep = math.exp(-1 / (RATE * _MEMORY))
    for k in range(1, len(motion)):
        heard, known = keep * heard + pace[k] / RATE, keep * known + 1 / RATE
        behind = (speed * k / RATE - path) / speed
        wanted = math.log(speed * known / heard) + float(np.clip(3 * behind, -1, 1))
        log_gain += (min(wanted, usual + math.log(_LARGEST_GAIN)) - log_gain) / (_INERTIA * RATE)
        moved[k] = ROOM * np.tanh(math.exp(log_gain) * motion[k] / ROOM)
        path += float(np.linalg.norm(moved[k] - moved[k - 1]))
    return moved
