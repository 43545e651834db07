"""Rendered people to judge a model by, whom nothing was trained on: portrait and sound as files, the true
film and the truth of every frame."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import load_file, save_file

from emo_modules.media.audio import Audio
from emo_modules.media.video import VideoWriter
from emo_modules.writing.partial import whole_file
from emo_modules.writing.pictures import save_picture

from ..acting.face import Expression
from ..acting.performance import perform
from ..people.person import Person, random_person
from ..rendering.context import drawing_processes
from ..rendering.framing import Framing
from ..rendering.posing import Body
from ..rendering.scene import random_scene
from ..speech.augment import add_music, add_noise, augment, sing
from ..speech.phrasebook import HELD_OUT_LANGUAGES, sentence_in
from ..speech.synthesis import SAMPLE_RATE, Phoneme, Speech, join
from ..speech.utterances import Utterance, utterance
from .clips import CAMERA, FASTEST, OFF_CENTRE, SIDE, filmed_well, random_faces
from .speakers import FPS, random_head_speed, random_pose
from .take import Take

if TYPE_CHECKING:
    from ..rendering.studio import Studio

KINDS = ("known languages", "unseen languages", "sung or noisy")
SECONDS = (2.4, 4.0)  # that are shown, of which the last are silent
SILENCE = 0.6
FACE_WIDTH = (1 / 3, 0.9)  # over the picture's
TALLEST = 4 / 3  # height of a picture over its width
ROOM = 0.9  # of the height for the face, where that much height is allowed
INSIDE = 0.4  # of a face's side to each side of its middle stays in the picture
MASK_EVERY = 6  # frames between those of which is known which pixels show the person
TRUTH = "truth.safetensors"
CURVES = ("mouth_open", "mouth_width", "eye_open", "landmarks", "face_box", "yaw", "pitch", "roll")


@dataclass(frozen=True, eq=False)
class PersonCase:
    """Who says what how, before it is drawn; `portrait` is the face that the portrait shows."""

    seed: int
    kind: str
    said: Utterance
    head_speed: float
    portrait: Expression
    take: Take

    def folder(self, cases: Path) -> Path:
        return cases / f"{self.seed}"


def make_cases(
    folder: Path, seeds: range, workers: int, seconds: tuple[float, float] = SECONDS, films: bool = True
) -> list[PersonCase]:
    """Speaks all and draws those that are not in the folder yet, if need be without the true films; the kinds
    take turns.

    Raises FileNotFoundError when a synthesizer is not installed, CannotDraw without OpenGL.
    """
    kinds = [KINDS[k % len(KINDS)] for k in range(len(seeds))]
    with ProcessPoolExecutor(workers, get_context("spawn")) as speakers:
        cases = list(speakers.map(partial(rehearse_case, seconds=seconds), seeds, kinds))
    missing = [case for case in cases if not (case.folder(folder) / TRUTH).exists()]
    if missing:
        with drawing_processes(workers) as artists:
            list(artists.map(partial(_draw, folder, films), missing))
    return cases


def make_portraits(folder: Path, seeds: range, workers: int) -> list[Path]:
    """Pictures of people who say nothing; those that are there already are left alone."""
    paths = [folder / f"{seed}.png" for seed in seeds]
    missing = [(seed, path) for seed, path in zip(seeds, paths, strict=True) if not path.exists()]
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
        with drawing_processes(workers) as artists:
            list(artists.map(_draw_stranger, missing))
    return paths


def rehearse_case(seed: int, kind: str, seconds: tuple[float, float] = SECONDS) -> PersonCase:
    """One of KINDS, with voices and sentences that are never trained on. Raises FileNotFoundError when a
    synthesizer is not installed."""
    rng = np.random.default_rng([seed, 3])
    person, said = random_person(seed), _utterance(seed, kind)
    speech = _speak(said, seed, kind, seconds, rng)
    start = random_pose(rng, (12, 6, 4), 35)
    portrait, mood = random_faces(rng, start)
    head_speed = random_head_speed(rng, FASTEST)
    frames = int(len(speech.waveform) * FPS / SAMPLE_RATE)
    performance = perform(speech, frames, FPS, head_speed, start, seed, mood)
    take = Take(person, random_view(rng, person), speech, start, mood, performance)
    return PersonCase(seed, kind, said, head_speed, portrait, take)


def _utterance(seed: int, kind: str) -> Utterance:
    """Sung and noisy sound is in any language."""
    said = (utterance(seed * 100 + k, held_out=True) for k in count())
    unseen = kind == "unseen languages"
    return next(one for one in said if kind == KINDS[2] or (one.language in HELD_OUT_LANGUAGES) == unseen)


def _speak(
    said: Utterance, seed: int, kind: str, seconds: tuple[float, float], rng: np.random.Generator
) -> Speech:
    """Sentences for at least the shortest time; what is longer than the longest is cut."""
    shortest, longest = (time - SILENCE for time in seconds)
    change = kind == KINDS[2]
    sings = change and rng.random() < 0.5
    pieces = (replace(said, text=sentence_in(said.language, seed + k, held_out=True)) for k in count())
    speech = said.speak()
    while len(speech.waveform) < shortest * SAMPLE_RATE:
        speech = join(speech, next(pieces).speak())
    speech = then_silence(cut_at(sing(speech, rng) if sings else speech, longest), SILENCE)
    if not change or (sings and rng.random() < 0.5):
        return speech
    disturb = add_noise if rng.random() < 0.6 else add_music
    return Speech(augment(disturb(speech.waveform, rng), rng, telephones=True), speech.phonemes)


def cut_at(speech: Speech, seconds: float) -> Speech:
    """The speech without what comes after so many seconds."""
    kept = tuple(replace(p, end=min(p.end, seconds)) for p in speech.phonemes if p.start < seconds)
    return Speech(speech.waveform[: round(seconds * SAMPLE_RATE)], kept)


def then_silence(speech: Speech, seconds: float) -> Speech:
    pause = Speech(np.zeros(round(seconds * SAMPLE_RATE), np.float32), (Phoneme("pau", 0.0, seconds),))
    return join(speech, pause)


def random_view(rng: np.random.Generator, person: Person) -> Framing:
    """Faces from a third to nine tenths of the picture's width, off centre, in pictures that are square or
    higher, so that the largest fit."""
    low, high = Body.of(person.shape).face_box
    width = float(np.exp(rng.uniform(*np.log(FACE_WIDTH))))
    tall = width * float(high[1] - low[1]) / float(high[0] - low[0])
    height = 2 * round(SIDE / 2 * min(max(tall / ROOM, 1.0), TALLEST))
    face = tall * SIDE / height
    reach = [
        min(most, max(0.0, 0.5 - INSIDE * side)) for most, side in zip(OFF_CENTRE, (width, face), strict=True)
    ]
    x, y = (0.5 + float(rng.uniform(-off, off)) for off in reach)
    return Framing(SIDE, height, face, x, y, float(rng.uniform(*CAMERA)))


def _draw(cases: Path, film: bool, case: PersonCase) -> None:
    from ..rendering.studio import own_studio

    draw_case(case.folder(cases), case, own_studio(), film)


def _draw_stranger(asked: tuple[int, Path]) -> None:
    from ..rendering.studio import own_studio

    seed, path = asked
    rng, person = np.random.default_rng([seed, 3]), random_person(seed)
    start = random_pose(rng, (12, 6, 4), 35)
    moment = random_faces(rng, start)[0], start
    scene = filmed_well(random_scene(seed))
    picture = own_studio().photograph(person, *moment, random_view(rng, person), 0, scene)
    save_picture(path, Image.fromarray(picture))


def draw_case(folder: Path, case: PersonCase, studio: Studio, film: bool = True) -> None:
    """Writes portrait.png, speech.wav, truth.mp4 and the truth, the last as soon as all else is there."""
    import soundfile

    take = case.take
    folder.mkdir(parents=True, exist_ok=True)
    portrait = draw_portrait(case, studio)
    save_picture(folder / "portrait.png", Image.fromarray(portrait))
    with whole_file(folder / "speech.wav") as partial_file:
        soundfile.write(partial_file, take.waveform, SAMPLE_RATE, subtype="PCM_16", format="WAV")
    if film:
        sound = Audio(torch.from_numpy(take.waveform))
        with VideoWriter(folder / "truth.mp4", take.framing.width, take.framing.height, FPS, sound) as video:
            for frame in _film(case, studio):
                video.write(frame)
    with whole_file(folder / TRUTH) as partial_file:
        save_file(_truth(case, studio), partial_file)


def draw_portrait(case: PersonCase, studio: Studio) -> np.ndarray:
    """(H, W, 3) uint8, with the noise of the true film's frames: what stands still is the same in all."""
    scene = filmed_well(random_scene(case.seed))
    take = case.take
    return studio.photograph(take.person, case.portrait, take.start, take.framing, 0, scene)


