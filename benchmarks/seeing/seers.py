"""Who looks for faces: each finder and reader behind one small protocol."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch

from benchmarks.seeing import cascade
from emo_modules.cues.box import Box
from emo_modules.cues.detect import search_people
from emo_modules.cues.face_reader import FaceReader
from emo_modules.cues.squares import around_five


@dataclass(frozen=True)
class Seen:
    """A face: its box from ear to ear and hairline to chin in px; from a reader also iBUG's points (68, 2) in
    px and the mouth's opening over the inter-ocular distance."""

    box: Box
    points: np.ndarray | None = None
    mouth_open: float | None = None


class Seer(Protocol):
    @property
    def name(self) -> str: ...

    def see(self, picture: np.ndarray) -> list[Seen]:
        """The faces of a picture (H, W, 3) uint8."""
        ...


@dataclass(frozen=True)
class Cascade:
    """A cascade of local binary patterns: upright boxes alone."""

    name: str = "cascade"

    def see(self, picture: np.ndarray) -> list[Seen]:
        return [Seen(box) for box in cascade.search(picture)]


@dataclass(frozen=True)
class Finder:
    """The pack's finder: boxes alone."""

    name: str = "finder"

    def see(self, picture: np.ndarray) -> list[Seen]:
        return [Seen(face.box) for face in search_people(picture)]


@dataclass(frozen=True)
class Reader:
    """The pack's finder, and its reader on each face that it finds."""

    name: str = "reader"
    reader: FaceReader = field(default_factory=FaceReader.load)

    def see(self, picture: np.ndarray) -> list[Seen]:
        pixels, seen = torch.from_numpy(picture), []
        for face in search_people(picture):
            five = torch.from_numpy(np.asarray(face.points, np.float32))
            read = self.reader.read(pixels, around_five(five[None]))
            seen.append(Seen(face.box, read.landmarks.numpy(), read.mouth_open))
        return seen


SEERS: dict[str, Callable[[], Seer]] = {"cascade": Cascade, "finder": Finder, "reader": Reader}
