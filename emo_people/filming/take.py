"""One person saying something before the camera: portrait, sound, film, and the truth of every frame."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import torch
from PIL import Image

from emo_modules.media.audio import Audio
from emo_modules.media.video import VideoWriter
from emo_modules.writing.partial import whole_file, write_text
from emo_modules.writing.pictures import save_picture

from ..acting.face import Expression, Pose
from ..acting.performance import FASTEST, Performance, perform
from ..people.person import Person, random_person
from ..rendering.framing import Framing
from ..speech.synthesis import SAMPLE_RATE, Speech, synthesize
from .speakers import FPS

if TYPE_CHECKING:
    from ..rendering.studio import Studio

DIGITS = 3  # of the numbers written


@dataclass(frozen=True)
class Direction:
    """What is asked of a take: who (the seed) says what."""

    seed: int
    text: str
    voice: Annotated[str, "flite:slt, espeak:de, espeak:de+f2, ..."] = "flite:slt"
    size: Annotated[tuple[int, int], "of the pictures in pixels", ("WIDTH", "HEIGHT")] = (512, 512)
    face: Annotated[float, "height of the face over that of the picture"] = 0.5
    place: Annotated[tuple[float, float], "of the face's centre, in fractions", ("X", "Y")] = (0.5, 0.45)
    head_speed: Annotated[float, "degrees per second, 0..45"] = 12.0
    yaw: Annotated[float, "degrees by which the portrait looks to the right"] = 0.0
    pitch: Annotated[float, "degrees by which it looks down"] = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.head_speed <= FASTEST:
            raise ValueError(f"the head's speed must be 0..{FASTEST:.0f} degrees/s, got {self.head_speed}")
        if max(abs(self.yaw), abs(self.pitch)) > 90:
            raise ValueError(f"yaw and pitch must be -90..90 degrees, got {self.yaw} and {self.pitch}")


@dataclass(frozen=True, eq=False)
class Take:
    """The person, what is heard and what they do; `start` and `mood` are the portrait's pose and face."""

    person: Person
    framing: Framing
    speech: Speech
    start: Pose
    mood: Expression
    performance: Performance

    @property
    def frames(self) -> int:
        return len(self.performance.yaw)

    @property
    def waveform(self) -> np.ndarray:
        """(T,) float32 at 16 kHz, exactly as long as the frames."""
        samples = round(self.frames * SAMPLE_RATE / FPS)
        spoken = self.speech.waveform[:samples]
        return np.pad(spoken, (0, samples - len(spoken)))

    def portrait(self, studio: Studio) -> np.ndarray:
        """(H, W, 3) uint8: before the first word."""
        return studio.photograph(self.person, self.mood, self.start, self.framing)

    def film(self, studio: Studio) -> Iterator[np.ndarray]:
        """The frames (H, W, 3) uint8, whose noise is not the portrait's."""
        for k in range(self.frames):
            expression, pose = self.performance.expression(k), self.performance.pose(k)
            yield studio.photograph(self.person, expression, pose, self.framing, k + 1)

    def truth(self, studio: Studio) -> list[dict[str, Any]]:
        """For each frame what `rendering.truth.Truth` tells."""
        rows = []
        for k in range(self.frames):
            expression, pose = self.performance.expression(k), self.performance.pose(k)
            told = vars(studio.truth(self.person, expression, pose, self.framing))
            rows.append({name: np.round(value, DIGITS).tolist() for name, value in told.items()})
        return rows


def rehearse(direction: Direction) -> Take:
    """Speaks and acts: before a studio is made, since a process that has one cannot start a synthesizer.

    Raises ValueError for an unknown voice and a seed out of range, FileNotFoundError when the synthesizer is
    not installed.
    """
    person = random_person(direction.seed)
    width, height = direction.size
    x, y = direction.place
    framing = Framing(width, height, direction.face, x, y)
    speech = synthesize(direction.text, direction.voice)
    frames = max(1, round(len(speech.waveform) / SAMPLE_RATE * FPS))
    # They look at the camera, whichever way the head is turned.
    start, mood = Pose(direction.yaw, direction.pitch), Expression.of((-direction.yaw, -direction.pitch))
    performance = perform(speech, frames, FPS, direction.head_speed, start, direction.seed, mood)
    return Take(person, framing, speech, start, mood, performance)


def write_take(folder: Path, direction: Direction, take: Take, studio: Studio) -> None:
    """Writes portrait.png, speech.wav, truth.mp4 and truth.json, which holds what was asked, `fps`, and for
    each of `frames` the truth."""
    import soundfile

    folder.mkdir(parents=True, exist_ok=True)
    save_picture(folder / "portrait.png", Image.fromarray(take.portrait(studio)))
    with whole_file(folder / "speech.wav") as partial:
        soundfile.write(partial, take.waveform, SAMPLE_RATE, subtype="PCM_16", format="WAV")
    sound = Audio(torch.from_numpy(take.waveform))
    with VideoWriter(folder / "truth.mp4", take.framing.width, take.framing.height, FPS, sound) as video:
        for frame in take.film(studio):
            video.write(frame)
    description = vars(direction) | {"fps": FPS, "frames": take.truth(studio)}
    write_text(folder / "truth.json", json.dumps(description) + "\n")
