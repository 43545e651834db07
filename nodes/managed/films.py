"""The formats of films that FramesToVideo offers, and what ComfyUI gets of each."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from comfy_api.latest import Input, InputImpl, Types
from PIL import Image

from ...emo_modules.media.audio import Audio, load_audio
from ...emo_modules.media.formats import GIF, H264, PNG, PRORES, VP9, Format
from ...emo_modules.media.image import as_float_image
from ...emo_modules.media.video import VideoWriter, read_video


@dataclass(frozen=True)
class Choice:
    """A format, and how the page shows it.

    `ending` is what follows NAME_0000N_ in the path. The page draws what is under "images": as a picture, or
    in its player where `plays`. What no browser shows is listed under another `key`.
    """

    format: Format
    ending: str
    plays: bool = False
    key: str = "images"

    def shown(self, writer: VideoWriter, result: Callable[[Path], Any]) -> dict[str, Any]:
        """The node's results: the film, of numbered frames the first, and the sound beside it."""
        film = _frame(writer.path, 1) if self.format.numbered else writer.path
        sound = {"audio": [result(writer.sound_path)]} if writer.sound_path else {}
        return {self.key: [result(film)]} | sound | ({"animated": (True,)} if self.plays else {})

    def video(self, writer: VideoWriter, size: tuple[int, int], count: int, fps: Fraction) -> Input.Video:
        """What is written, as core's nodes take it: `count` frames of `size`, width and height."""
        if self.plays:
            return InputImpl.VideoFromFile(str(writer.path))
        return WrittenFilm(self.format, writer.path, writer.sound_path, size, count, fps)


@dataclass(frozen=True)
class WrittenFilm(Input.Video):
    """A film that core cannot read, or not put into an MP4, as a VIDEO with its sound.

    It is read into memory when somebody asks for what is in it, and encoded anew as core does.
    """

    format: Format
    path: Path
    sound: Path | None
    size: tuple[int, int]
    count: int
    fps: Fraction

    def get_components(self) -> Types.VideoComponents:
        track = None if self.sound is None else load_audio(self.sound)
        if self.format.numbered:
            frames = torch.stack([_picture(_frame(self.path, k + 1)) for k in range(self.count)])
        else:
            pixels, _, waveform, rate = read_video(self.path)
            frames = as_float_image(pixels)
            track = track if waveform is None or rate is None else Audio(waveform, rate)
        sound = {"waveform": track.waveform[None], "sample_rate": track.sample_rate} if track else None
        return Types.VideoComponents(images=frames, audio=sound, frame_rate=self.fps)

    def save_to(self, *given: Any, **named: Any) -> None:  # versions of ComfyUI differ in what they give
        self._in_memory().save_to(*given, **named)

    def as_trimmed(self, *given: Any, **named: Any) -> Input.Video | None:
        return self._in_memory().as_trimmed(*given, **named)

    def _in_memory(self) -> Input.Video:
        return InputImpl.VideoFromComponents(self.get_components())

    def get_dimensions(self) -> tuple[int, int]:
        return self.size

    def get_frame_count(self) -> int:
        return self.count

    def get_frame_rate(self) -> Fraction:
        return self.fps

    def get_duration(self) -> float:
        return float(self.count / self.fps)


def _frame(pattern: Path, number: int) -> Path:
    return pattern.with_name(pattern.name % number)


def _picture(path: Path) -> torch.Tensor:
    with Image.open(path) as picture:
        return as_float_image(np.array(picture))


DEFAULT = "mp4 (H.264)"
CHOICES = {
    DEFAULT: Choice(H264, ".mp4", plays=True),
    "webm (VP9)": Choice(VP9, ".webm", plays=True),
    "gif": Choice(GIF, ".gif"),
    "png frames": Choice(PNG, "/%05d.png"),
    "mov (ProRes)": Choice(PRORES, ".mov", key="video"),
}
