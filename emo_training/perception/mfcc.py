"""Mel-frequency cepstra as the package python_speech_features computes them, which SyncNet was trained on."""

from functools import lru_cache

import numpy as np

from .rates import SAMPLE_RATE

COEFFICIENTS = 13
WINDOW, STEP = 400, 160  # samples: 25 ms windows, 100 of them a second
FFT = 512
FILTERS = 26
PREEMPHASIS = 0.97
LIFTER = 22


def mfcc(samples: np.ndarray) -> np.ndarray:
    """Cepstra (N, 13) float64 of `samples` (S,), 16 kHz, as large as 16-bit integers; S of one or more.

    N = 1 + ceil((S - 400) / 160), the last window filled up with zeros. Coefficient 0 is the log energy.
    """
    from scipy.fft import dct

    samples = np.asarray(samples, np.float64)
    emphasised = np.append(samples[:1], samples[1:] - PREEMPHASIS * samples[:-1])
    power = np.abs(np.fft.rfft(_windows(emphasised), FFT)) ** 2 / FFT
    bands = dct(_log(power @ mel_filters().T), type=2, axis=1, norm="ortho")[:, :COEFFICIENTS]
    bands *= 1 + LIFTER / 2 * np.sin(np.pi * np.arange(COEFFICIENTS) / LIFTER)
    bands[:, 0] = _log(power.sum(1))
    return bands


def _windows(samples: np.ndarray) -> np.ndarray:
    count = 1 + max(0, -(-(len(samples) - WINDOW) // STEP))
    padded = np.pad(samples, (0, (count - 1) * STEP + WINDOW - len(samples)))
    return np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::STEP]


def _log(power: np.ndarray) -> np.ndarray:
    return np.log(np.where(power == 0, np.finfo(np.float64).eps, power))


@lru_cache(maxsize=1)
def mel_filters() -> np.ndarray:
    """Triangles (26, 257) between points evenly spaced in mel from 0 to 8 kHz, rounded down to bins."""
    mel = np.linspace(0, 2595 * np.log10(1 + SAMPLE_RATE / 2 / 700), FILTERS + 2)
    points = np.floor((FFT + 1) * 700 * (10 ** (mel / 2595) - 1) / SAMPLE_RATE)
    low, peak, high = points[:-2, None], points[1:-1, None], points[2:, None]
    bins = np.arange(FFT // 2 + 1)
    rise, fall = (bins - low) / (peak - low), (high - bins) / (high - peak)
    return np.where(bins < peak, rise, fall).clip(0)
