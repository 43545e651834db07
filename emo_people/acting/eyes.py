"""Lids and gaze of a speaker: a rule that the sound and the frames before give, or blinks at any time."""

from collections.abc import Iterable

import numpy as np

from ..speech.synthesis import Speech
from .hearing import LOOK_AHEAD, RATE, Spans, loudness

CLOSING, OPENING = 0.09, 0.17  # seconds of a blink's two parts
EVERY = 3.0  # seconds between the blinks that nothing else asks for
APART = 1.2  # seconds between the beginnings of two blinks
OFTEN, SELDOM = 0.6, 2.4  # seconds between blinks that no sound tells
LOWERED = 5.0  # degrees by which the eyes leave the viewer in a pause
GAZE_LIMIT = 28.0  # degrees

_PAUSE = 0.14  # seconds of silence after which a vowel is the first of a phrase
_LATE = 0.4  # seconds that consonants may take before it
_LOUD = 0.45
_LONG_PAUSE, _AWAY = (
    0.25,
    1.2,
)  # seconds of silence that make the eyes leave the viewer, and for how long at most
_SACCADE = 0.08  # seconds
_BLINK_LASTS = CLOSING + OPENING


def blinks(moments: Iterable[float], times: np.ndarray) -> np.ndarray:
    """How far the lids are shut, (F,) 0..1, at `times` (F,), by blinks that begin at these moments."""
    shut = np.zeros(len(times))
    for moment in moments:
        shut = np.maximum(shut, _blink(times - moment))
    return shut


def random_blink_times(rng: np.random.Generator, until: float) -> list[float]:
    """Moments that no sound tells, two in three seconds."""
    begun = [rng.uniform(-_BLINK_LASTS, SELDOM)]
    while begun[-1] < until:
        begun.append(begun[-1] + rng.uniform(OFTEN, SELDOM))
    return begun


def blink_times(speech: Speech, until: float) -> list[float]:
    """A blink begins with the first loud vowel after a pause; without one, at every third second."""
    until += LOOK_AHEAD
    spans = Spans.of(speech, until)
    heard = loudness(speech, int(until * RATE) + 30)
    asked = [(n * EVERY, False) for n in range(1, int(until / EVERY) + 1)]
    for _, end in spans.pauses(_PAUSE):
        vowels = spans.vowels_after(end, _LATE)
        asked += [(v, True) for v in vowels if _is_loud(heard, v)][:1]
    begun: list[float] = []
    phrases = [moment for moment, phrase in asked if phrase]
    for moment, phrase in sorted(asked):
        soon = not phrase and any(moment <= other < moment + 0.15 for other in phrases)
        if not soon and (not begun or moment - begun[-1] >= APART):
            begun.append(moment)
    return begun


def _is_loud(heard: np.ndarray, moment: float) -> bool:
    first = round(moment * RATE)
    return float(heard[first : first + 8].mean()) > _LOUD


def _blink(age: np.ndarray) -> np.ndarray:
    phase = np.where(age < CLOSING, age / CLOSING, 1 - (age - CLOSING) / OPENING).clip(0, 1)
    return np.asarray(phase**2 * (3 - 2 * phase))


def gaze(speech: Speech, times: np.ndarray, turned: np.ndarray, held: tuple[float, float]) -> np.ndarray:
    """Yaw and pitch (F, 2) in degrees, relative to the head, of eyes that stay on what the portrait looks at.

    turned (F, 3) are yaw, pitch and roll since the portrait, whose gaze is `held`. In a longer
    pause the eyes let go: they follow the head's turn and sink.
    """
    away = _away(speech, times)[:, None]
    # Whatever its roll, a head turned by yaw and pitch has the viewer at -yaw, -pitch.
    ahead = -turned[:, :2]
    let_go = np.array([0.0, LOWERED]) + ahead * [0.3, 1]
    return np.asarray((held + (1 - away) * ahead + away * let_go).clip(-GAZE_LIMIT, GAZE_LIMIT))


def _away(speech: Speech, times: np.ndarray) -> np.ndarray:
    """Share (F,) 0..1 of the way from the viewer."""
    away = np.zeros(len(times))
    for start, end in Spans.of(speech, float(times[-1])).pauses(_LONG_PAUSE):
        if start > 0:
            back = min(end - _SACCADE, start + _AWAY)
            rise = _ease((times - start) / _SACCADE) - _ease((times - back) / _SACCADE)
            away = np.maximum(away, rise)
    return away


def _ease(phase: np.ndarray) -> np.ndarray:
    phase = phase.clip(0, 1)
    return phase**2 * (3 - 2 * phase)
