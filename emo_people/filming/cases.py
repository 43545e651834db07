"""Unseen people to judge the model by: portrait, sentence and true performance, in memory or as files."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from emo_modules.media.audio import Audio
from emo_modules.media.video import VideoWriter
from emo_modules.writing.partial import whole_file, write_text
from emo_modules.writing.pictures import save_picture

from ..drawing.avatars import face_box
from ..drawing.face import Pose
from ..drawing.identity import random_identity
from ..drawing.performance import Performance, perform
from ..speech.synthesis import SAMPLE_RATE, Speech, join, synthesize
from ..speech.voices import HELD_OUT_VOICES, TRAINING_VOICES
from .people import FPS, draw_frame, draw_portrait, random_head_speed, sentence_frames, speak
from .seeds import HELD_OUT

SIZE = 128
TRUTH = ("mouth_open", "mouth_width", "yaw", "pitch", "roll")


@dataclass(frozen=True)
class Case:
    """What a generator is given (portrait, waveform, head_speed, face_box) and what it should show.

    The person is `random_identity(seed)`; `speech` is the uncut speech that `performance` acts.
    """

    seed: int
    voice: str
    portrait: np.ndarray  # (128, 128, 3) uint8
    speech: Speech
    waveform: np.ndarray  # (T,) float32, 16 kHz, exactly as long as the frames
    performance: Performance
    head_speed: float  # degrees per second: asked of the performance, and of the generator
    face_box: tuple[float, float, float, float]  # pixels, of the head looking straight ahead

    @property
    def frames(self) -> int:
        return len(self.performance.mouth_open)

    @property
    def held_out_voice(self) -> bool:
        return self.voice in HELD_OUT_VOICES

    def truth(self) -> np.ndarray:
        """The true frames (F, 128, 128, 3) uint8."""
        return np.stack([draw_frame(self.seed, self.performance, k, SIZE) for k in range(self.frames)])


def make_case(seed: int, shortest: float = 2.4, longest: float = 4.0) -> Case:
    """The case of `seed` (from HELD_OUT on): held-out sentences, joined until they last `shortest` seconds
    and cut at `longest`. Even seeds speak with a training voice, odd ones with a held-out voice."""
    rng = np.random.default_rng(seed)
    voice = str(rng.choice(HELD_OUT_VOICES if seed % 2 else TRAINING_VOICES))
    speech = speak(seed, rng, (voice,), held_out=True, altered=False)
    while len(speech.waveform) < shortest * SAMPLE_RATE:
        more = speak(int(rng.integers(2**32)), rng, (voice,), held_out=True, altered=False)
        speech = join(speech, more)
    return _case(seed, voice, speech, min(sentence_frames(speech), round(longest * FPS)), rng)


def _case(seed: int, voice: str, speech: Speech, frames: int, rng: np.random.Generator) -> Case:
    head_speed = random_head_speed(rng)
    samples = round(frames * SAMPLE_RATE / FPS)
    waveform = speech.waveform[:samples]
    return Case(
        seed=seed,
        voice=voice,
        portrait=draw_portrait(seed, rng, SIZE),
        speech=speech,
        waveform=np.pad(waveform, (0, samples - len(waveform))),
        performance=perform(speech, frames, FPS, head_speed, rng),
        head_speed=head_speed,
        face_box=face_box(random_identity(seed), Pose(), SIZE),
    )


def write_case(folder: Path, seed: int, text: str, voice: str) -> Case:
    """Writes portrait.png, speech.wav, truth.mp4 and truth.json of unseen person number `seed` saying `text`.

    truth.json holds `fps` and for each of `frames`: mouth_open and mouth_width in 0..1, yaw, pitch and roll
    in degrees, face_box x0, y0, x1, y1 in pixels. Raises ValueError for an unknown voice, FileNotFoundError
    when its synthesizer is not installed.
    """
    import soundfile

    if not 0 <= seed < HELD_OUT:
        raise ValueError(f"the avatar's seed must be in 0..{HELD_OUT - 1}, got {seed}")
    speech = synthesize(text, voice)
    case = _case(HELD_OUT + seed, voice, speech, sentence_frames(speech), np.random.default_rng(seed))
    folder.mkdir(parents=True, exist_ok=True)
    save_picture(folder / "portrait.png", Image.fromarray(case.portrait))
    with whole_file(folder / "speech.wav") as partial:
        soundfile.write(partial, case.waveform, SAMPLE_RATE, subtype="PCM_16", format="WAV")
    with VideoWriter(folder / "truth.mp4", SIZE, SIZE, FPS, Audio(torch.from_numpy(case.waveform))) as video:
        for frame in case.truth():
            video.write(frame)
    description = {"fps": FPS, "seed": seed, "text": text, "voice": voice, "frames": _truth_rows(case)}
    write_text(folder / "truth.json", json.dumps(description, indent=1) + "\n")
    return case


def _truth_rows(case: Case) -> list[dict[str, float | list[float]]]:
    identity = random_identity(case.seed)
    rows: list[dict[str, float | list[float]]] = []
    for k in range(case.frames):
        curves = {name: round(float(getattr(case.performance, name)[k]), 4) for name in TRUTH}
        box = face_box(identity, case.performance.pose(k), SIZE)
        rows.append(curves | {"face_box": [round(edge, 2) for edge in box]})
    return rows
