"""What a performer hears: loudness and sounds, never further ahead than `LOOK_AHEAD`.

Nothing here is measured over a whole sentence. A model that hears a sentence piece by piece cannot know what
its end will be like, and what it cannot know it paints as the mean of all possibilities.
"""

from dataclasses import dataclass

import numpy as np

from ..speech.alphabet import VOWELS
from ..speech.synthesis import SAMPLE_RATE, Speech

LOOK_AHEAD = 0.3  # seconds of the sound after a moment that may decide what happens in it
RATE = 100  # of the grid on which curves are computed, Hz

_SILENCE, _USUAL_PEAK = -60.0, -17.0  # dB of full scale
_FALL, _RISE = 4.0, 3.0  # dB per second by which the remembered peak sinks and the remembered floor rises
_LEAST_RANGE = 18.0  # dB between them
_HALF_WINDOW = 0.02  # seconds


@dataclass(frozen=True)
class Spans:
    """The sounds in their order, a pause for good at the end: symbols, starts and ends (P,) in seconds."""

    symbols: tuple[str, ...]
    starts: np.ndarray
    ends: np.ndarray

    @classmethod
    def of(cls, speech: Speech, until: float) -> "Spans":
        end = speech.phonemes[-1].end if speech.phonemes else 0.0
        sounds = [*((p.symbol, p.start) for p in speech.phonemes), ("pau", end)]
        # Two pauses in a row are one.
        kept = [k for k, (symbol, _) in enumerate(sounds) if k == 0 or symbol != sounds[k - 1][0]]
        symbols, starts = zip(*(sounds[k] for k in kept), strict=True)
        ends = [*starts[1:], max(until, end) + 1]
        return cls(symbols, np.array(starts), np.array(ends))

    def pauses(self, least: float) -> list[tuple[float, float]]:
        """Start and end of every pause of at least so many seconds."""
        bounds = zip(self.symbols, self.starts.tolist(), self.ends.tolist(), strict=True)
        return [(start, end) for symbol, start, end in bounds if symbol == "pau" and end - start >= least]

    def vowels_after(self, moment: float, within: float) -> list[float]:
        """When the vowels begin that begin so soon after a moment."""
        bounds = zip(self.symbols, self.starts.tolist(), strict=True)
        return [s for symbol, s in bounds if symbol in VOWELS and moment <= s <= moment + within]

    def at(self, times: np.ndarray) -> np.ndarray:
        """Which sound there is, (N,) indices."""
        return np.searchsorted(self.ends, times, side="right").clip(max=len(self.symbols) - 1)


def loudness(speech: Speech, count: int) -> np.ndarray:
    """(count,) at `RATE` Hz, 0 for the quietest to 1 for the loudest that was heard lately.

    A value needs the samples up to 0.02 s after it.
    """
    level = _decibels(speech.waveform, count)
    peak, floor, heard = _USUAL_PEAK, _SILENCE, np.empty(count)
    for k, now in enumerate(level.tolist()):
        peak = max(now, peak - _FALL / RATE)
        floor = max(min(now, floor + _RISE / RATE), _SILENCE)
        heard[k] = (now - floor) / max(peak - floor, _LEAST_RANGE)
    return heard.clip(0, 1)


def _decibels(waveform: np.ndarray, count: int) -> np.ndarray:
    half = round(_HALF_WINDOW * SAMPLE_RATE)
    centres = np.arange(count) * SAMPLE_RATE // RATE
    padded = np.zeros(centres[-1] + 2 * half + 1)
    known = waveform[: len(padded) - half]
    padded[half : half + len(known)] = known
    energy = np.concatenate([[0.0], np.cumsum(padded**2)])
    power = (energy[centres + 2 * half] - energy[centres]) / (2 * half)
    return np.asarray(10 * np.log10(power + 1e-7))
