"""How films are looked at before they are measured: as they are stored, or as papers on HDTF look at them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from PIL import Image

from emo_modules.checked import Checked

from ..perception.rates import FPS, SAMPLE_RATE

HDTF_SIDE = 512  # px


@dataclass(frozen=True)
class Protocol(Checked):
    """What true and generated films have in common when they are compared. The texts are its options'."""

    protocol: Annotated[
        Literal["stored", "hdtf"],
        "stored: pictures as they are; hdtf: the central square of both films at 512 x 512, as papers say",
    ] = "stored"
    people: Annotated[
        Path | None, "CSV with the columns name and person: whose clips count together in the intervals"
    ] = None

    @property
    def side(self) -> int | None:
        """Of the central square that is looked at, in pixels; None for the whole picture."""
        return HDTF_SIDE if self.protocol == "hdtf" else None

    def __str__(self) -> str:
        picture = f"central square at {self.side} x {self.side}" if self.side else "pictures as stored"
        return f"{picture}, {FPS} frames and {SAMPLE_RATE} audio samples per second"


def central_square(frame: np.ndarray, side: int) -> np.ndarray:
    """The largest square (side, side, 3) in the middle of a frame (H, W, 3) uint8, resampled by Lanczos; its
    own pixels where it has that size already."""
    height, width = frame.shape[:2]
    edge = min(height, width)
    left, top = (width - edge) // 2, (height - edge) // 2
    square = frame[top : top + edge, left : left + edge]
    if edge == side:
        return np.ascontiguousarray(square)
    return np.array(Image.fromarray(square).resize((side, side), Image.Resampling.LANCZOS))
