"""A sheet to look at: what was made above what is true."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image

from emo_modules.cues.face import resize
from emo_modules.media.image import to_bytes

from ..filming.sheets import lay_out
from .person_figures import PersonFigures

CLIPS, FRAMES, SIDE = 12, 12, 160


def contact_sheet(rows: Sequence[PersonFigures]) -> Image.Image:
    """Two rows of frames, evenly spread, for each of at most twelve cases, likewise spread."""
    picked = [rows[k] for k in np.unique(np.linspace(0, len(rows) - 1, CLIPS).round().astype(int))]
    cells = [cell for row in picked for film in (row.made, row.true) for cell in _strip(film)]
    return lay_out(cells, FRAMES)


def _strip(film: np.ndarray) -> np.ndarray:
    """Frames (12, 160, 160, 3) of a film (F, H, W, 3) uint8."""
    frames = film[np.linspace(0, len(film) - 1, FRAMES).round().astype(int)]
    planes = torch.from_numpy(frames).movedim(-1, 1).float() / 255
    return to_bytes(resize(planes, SIDE, SIDE).movedim(1, -1)).numpy()
