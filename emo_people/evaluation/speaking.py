"""What lips must do at certain moments: meet for b, m and p, and stay shut in silence."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..acting.hearing import Spans
from ..filming.speakers import FPS
from ..speech.synthesis import Phoneme, Speech

# Opening over the inter-ocular distance below which lips count as shut: where the true lips of films of
# rendered people touch, theirs is 0.02, and 0.013 to 0.031 are read.
SHUT = 0.035
BILABIAL = ("b", "m", "p")
PAUSE, MARGIN = 0.25, 0.1  # seconds: the shortest silence, and what is left out of it at both ends


@dataclass(frozen=True)
class Closures:
    """`asked`: sounds that the lips shut for; `met`: those for which they are shut within a frame of the
    middle; `chance`: the share of all spoken frames that would count as met."""

    asked: int
    met: int
    chance: float


@dataclass(frozen=True)
class Silence:
    """frames of silence, those with shut lips, and the sum of their openings."""

    frames: int
    shut: int
    opening: float


def measure_closures(opening: np.ndarray, phonemes: Sequence[Phoneme]) -> Closures:
    """Of lips whose opening is (F,)."""
    padded = np.pad(opening, 1, mode="edge")
    met = np.minimum(np.minimum(padded[:-2], padded[1:-1]), padded[2:]) < SHUT
    middles = [(p.start + p.end) / 2 for p in phonemes if p.symbol in BILABIAL]
    places = [k for k in (int(middle * FPS) for middle in middles) if k < len(opening)]
    spoken = spoken_frames(phonemes, len(opening))
    return Closures(len(places), int(met[places].sum()), float(met[spoken].mean()) if spoken.any() else 0.0)


def spoken_frames(phonemes: Sequence[Phoneme], frames: int) -> np.ndarray:
    """In which of the frames, (F,) bool, a sound is made."""
    times = (np.arange(frames) + 0.5) / FPS
    inside = [(p.start <= times) & (times < p.end) for p in phonemes if p.symbol != "pau"]
    return np.any([np.zeros(frames, bool), *inside], axis=0)


def measure_silence(opening: np.ndarray, speech: Speech) -> Silence:
    times = (np.arange(len(opening)) + 0.5) / FPS
    quiet = np.zeros(len(opening), bool)
    for start, end in Spans.of(speech, float(times[-1])).pauses(PAUSE):
        quiet |= (start + MARGIN <= times) & (times < end - MARGIN)
    return Silence(int(quiet.sum()), int((opening[quiet] < SHUT).sum()), float(opening[quiet].sum()))
