"""How a portrait's face stands in the crop that a user gets who draws no box."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from emo_modules.config import Framing
from emo_modules.cues.box import Box
from emo_modules.cues.face import Crop


@dataclass(frozen=True)
class Framed:
    """One portrait's crop against its true face, looking straight ahead."""

    found: bool
    zoom: float  # the whole picture's width over the crop's; 1 keeps it whole
    share: float  # the true face's width over the crop's
    x: float  # the true face's centre in the crop, of its width and height
    y: float
    as_trained: bool  # share and centre are within the framing of training

    @property
    def whole(self) -> bool:
        return self.zoom == 1


def measure_framing(crop: Crop, found: bool, true_face: Box, framing: Framing) -> Framed:
    """true_face in pixels of the picture that was cropped."""
    box = crop.box
    x, y = (true_face.centre[0] - box.x0) / box.width, (true_face.centre[1] - box.y0) / box.height
    share = true_face.width / box.width
    near = (abs(c - at) <= most for c, at, most in zip((x, y), framing.centre, framing.drift, strict=True))
    trained = framing.least <= share <= framing.most and all(near)
    return Framed(found, crop.source_width / box.width, share, x, y, trained)


def framing_summary(rows: Sequence[Framed]) -> dict[str, Any]:
    """Shares of the portraits, and least, median and greatest value where one number says too little."""
    spread = {
        name: [f([getattr(row, name) for row in rows]) for f in (min, median, max)]
        for name in ("zoom", "share", "x", "y")
    }
    shares = {name: fmean(getattr(row, name) for row in rows) for name in ("found", "whole", "as_trained")}
    return {"portraits": len(rows), **shares, **spread}
