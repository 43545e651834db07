"""Training-time changes of speech: rooms, noise, music in the background, telephones, and singing."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from .alphabet import VOWELS
from .synthesis import SAMPLE_RATE, Phoneme, Speech

Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]

_WINDOW, _HOP = 512, 128
_PENTATONIC = np.array([-5, -3, 0, 2, 4, 7])


def augment(waveform: np.ndarray, rng: np.random.Generator, telephones: bool = False) -> np.ndarray:
    """A random mix of the changes below that keep time: (T,) float32 to (T,) float32, peak at most 1.

    One sound in eight comes by telephone where `telephones` are allowed.
    """
    chances: list[tuple[Change, float]] = [
        (equalize, 0.5),
        (reverberate, 0.25),
        (add_music, 0.2),
        (add_noise, 0.4),
        (change_gain, 0.7),
    ]
    for change, chance in [*chances, (telephone, 0.125)] if telephones else chances:
        if rng.random() < chance:
            waveform = change(waveform, rng)
    return waveform


def equalize(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A smooth random frequency response of plus or minus 10 dB."""
    spectrum = np.fft.rfft(waveform)
    octaves = np.log2(np.maximum(np.fft.rfftfreq(len(waveform), 1 / SAMPLE_RATE), 60.0))
    knots = np.linspace(np.log2(60.0), np.log2(SAMPLE_RATE / 2), 6)
    decibels = np.interp(octaves, knots, rng.uniform(-10, 10, len(knots)))
    return _limit_peak(np.fft.irfft(spectrum * 10 ** (decibels / 20), len(waveform)))