def _film(case: PersonCase, studio: Studio) -> Iterator[np.ndarray]:
    scene, take = filmed_well(random_scene(case.seed)), case.take
    for k in range(take.frames):
        moment = take.performance.expression(k), take.performance.pose(k)
        yield studio.photograph(take.person, *moment, take.framing, 0, scene)


def _truth(case: PersonCase, studio: Studio) -> dict[str, np.ndarray]:
    """CURVES by frame; `person` (H, W) uint8 is 1 where a pixel shows the person in the portrait or in one of
    every sixth frame."""
    take = case.take
    moments = [(take.performance.expression(k), take.performance.pose(k)) for k in range(take.frames)]
    told = [studio.truth(take.person, *moment, take.framing) for moment in moments]
    masked = [(case.portrait, take.start), *moments[::MASK_EVERY]]
    masks = [studio.regions(take.person, *moment, take.framing).person for moment in masked]
    curves = {name: np.array([getattr(one, name) for one in told], np.float32) for name in CURVES}
    return curves | {"person": np.any(masks, 0).astype(np.uint8)}


@dataclass(frozen=True, eq=False)
class CaseFiles:
    """What lies in a case's folder: paths, and the truth as `_truth` wrote it."""

    folder: Path

    @property
    def portrait(self) -> Path:
        return self.folder / "portrait.png"

    @property
    def speech(self) -> Path:
        return self.folder / "speech.wav"

    @property
    def film(self) -> Path:
        return self.folder / "truth.mp4"

    def truth(self) -> dict[str, np.ndarray]:
        return load_file(self.folder / TRUTH)
