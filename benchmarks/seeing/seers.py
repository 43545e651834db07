"""Who looks for faces: each finder and reader behind one small protocol."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from emo_modules.cues.box import Box
from emo_modules.cues.detect import search_faces


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
    """A cascade of local binary patterns, with a small network for drawn faces beside it: boxes alone."""

    name: str = "cascade"

    def see(self, picture: np.ndarray) -> list[Seen]:
        return [Seen(box) for box in search_faces(picture)]


SEERS: dict[str, type[Cascade]] = {"cascade": Cascade}