def reverberate(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A soft room: decaying noise of 0.1 to 0.5 s behind the direct sound, which stays in place."""
    from scipy.signal import fftconvolve

    seconds = rng.uniform(0.1, 0.5)
    age = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    tail = rng.standard_normal(len(age)) * np.exp(-6.9 * age / seconds)
    tail *= rng.uniform(0.1, 0.5) / np.linalg.norm(tail)
    tail[0] = 1.0
    return _limit_peak(fftconvolve(waveform, tail)[: len(waveform)])


def add_noise(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """White to brown noise, 8 to 35 dB below the speech."""
    spectrum = np.fft.rfft(rng.standard_normal(len(waveform)))
    slope = rng.uniform(0, 1)
    spectrum /= np.maximum(np.fft.rfftfreq(len(waveform), 1 / SAMPLE_RATE), 50.0) ** slope
    return _mix(waveform, np.fft.irfft(spectrum, len(waveform)), rng.uniform(8, 35))


def add_music(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Synthesised chords and a melody, 6 to 25 dB below the speech."""
    beat = rng.uniform(0.25, 0.5)
    root = rng.uniform(45, 57)
    music = np.zeros(len(waveform))
    for index in range(int(len(waveform) / SAMPLE_RATE / beat) + 1):
        start = round(index * beat * SAMPLE_RATE)
        notes = [root + 24 + rng.choice(_PENTATONIC)]
        if index % 4 == 0:
            notes += [root + step for step in rng.choice([[0, 4, 7], [5, 9, 12], [7, 11, 14], [-3, 0, 4]])]
        for note in notes:
            _add_tone(music[start:], note, beat * (1 if note == notes[0] else 4), rng)
    return _mix(waveform, music, rng.uniform(6, 25))


def change_gain(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Louder or softer by up to 12 dB."""
    return _limit_peak(waveform * 10 ** (rng.uniform(-12, 12) / 20))


def telephone(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A telephone's band, from 200..400 to 3000..3800 Hz, in the 8 bits of ITU-T G.711's mu-law."""
    spectrum = np.fft.rfft(waveform)
    frequencies = np.fft.rfftfreq(len(waveform), 1 / SAMPLE_RATE)
    low, high = rng.uniform(200, 400), rng.uniform(3000, 3800)
    spectrum *= np.clip((frequencies - low) / 100 + 1, 0, 1) * np.clip((high - frequencies) / 200 + 1, 0, 1)
    band = _limit_peak(np.fft.irfft(spectrum, len(waveform)))
    code = np.rint(127 * np.sign(band) * np.log1p(255 * np.abs(band)) / np.log(256)) / 127
    return _limit_peak(np.sign(code) * (256 ** np.abs(code) - 1) / 255)


def sing(speech: Speech, rng: np.random.Generator) -> Speech:
    """Sings the speech: vowels are held 1.2 to 3 times as long, on the notes of a melody.

    Phoneme times follow. A phase vocoder reads the speech along the new times; the spectral envelope is kept.
    """
    phonemes, edges = _hold_vowels(speech, rng)
    length = round(edges[1][-1] * SAMPLE_RATE)
    ratio = _melody(speech, phonemes, edges, length, rng)
    waveform = _vocode(speech.waveform, edges, ratio)
    return Speech(_limit_peak(waveform), phonemes)


def _limit_peak(waveform: np.ndarray) -> np.ndarray:
    return (waveform / max(np.abs(waveform).max(initial=0.0), 1.0)).astype(np.float32)


def _mix(waveform: np.ndarray, other: np.ndarray, decibels: float) -> np.ndarray:
    """Adds `other` at `decibels` below `waveform`; a silent waveform is taken as quiet speech."""
    level = max(np.sqrt(np.mean(waveform**2)), 1e-3)
    scale = level / max(np.sqrt(np.mean(other**2)), 1e-9) * 10 ** (-decibels / 20)
    return _limit_peak(waveform + scale * other)


def _add_tone(music: np.ndarray, note: float, seconds: float, rng: np.random.Generator) -> None:
    age = np.arange(min(len(music), round(2 * seconds * SAMPLE_RATE))) / SAMPLE_RATE
    frequency = 440 * 2 ** ((note - 69) / 12)
    partials = sum(
        rng.uniform(0.3, 1) / k**1.5 * np.sin(2 * np.pi * k * frequency * age + rng.uniform(0, 6.28))
        for k in range(1, 6)
    )
    envelope = np.minimum(age / 0.02, 1) * np.exp(-2 * age / seconds)
    music[: len(age)] += partials * envelope


def _hold_vowels(
    speech: Speech, rng: np.random.Generator
) -> tuple[tuple[Phoneme, ...], tuple[np.ndarray, np.ndarray]]:
    """The phonemes at their new times, and the boundaries (P + 1,) in seconds before and after."""
    before = np.array([0.0] + [phoneme.end for phoneme in speech.phonemes])
    held = np.array([phoneme.symbol in VOWELS for phoneme in speech.phonemes])
    durations = np.diff(before) * np.where(held, rng.uniform(1.2, 3.0, len(held)), 1.0)
    after = np.concatenate([[0.0], np.cumsum(durations)])
    after[-1] = round(after[-1] * SAMPLE_RATE) / SAMPLE_RATE
    spans = zip(speech.phonemes, pairwise(after.tolist()), strict=True)
    return tuple(Phoneme(phoneme.symbol, *span) for phoneme, span in spans), (before, after)


def _melody(
    speech: Speech,
    phonemes: tuple[Phoneme, ...],
    edges: tuple[np.ndarray, np.ndarray],
    length: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Factors (length,) of the pitch that put each vowel on a note, with a light vibrato."""
    from scipy.ndimage import gaussian_filter1d

    times = (np.arange(length // _HOP + 2)) * _HOP / SAMPLE_RATE
    pitch = np.interp(np.interp(times, edges[1], edges[0]), *_pitch_track(speech))
    notes = np.zeros(len(times))
    step = rng.integers(len(_PENTATONIC))
    for phoneme in phonemes:
        if phoneme.symbol in VOWELS:
            step = np.clip(step + rng.integers(-2, 3), 0, len(_PENTATONIC) - 1)
        notes[times >= phoneme.start] = _PENTATONIC[step]
    vibrato = 0.25 * np.sin(2 * np.pi * rng.uniform(5, 6) * times)
    target = np.median(pitch) * 2 ** ((gaussian_filter1d(notes, 4.0) + vibrato) / 12)
    ratio = np.clip(target / pitch, 0.7, 1.5)
    return np.interp(np.arange(length) / SAMPLE_RATE, times, ratio)


def _pitch_track(speech: Speech) -> tuple[np.ndarray, np.ndarray]:
    """Times in seconds and pitch in Hz, both (K,), inside the vowels."""
    import librosa
    from scipy.ndimage import median_filter

    pitch = librosa.yin(speech.waveform, fmin=60, fmax=400, sr=SAMPLE_RATE, frame_length=1024, hop_length=256)
    times = np.arange(len(pitch)) * 256 / SAMPLE_RATE
    spans = [(p.start + 0.01, p.end - 0.01) for p in speech.phonemes if p.symbol in VOWELS]
    voiced = np.any([(times >= start) & (times < end) for start, end in spans], axis=0)
    if not np.any(voiced):
        raise ValueError(f"there is no vowel to sing among {len(speech.phonemes)} phonemes: give it words")
    return times[voiced], median_filter(pitch[voiced], 7)


def _vocode(waveform: np.ndarray, edges: tuple[np.ndarray, np.ndarray], ratio: np.ndarray) -> np.ndarray:
    """Reads `waveform` along the new times and multiplies its pitch by `ratio`, one factor per new sample.

    The vocoder's output runs `ratio` times too slowly; reading it at `ratio` times the speed sets the pitch.
    """
    import librosa

    played = np.concatenate([[0.0], np.cumsum(ratio)])[:-1]
    grid = np.arange(0, played[-1] + _HOP, _HOP)
    moments = np.interp(grid, played, np.arange(len(ratio)))
    positions = np.interp(moments / SAMPLE_RATE, edges[1], edges[0]) * SAMPLE_RATE
    spectra, earlier = _spectra(waveform, positions), _spectra(waveform, positions - _HOP)
    turns = np.angle(spectra) - np.angle(earlier)
    turns[:, 0] = np.angle(spectra[:, 0])
    levels = _keep_envelope(np.abs(spectra), ratio[moments.astype(int)])
    slow = librosa.istft(levels * np.exp(1j * np.cumsum(turns, axis=1)), hop_length=_HOP, win_length=_WINDOW)
    return np.interp(played, np.arange(len(slow)), slow)


def _spectra(waveform: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Spectra (W/2 + 1, K) of windows centred at the sample positions (K,)."""
    padded = np.pad(waveform, _WINDOW)
    first = np.rint(positions).astype(int) + _WINDOW // 2
    frames = padded[np.clip(first, 0, len(padded) - _WINDOW)[:, None] + np.arange(_WINDOW)]
    return np.fft.rfft(frames * np.hanning(_WINDOW + 1)[:-1], axis=1).T


def _keep_envelope(levels: np.ndarray, ratio: np.ndarray) -> np.ndarray:
    """Moves the spectral envelope so that reading at `ratio` times the speed puts it back (no chipmunks)."""
    from scipy.ndimage import gaussian_filter1d, map_coordinates

    envelope = gaussian_filter1d(np.log(levels + 1e-5), 5.0, axis=0)
    bins, frames = np.indices(levels.shape)
    moved = map_coordinates(envelope, [bins * ratio, frames], order=1, mode="nearest")
    return levels * np.exp(np.clip(moved - envelope, -4, 4))
