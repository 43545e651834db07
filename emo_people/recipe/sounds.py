"""Speech in every language, spoken ahead: what the audio encoder learns from and is checked with."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from emo_modules.writing.partial import whole_file

from ..filming.seeds import HELD_OUT
from ..filming.speakers import FPS, speak
from ..speech.augment import augment, sing
from ..speech.phrasebook import HELD_OUT_LANGUAGES
from ..speech.synthesis import FEATURE_RATE, SAMPLE_RATE, Speech, phoneme_frames
from ..speech.utterances import utterance

STEP = SAMPLE_RATE // FEATURE_RATE  # samples of one phoneme label
SHARD = 100  # sounds of a file
_RECORDED, _SEEDS_FOR_ONE = 200_000, 50  # one utterance in ten is in a recorded voice
_LEAST_SECONDS, _ALTERED_SHARE, _SUNG_SHARE = 5.0, 0.5, 0.16


@dataclass(frozen=True, eq=False)
class Sound:
    """Sentences of one voice: waveform (T * 320,) int16 at 16 kHz, phonemes (T,) uint8 into `PHONEMES`.

    `altered`: sung, or heard in a room, in noise, with music, by telephone.
    """

    waveform: np.ndarray
    phonemes: np.ndarray
    language: str
    altered: bool

    @property
    def unseen_language(self) -> bool:
        return self.language in HELD_OUT_LANGUAGES


def make_sound(seed: int, held_out: bool = False) -> Sound:
    """Half of all are altered, and a sixth of those are sung."""
    rng = np.random.default_rng([seed, held_out])
    speech = speak(seed, round(_LEAST_SECONDS * FPS), held_out)
    altered = bool(rng.random() < _ALTERED_SHARE)
    if altered:
        if rng.random() < _SUNG_SHARE:
            speech = sing(speech, rng)
        speech = Speech(augment(speech.waveform, rng, telephones=True), speech.phonemes)
    steps = len(speech.waveform) // STEP
    waveform = np.rint(speech.waveform[: steps * STEP] * 32767).astype(np.int16)
    phonemes = phoneme_frames(speech, steps, FEATURE_RATE).astype(np.uint8)
    return Sound(waveform, phonemes, utterance(seed, held_out).language, altered)


def make_check(seed: int) -> Sound:
    """Voices and sentences that are not trained on, half of them in languages that are not."""
    return make_sound(seed, held_out=True)


def make_familiar(seed: int) -> Sound:
    """A voice that is trained on, with other sentences: `seed` counts from 0."""
    return make_sound(HELD_OUT + seed)


def make_recorded(seed: int) -> Sound:
    """In one of flite's recorded voices, which are nearer to people's than espeak-ng's; `seed` from 0."""
    seeds = itertools.count(_RECORDED + _SEEDS_FOR_ONE * seed)
    return make_sound(next(seed for seed in seeds if utterance(seed).voice.startswith("flite:")))


SETS: dict[str, Callable[[int], Sound]] = {
    "sounds": make_sound,
    "recorded": make_recorded,
    "check": make_check,
    "familiar": make_familiar,
}


def speak_ahead(folder: Path, name: str, count: int, workers: int = 1) -> None:
    """Writes the files of one of `SETS` that are not there yet, each of 100 sounds."""
    folder.mkdir(parents=True, exist_ok=True)
    # Fresh processes: speech starts others, which must not fork from one that holds a GL context.
    with get_context("spawn").Pool(workers) as pool:
        for first in range(0, count, SHARD):
            path = folder / f"{name}-{first // SHARD:04d}.npz"
            if not path.exists():
                _write(path, pool.map(SETS[name], range(first, min(first + SHARD, count)), chunksize=5))


def _write(path: Path, sounds: list[Sound]) -> None:
    with whole_file(path) as unfinished, unfinished.open("wb") as file:
        np.savez(
            file,
            waveforms=np.concatenate([sound.waveform for sound in sounds]),
            phonemes=np.concatenate([sound.phonemes for sound in sounds]),
            lengths=np.array([len(sound.phonemes) for sound in sounds]),
            languages=np.array([sound.language for sound in sounds]),
            altered=np.array([sound.altered for sound in sounds]),
        )


def files_ahead(folder: Path, name: str) -> list[Path]:
    """The files of one of `SETS` in order. Raises FileNotFoundError where there are none."""
    if not (paths := sorted(folder.glob(f"{name}-*.npz"))):
        raise FileNotFoundError(f"{folder} has no {name}-*.npz: make them with speak_ahead")
    return paths


def read_sounds(paths: Iterable[Path]) -> Iterator[Sound]:
    for path in paths:
        with np.load(path) as shard:
            edges = np.cumsum(shard["lengths"])[:-1]
            parts = np.split(shard["waveforms"], edges * STEP), np.split(shard["phonemes"], edges)
            for row in zip(*parts, shard["languages"].tolist(), shard["altered"].tolist(), strict=True):
                yield Sound(*row)
