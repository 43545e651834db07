"""Synthetic speech with phoneme times from flite and espeak-ng."""

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from . import espeak
from .alphabet import PHONEMES, STOPS
from .mnemonics import phonemes_of
from .voices import ACCENTS, check_voice

SAMPLE_RATE = 16000
FEATURE_RATE = 50  # phoneme labels per second, the rate of the audio encoder's features

_FLITE_PITCH = {"rms": 95.0, "awb": 125.0, "kal16": 105.0, "slt": 165.0}


@dataclass(frozen=True)
class Phoneme:
    """One sound of `PHONEMES`, from `start` to `end` in seconds."""

    symbol: str
    start: float
    end: float


@dataclass(frozen=True)
class Speech:
    """A waveform (T,) float32, mono, 16 kHz, peak at most 1, and the phonemes that cover it in order."""

    waveform: np.ndarray
    phonemes: tuple[Phoneme, ...]


def synthesize(text: str, voice: str, rate: float = 1.0, pitch: float = 1.0) -> Speech:
    """Speaks `text`; `rate` and `pitch` multiply the voice's own (0.5 to 1.9).

    `voice` is flite:NAME, espeak:ACCENT or espeak:ACCENT+VARIANT: flite:slt, espeak:de, espeak:fr+f2. flite's
    recorded voice rms keeps its pitch whatever is asked. Raises ValueError naming the choices for an unknown
    voice, FileNotFoundError naming the Debian package when the synthesizer is not installed.
    """
    check_voice(voice)
    if not text.strip():
        raise ValueError("there is no text to speak: give at least one word")
    engine, name = voice.split(":")
    return _flite(text, name, rate, pitch) if engine == "flite" else _espeak(text, name, rate, pitch)


def join(first: Speech, second: Speech) -> Speech:
    """One speech after the other."""
    start = len(first.waveform) / SAMPLE_RATE
    shifted = tuple(Phoneme(p.symbol, p.start + start, p.end + start) for p in second.phonemes)
    return Speech(np.concatenate([first.waveform, second.waveform]), first.phonemes + shifted)


def phoneme_frames(speech: Speech, frames: int, rate: float) -> np.ndarray:
    """Class ids (frames,) int64 into `PHONEMES` at the centres of frames at `rate` Hz; `pau` past the end."""
    centres = (np.arange(frames) + 0.5) / rate
    ends = np.array([phoneme.end for phoneme in speech.phonemes])
    ids = np.array([PHONEMES.index(phoneme.symbol) for phoneme in speech.phonemes] + [PHONEMES.index("pau")])
    return ids[np.searchsorted(ends, centres, side="right")]


def _flite(text: str, name: str, rate: float, pitch: float) -> Speech:
    import soundfile

    program = shutil.which("flite")
    if program is None:
        raise FileNotFoundError("flite is missing: install the Debian package flite (apt-get install flite)")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "speech.wav")
        settings = (f"duration_stretch={1 / rate}", f"int_f0_target_mean={_FLITE_PITCH[name] * pitch}")
        flags = [part for setting in settings for part in ("--setf", setting)]
        command = [program, "-voice", name, *flags, "-psdur", "-t", text, "-o", str(path)]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        samples, sample_rate = soundfile.read(path, dtype="float32")
    marks = [mark.rsplit(":", 1) for mark in printed.split()]
    ends = [float(end) for _, end in marks]
    spans = zip([symbol for symbol, _ in marks], [0.0, *ends], ends, strict=False)
    return _assemble(samples, sample_rate, [Phoneme(*span) for span in spans])


def _espeak(text: str, name: str, rate: float, pitch: float) -> Speech:
    own, plus, variant = name.partition("+")
    spoken, sample_rate, marks = espeak.speak(text, ACCENTS[own] + plus + variant, rate, pitch)
    # espeak begins at once; a short silence on both sides is what flite and recordings have.
    silence = round(0.15 * sample_rate)
    samples = np.pad(np.frombuffer(spoken, np.int16) / np.float32(32768), silence)
    starts = [(start + silence) / sample_rate for start, _ in marks] + [len(samples) / sample_rate]
    phonemes = [Phoneme("pau", 0.0, starts[0])]
    accent = own
    for (_, mnemonic), (start, end) in zip(marks, pairwise(starts), strict=True):
        if mnemonic.startswith("("):  # a word of another language begins or ends
            language = mnemonic.strip("()").split("-")[0].replace("cmn", "zh")
            accent = own if own.split("-")[0] == language else language
        else:
            phonemes += _translate(mnemonic, accent, start, end)
    return _assemble(samples, sample_rate, _begin_stops_at_closure(phonemes, samples, sample_rate))


def _translate(mnemonic: str, accent: str, start: float, end: float) -> list[Phoneme]:
    symbols = phonemes_of(mnemonic, accent)
    edges = pairwise(np.linspace(start, end, len(symbols) + 1).tolist())
    return [Phoneme(symbol, first, last) for symbol, (first, last) in zip(symbols, edges, strict=True)]


def _begin_stops_at_closure(phonemes: list[Phoneme], samples: np.ndarray, rate: int) -> list[Phoneme]:
    """espeak marks a stop at its burst: moves its start back over the silence of the closure."""
    result = [phonemes[0]]
    for phoneme in phonemes[1:]:
        before = result[-1]
        if phoneme.symbol in STOPS and before.symbol != "pau":
            start = _closure_start(samples, rate, before, phoneme.start)
            result[-1] = Phoneme(before.symbol, before.start, start)
            phoneme = Phoneme(phoneme.symbol, start, phoneme.end)
        result.append(phoneme)
    return result


def _closure_start(samples: np.ndarray, rate: int, before: Phoneme, burst: float) -> float:
    step = rate // 200
    count = int(min(0.1, 0.6 * (burst - before.start)) * 200)
    loudest = np.abs(samples[round(before.start * rate) : round(burst * rate)]).max(initial=0.0)
    for age in range(count):
        edge = round(burst * rate) - (age + 1) * step
        if np.abs(samples[edge : edge + step]).max() > 0.15 * loudest:
            return burst - age / 200
    return burst - count / 200


def _assemble(samples: np.ndarray, sample_rate: int, phonemes: list[Phoneme]) -> Speech:
    import soxr

    waveform = samples if sample_rate == SAMPLE_RATE else soxr.resample(samples, sample_rate, SAMPLE_RATE)
    return Speech(_level(waveform), _cover(phonemes, len(waveform) / SAMPLE_RATE))


def _level(waveform: np.ndarray) -> np.ndarray:
    """Brings the loud half of the samples to a root mean square of 0.1, the peak staying below 0.95."""
    power = np.sort(waveform.astype(np.float64) ** 2)[len(waveform) // 2 :].mean()
    gain = min(0.1 / max(np.sqrt(power), 1e-6), 0.95 / max(np.abs(waveform).max(), 1e-6))
    return (waveform * gain).astype(np.float32)


def _cover(phonemes: list[Phoneme], duration: float) -> tuple[Phoneme, ...]:
    """Drops empty phonemes, joins successive pauses, and ends exactly at `duration`."""
    kept: list[Phoneme] = []
    for phoneme in phonemes:
        end = min(phoneme.end, duration)
        if end <= (kept[-1].end if kept else 0.0):
            continue
        if kept and kept[-1].symbol == phoneme.symbol == "pau":
            kept[-1] = Phoneme("pau", kept[-1].start, end)
        else:
            kept.append(Phoneme(phoneme.symbol, kept[-1].end if kept else 0.0, end))
    kept[-1] = Phoneme(kept[-1].symbol, kept[-1].start, duration)
    return tuple(kept)
