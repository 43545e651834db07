"""The true and the generated video next to each other in one file, with the sound."""

from pathlib import Path

import numpy as np
from PIL import Image

from emo_modules.media.audio import Audio, load_audio
from emo_modules.media.video import VideoWriter, soundtrack
from emo_modules.writing.pictures import save_picture

from ..perception.rates import FPS
from .pairs import Pair, Video

TALLEST = 512  # px
POSTER = 20  # the frame that stands for the video; in the first one the lips have not moved yet
PAPER = 128  # grey between the two


def write_side_by_side(pair: Pair, folder: Path) -> None:
    """NAME.mp4 with the true video on the left and the generated one on the right, at one height and as long
    as the shorter of the two, and NAME.jpg of one frame."""
    height = min(TALLEST, max(video.size[1] for video in (pair.true, pair.generated)))
    widths = [round(video.size[0] * height / video.size[1]) for video in (pair.true, pair.generated)]
    gap = np.full((height, max(2, height // 64), 3), PAPER, np.uint8)
    frames = zip(pair.true.frames(), pair.generated.frames(), strict=False)
    path = folder / f"{pair.name}.mp4"
    with VideoWriter(path, sum(widths) + gap.shape[1], height, FPS, _sound(pair)) as writer:
        for k, (left, right) in enumerate(frames):
            both = [_resize(left, widths[0], height), gap, _resize(right, widths[1], height)]
            writer.write(np.concatenate(both, 1))
            if k in (0, POSTER):
                save_picture(path.with_suffix(".jpg"), Image.fromarray(np.concatenate(both, 1)), quality=88)


def _sound(pair: Pair) -> Audio | None:
    heard: list[Video] = [video for video in (pair.generated, pair.true) if video.has_sound]
    if not heard:
        return None
    frames = sum(1 for _ in zip(pair.true.frames(), pair.generated.frames(), strict=False))
    return soundtrack(load_audio(heard[0].path), frames, FPS)


def _resize(frame: np.ndarray, width: int, height: int) -> np.ndarray:
    if frame.shape[:2] == (height, width):
        return frame
    return np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.LANCZOS))
