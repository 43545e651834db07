"""Speech with what it makes the mouth do, frame by frame: what the audio projection first learns from."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from emo_modules.writing.partial import whole_file

from ..acting import mouth
from ..filming.clips import FRAMES
from ..filming.seeds import HELD_OUT
from ..filming.speakers import FPS, alter, between_silences, speak
from ..speech.phrasebook import HELD_OUT_LANGUAGES
from ..speech.synthesis import SAMPLE_RATE, phoneme_frames
from ..speech.utterances import utterance

SHARD = 100  # seeds of a file


@dataclass(frozen=True, eq=False)
class Spoken:
    """Sentences of one voice: waveform (T,) int16 at 16 kHz, and of every whole frame of it the actions
    (F, 52) float16 of a mouth that has no mood and the phoneme (F,) uint8 into `PHONEMES`."""

    seed: int
    waveform: np.ndarray
    actions: np.ndarray
    phonemes: np.ndarray

    @property
    def held_out(self) -> bool:
        return self.seed >= HELD_OUT

    @property
    def unseen_language(self) -> bool:
        return utterance(self.seed, self.held_out).language in HELD_OUT_LANGUAGES


def act_out(seed: int) -> Spoken:
    """What a clip of this seed is cut from, with silence before and after it, in which its noise goes on.

    From HELD_OUT on with voices, sentences and languages that are not trained on.
    """
    rng = np.random.default_rng([seed, 0])
    speech = between_silences(speak(seed, FRAMES, held_out=seed >= HELD_OUT), rng)
    speech = alter(speech, rng)
    frames = int(len(speech.waveform) * FPS / SAMPLE_RATE)
    actions = mouth.speak(speech, (np.arange(frames) + 0.5) / FPS, FPS)
    return Spoken(
        seed,
        np.rint(speech.waveform * 32767).astype(np.int16),
        actions.astype(np.float16),
        phoneme_frames(speech, frames, FPS).astype(np.uint8),
    )


def speak_ahead(folder: Path, seeds: range, workers: int = 1) -> list[Path]:
    """Files of 100 seeds each, of which those are written that are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    # Fresh processes: speech starts others, which must not fork from one that holds a GL context.
    with get_context("spawn").Pool(workers) as pool:
        for first in range(seeds.start, seeds.stop, SHARD):
            part = range(first, min(first + SHARD, seeds.stop))
            paths.append(folder / f"spoken-{part.start:07d}-{len(part)}.npz")
            if not paths[-1].exists():
                _write(paths[-1], pool.map(act_out, part, chunksize=5))
    return paths


def _write(path: Path, spoken: list[Spoken]) -> None:
    with whole_file(path) as unfinished, unfinished.open("wb") as file:
        np.savez(
            file,
            seeds=np.array([one.seed for one in spoken]),
            waveforms=np.concatenate([one.waveform for one in spoken]),
            actions=np.concatenate([one.actions for one in spoken]),
            phonemes=np.concatenate([one.phonemes for one in spoken]),
            samples=np.array([len(one.waveform) for one in spoken]),
            frames=np.array([len(one.phonemes) for one in spoken]),
        )


def read_spoken(paths: Iterable[Path]) -> Iterator[Spoken]:
    for path in paths:
        with np.load(path) as shard:
            samples, frames = (np.cumsum(shard[name])[:-1] for name in ("samples", "frames"))
            acted = (np.split(shard[name], frames) for name in ("actions", "phonemes"))
            waveforms = np.split(shard["waveforms"], samples)
            for row in zip(shard["seeds"].tolist(), waveforms, *acted, strict=True):
                yield Spoken(*row)
