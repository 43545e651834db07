"""A film on disk: what is asked for by files, and writing it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor

from .cues.box import Box
from .media.ending import read_ending
from .media.formats import H264, Format
from .media.image import load_image, to_bytes
from .media.video import VideoWriter, soundtrack
from .options import Options
from .pipeline import Animation
from .sampling.solver import Cancelled
from .writing.errors import write_errors


@dataclass(frozen=True)
class FaceOptions:
    """Whose face speaks, and from where on, as a user says it: numbers and files."""

    box: Annotated[
        tuple[float, float, float, float] | None,
        "the face, in pixels, from ear to ear and hairline to chin",
        ("X0", "Y0", "X1", "Y1"),
    ] = None
    mask: Annotated[Path | None, "a picture that is white where the face is"] = None
    face: Annotated[int, "which of several faces, largest first"] = 0
    identity: Annotated[
        Path | None,
        "face embedding, a .npy of 512 numbers, which Hallo, Hallo2 and JoyHallo need for the likeness",
    ] = None

    after: Annotated[
        Path | None, "a video of this portrait, and best of this seed, that the new one goes on from"
    ] = None

    def options(self, others: Mapping[str, Any]) -> Options:
        """With the files read, and `others` of the options. Raises ValueError for files that hold no such
        thing."""
        return Options(
            **others,
            box=Box(*self.box) if self.box else None,
            mask=load_image(self.mask).mean(-1) if self.mask else None,
            face_index=self.face,
            identity=_embedding(self.identity) if self.identity else None,
            before=read_ending(self.after) if self.after else None,
        )


def _embedding(path: Path) -> np.ndarray:
    try:
        return np.load(path)
    except (EOFError, ValueError) as error:
        raise ValueError(f"{path} is no .npy of numbers: write the face embedding with numpy.save") from error


@dataclass(frozen=True, eq=False)
class Film:
    """A video that was written: where, how many frames, and some of them (K, H, W, 3) uint8, evenly
    spaced."""

    path: Path
    frames: int
    kept: Tensor


def write_video(animation: Animation, path: Path, format: Format = H264, keep: int = 10) -> Film:
    """Write frames as they are decoded. When they end early, so does the sound."""
    folder = path.parent.parent if format.numbered else path.parent
    with write_errors(path):
        folder.mkdir(parents=True, exist_ok=True)
    crop, kept, index = animation.prepared.crop, [], 0
    wanted = set(torch.linspace(0, animation.count - 1, keep).round().int().tolist())
    sound = soundtrack(animation.audio, animation.count, animation.fps, format)
    writer = VideoWriter(
        path, crop.width, crop.height, animation.fps, sound, format=format, cancelled_by=(Cancelled,)
    )
    with writer:
        for frames in animation.frames:
            for frame in to_bytes(frames).cpu():
                writer.write(frame)
                kept += [frame.clone()] if index in wanted else []  # a view would hold its whole clip
                index += 1
        if index < animation.count:
            writer.end_sound_with_frames()
    return Film(writer.path, index, torch.stack(kept))
